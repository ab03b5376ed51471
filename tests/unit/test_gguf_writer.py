"""What is written can be read again, and a file appears whole or not at all."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from quantize import gguf_writer
from quantize.errors import OutputError
from quantize.gguf_header import read_header
from quantize.gguf_writer import OutputFile, header_bytes, lay_out
from quantize.model import MetadataValue, Typed, TypedArray
from quantize.types import GgmlType, GgufType
from tests.helpers.gguf_files import BOOL, INT32, gguf_bytes
from tests.helpers.gguf_files import Typed as Raw

METADATA: dict[str, MetadataValue] = {
    "general.architecture": Typed(GgufType.STRING, "llama"),
    "llama.block_count": Typed(GgufType.UINT32, 2),
    "llama.rope.freq_base": Typed(GgufType.FLOAT32, 0.5),
    "some.flag": Typed(GgufType.BOOL, True),
    "some.small": Typed(GgufType.INT32, -3),
    "tokenizer.ggml.tokens": TypedArray(GgufType.STRING, 2, ("a", "é")),
    "tokenizer.ggml.token_type": TypedArray(GgufType.INT32, 3, (1, 2, -1)),
}
PLAIN = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.rope.freq_base": 0.5,
    "some.flag": Raw(BOOL, True),
    "some.small": Raw(INT32, -3),
    "tokenizer.ggml.tokens": ["a", "é"],
    "tokenizer.ggml.token_type": Raw(INT32, [1, 2, -1]),
}


def test_a_header_is_what_an_independent_writer_writes() -> None:
    assert header_bytes(METADATA, ()) == gguf_bytes(PLAIN)


def test_tensors_follow_each_other_padded(tmp_path: Path) -> None:
    layout = lay_out([("a", (5,), GgmlType.F32), ("b", (32, 3), GgmlType.Q8_0)])
    assert [(t.offset, t.n_bytes) for t in layout] == [(0, 20), (32, 102)]
    output = OutputFile(tmp_path / "m.gguf")
    output.write(header_bytes(METADATA, layout) + bytes(32 + 128))
    output.finish()
    header = read_header(tmp_path / "m.gguf")
    assert [(t.name, t.shape, t.type, t.offset) for t in header.tensors] == [
        ("a", (5,), GgmlType.F32, 0),
        ("b", (32, 3), GgmlType.Q8_0, 32),
    ]
    assert header.metadata["some.small"] == -3


def test_raw_arrays_are_copied_as_they_are() -> None:
    array = TypedArray(GgufType.INT32, 2, raw=b"\1\0\0\0\2\0\0\0")
    assert header_bytes({"a": array}, ()) == gguf_bytes({"a": Raw(INT32, [1, 2])})


def test_nothing_is_under_the_name_before_the_end(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    output = OutputFile(path)
    output.write(b"abc")
    assert not path.exists()
    output.finish()
    assert path.read_bytes() == b"abc"
    assert output.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert [p.name for p in tmp_path.iterdir()] == ["m.gguf"]


def test_a_discarded_file_leaves_nothing(tmp_path: Path) -> None:
    output = OutputFile(tmp_path / "m.gguf")
    output.write(b"abc")
    output.discard()
    output.discard()
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match=r"m\.gguf is there already"):
        OutputFile(path)
    assert path.read_bytes() == b"precious"


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    output = OutputFile(path)
    output.write(b"abc")
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="is there already"):
        output.finish()
    assert path.read_bytes() == b"precious"
    assert [p.name for p in tmp_path.iterdir()] == ["m.gguf"]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    first = OutputFile(tmp_path / "m.gguf")
    with pytest.raises(OutputError, match="is being written by another run"):
        OutputFile(tmp_path / "m.gguf")
    first.write(b"abc")
    first.finish()
    assert (tmp_path / "m.gguf").read_bytes() == b"abc"


def test_what_a_killed_writer_left_is_replaced(tmp_path: Path) -> None:
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from quantize.gguf_writer import OutputFile\n"
        "output = OutputFile(Path(sys.argv[1]))\noutput.write(bytes(100))\nos._exit(9)"
    )
    path = tmp_path / "m.gguf"
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert [p.name for p in tmp_path.iterdir()] == ["m.gguf" + gguf_writer.PARTIAL_SUFFIX]
    output = OutputFile(path)
    output.write(b"abc")
    output.finish()
    assert path.read_bytes() == b"abc"


def test_a_full_disk_says_so_and_leaves_nothing(small_disk: Path) -> None:
    output = OutputFile(small_disk / "m.gguf")
    with pytest.raises(OutputError, match=r"The disk is full: m\.gguf could not be finished"):
        output.write(bytes(2_000_000))
    output.discard()
    assert not list(small_disk.iterdir())


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        OutputFile(tmp_path / "file" / "m.gguf")
