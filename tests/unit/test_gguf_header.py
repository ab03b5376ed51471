"""GGUF headers: what is read from sound files, and what is said about the others."""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantize import gguf_reader
from quantize.errors import GgufError
from quantize.gguf_header import ArrayRef, read_header
from quantize.types import REMOVED_TYPES, GgmlType, GgufType
from tests.helpers import gguf_files
from tests.helpers.gguf_files import F32, Tensor, Typed, write_gguf

AGAIN = "Download it again, or copy it again from where it came."


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def refused(path: Path) -> GgufError:
    with pytest.raises(GgufError) as caught:
        read_header(path)
    assert caught.value.path == path
    return caught.value


def array(path: Path, key: str) -> ArrayRef:
    value = read_header(path).metadata[key]
    assert isinstance(value, ArrayRef)
    return value


# Sound files


def test_facts_of_a_sound_file(path: Path) -> None:
    header = read_header(gguf_files.valid_model(path))
    assert header.version == 3
    assert header.architecture == "llama"
    assert header.name == "Tiny Test"
    assert header.variant == "Q4_0"
    assert header.n_ctx_train == 512
    assert header.chat_template.startswith("{% for m in messages %}")
    assert header.alignment == 32
    assert header.split_count == 1
    assert header.file_size_bytes == path.stat().st_size
    assert header.metadata["tokenizer.ggml.add_bos_token"] is False
    assert header.metadata["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)


def test_tensors_of_a_sound_file(path: Path) -> None:
    header = read_header(gguf_files.valid_model(path))
    assert [(t.name, t.type, t.shape, t.offset, t.n_bytes) for t in header.tensors] == [
        ("blk.0.attn_q.weight", GgmlType.Q4_0, (32, 3), 0, 54),
        ("output_norm.weight", GgmlType.F32, (5,), 64, 20),
        ("token_embd.weight", GgmlType.F32, (8, 4), 96, 128),
    ]
    assert header.n_params == 96 + 5 + 32
    assert header.tensor_bytes == 54 + 20 + 128
    assert header.bpw == pytest.approx(8 * 202 / 133)
    data = path.read_bytes()[header.data_offset :]
    assert data[:54] == bytes(range(54))


def test_arrays_are_read_when_asked_for(path: Path) -> None:
    gguf_files.valid_model(path)
    tokens = array(path, "tokenizer.ggml.tokens")
    assert (tokens.type, tokens.count) == (GgufType.STRING, 4)
    assert tokens.read() == ["<s>", "a", "Ġb", ""]
    assert array(path, "tokenizer.ggml.token_type").read() == [3, 1, 1, 1]


def test_arrays_longer_than_the_window(path: Path) -> None:
    chunk = gguf_reader._CHUNK_BYTES
    words = ["w" * (n % 50) for n in range(20_000)] + ["x" * (2 * chunk), "é"]
    numbers = list(range(100_000))
    write_gguf(path, {"words": words, "numbers": numbers, "last": "here"})
    assert read_header(path).text("last") == "here"
    assert array(path, "words").read() == words
    assert array(path, "numbers").read() == numbers


def test_text_that_is_not_utf8_is_replaced(path: Path) -> None:
    write_gguf(path, {"one": b"a\xff", "many": [b"ok", b"\xe2\x28"]})
    assert read_header(path).text("one") == "a\ufffd"
    assert array(path, "many").read() == ["ok", "\ufffd("]


def test_version_2_and_no_tensors(path: Path) -> None:
    path.write_bytes(gguf_files.preamble(0, 1, version=2) + gguf_files.key_value("a", 1))
    header = read_header(path)
    assert (header.version, header.tensors, header.variant, header.bpw) == (2, (), "", 0.0)


def test_alignment_of_its_own(path: Path) -> None:
    header = read_header(write_gguf(path, {"general.alignment": 4096}, gguf_files.TENSORS))
    assert header.data_offset == 4096
    assert [t.offset for t in header.tensors] == [0, 4096, 8192]


def test_padding_after_the_last_tensor_may_be_missing(path: Path) -> None:
    data = gguf_files.gguf_bytes({}, (Tensor("t", F32, (1,), bytes(4)),))
    path.write_bytes(data[:-28])
    assert read_header(path).tensor_bytes == 4


def test_split_file_says_how_many(path: Path) -> None:
    assert read_header(write_gguf(path, {"split.count": 3})).split_count == 3


def test_facts_of_the_wrong_type_are_missing(path: Path) -> None:
    header = read_header(
        write_gguf(
            path,
            {
                "general.architecture": 7,
                "general.name": ["a"],
                "general.file_type": "Q4_K_M",
                "split.count": True,
            },
        )
    )
    assert (header.architecture, header.name, header.variant) == ("", "", "")
    assert (header.split_count, header.n_ctx_train, header.chat_template) == (1, 0, "")


def test_name_is_one_printable_line(path: Path) -> None:
    name = " Nice\n\tmodel\u202e\x00 " + "x" * 5000
    header = read_header(write_gguf(path, {"general.name": name}))
    assert header.name.startswith("Nice model xxx")
    assert len(header.name) == 120


@pytest.mark.parametrize(
    ("file_type", "variant"),
    [(0, "F32"), (15, "Q4_K_M"), (30, "IQ4_XS"), (38, "MXFP4_MOE"), (999, "Q4_0"), (None, "Q4_0")],
)
def test_variant(path: Path, file_type: int | None, variant: str) -> None:
    metadata = {} if file_type is None else {"general.file_type": file_type}
    assert read_header(write_gguf(path, metadata, gguf_files.TENSORS)).variant == variant


scalars = st.one_of(
    st.text(max_size=30),
    st.booleans(),
    st.integers(-(2**31), 2**64 - 1),
    st.floats(width=32, allow_nan=False),
    st.builds(Typed, st.just(gguf_files.INT64), st.integers(-(2**63), 2**63 - 1)),
    st.builds(Typed, st.just(gguf_files.FLOAT64), st.floats(allow_nan=False)),
    st.builds(Typed, st.just(gguf_files.UINT8), st.integers(0, 255)),
)
arrays = st.one_of(
    st.lists(st.text(max_size=10)),
    st.lists(st.booleans()),
    st.lists(st.integers(0, 2**32 - 1)),
    st.builds(Typed, st.just(gguf_files.INT32), st.lists(st.integers(-9, 9))),
    st.builds(Typed, st.just(gguf_files.FLOAT64), st.lists(st.floats(allow_nan=False))),
)
metadata_dicts = st.dictionaries(
    st.text(min_size=1, max_size=20).map(lambda key: "k." + key), st.one_of(scalars, arrays)
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("round") / "trip.gguf"


@given(metadata=metadata_dicts)
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_metadata_round_trip(fuzzed: Path, metadata: dict[str, object]) -> None:
    header = read_header(write_gguf(fuzzed, metadata, gguf_files.TENSORS))
    got = {k: v.read() if isinstance(v, ArrayRef) else v for k, v in header.metadata.items()}
    assert got == {k: v.value if isinstance(v, Typed) else v for k, v in metadata.items()}
    assert len(header.tensors) == 3


# Files that end early


@pytest.mark.parametrize(
    ("fraction", "have"), [(0.1, "4 of 40"), (0.5, "20 of 40"), (0.99, "39.7 of 40.1")]
)
def test_cut_file_says_how_much_is_there(tmp_path: Path, fraction: float, have: str) -> None:
    whole = write_gguf(
        tmp_path / "whole.gguf", {"a": 1}, (Tensor("t", F32, (100, 100), bytes(40_000)),)
    )
    error = refused(gguf_files.cut(whole, tmp_path / "part.gguf", fraction))
    assert str(error) == f"part.gguf is damaged: it ends early ({have} KB)."
    assert str(error.hint) == AGAIN
    assert re.fullmatch(r"40096 bytes expected, \d+ there", error.detail)


def test_last_byte_missing_is_told_apart(path: Path) -> None:
    write_gguf(path, {"a": 1}, (Tensor("t", F32, (8,), bytes(32)),))
    path.write_bytes(path.read_bytes()[:-1])
    assert str(refused(path)) == "model.gguf is damaged: it ends early (127 of 128 bytes)."


def test_decimals_grow_until_the_sizes_differ(path: Path) -> None:
    info = gguf_files.tensor_info("t", (25_000_000,), F32, 0)
    path.write_bytes(gguf_files.preamble(1, 0) + info)
    os.truncate(path, 99_900_000)
    assert str(refused(path)) == "model.gguf is damaged: it ends early (99.9 of 100.0 MB)."


def test_cut_within_the_header(path: Path) -> None:
    gguf_files.valid_model(path)
    os.truncate(path, 100)
    error = refused(path)
    assert str(error) == "model.gguf is damaged: it ends early, within its description."
    assert error.detail == "ends after 100 bytes"


def test_array_that_vanished_since(path: Path) -> None:
    gguf_files.valid_model(path)
    tokens = array(path, "tokenizer.ggml.tokens")
    os.truncate(path, 100)
    with pytest.raises(GgufError, match="it ends early"):
        tokens.read()


def test_array_that_changed_since(path: Path) -> None:
    gguf_files.valid_model(path)
    tokens = array(path, "tokenizer.ggml.tokens")
    path.write_bytes(b"\xff" * path.stat().st_size)
    with pytest.raises(GgufError, match="is damaged"):
        tokens.read()


def test_file_that_shrinks_while_it_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gguf(path, {"a": "x" * 2 * gguf_reader._CHUNK_BYTES})
    take = gguf_reader.Reader.fields

    def fields(reader: gguf_reader.Reader, layout: struct.Struct) -> tuple[object, ...]:
        os.truncate(path, 4000)
        return take(reader, layout)

    monkeypatch.setattr(gguf_reader.Reader, "fields", fields)
    assert "ends early" in str(refused(path))


# Files that are something else


@pytest.mark.parametrize(
    ("head", "hint"),
    [
        (b"\x89PNG\r\n\x1a\n", "This looks like a PNG picture;"),
        (b"\xff\xd8\xff\xe0", "This looks like a JPEG picture;"),
        (b"%PDF-1.7", "This looks like a PDF document;"),
        (b"PK\x03\x04" + bytes(40), "This looks like a zip archive;"),
        (b"PK\x03\x04" + bytes(26) + b"archive/data.pkl", "This looks like a PyTorch file,"),
        (b"\x80\x02\x8a\nl\xfc", "This looks like a PyTorch file,"),
        (b"\n <!DOCTYPE html><html>", "This looks like a web page,"),
        (b"\xef\xbb\xbf<HTML>", "This looks like a web page,"),
        (b"version https://git-lfs.github.com/spec/v1\n", "This is a Git LFS pointer"),
        (struct.pack("<Q", 40) + b'{"__metadata__"', "This looks like original weights"),
        (b"tjgg\x03\0\0\0", "This is from before GGUF"),
        (bytes(4096), "It holds zeros,"),
        (b"Entry not found", "Models for Nibble end in .gguf"),
        (b"gg", "Models for Nibble end in .gguf"),
    ],
)
def test_other_files_are_recognised(path: Path, head: bytes, hint: str) -> None:
    path.write_bytes(head)
    error = refused(path)
    assert str(error) == "model.gguf is not a GGUF file."
    assert str(error.hint).startswith(hint)


def test_empty_file(path: Path) -> None:
    path.touch()
    error = refused(path)
    assert (str(error), str(error.hint)) == ("model.gguf is empty.", AGAIN)


@pytest.mark.parametrize("head", [b"G", b"GGU", b"GGUF", b"GGUF\x03\0"])
def test_first_letters_only(path: Path, head: bytes) -> None:
    path.write_bytes(head)
    assert "it ends early" in str(refused(path))


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (0, "is damaged"),
        (1, "is in the first form of GGUF"),
        (4, "is in a newer form of GGUF"),
        (0x03000000, "is made for big-endian computers"),
    ],
)
def test_other_versions(path: Path, version: int, words: str) -> None:
    path.write_bytes(gguf_files.preamble(0, 0, version) + bytes(64))
    assert words in str(refused(path))


@pytest.mark.parametrize("type_id", REMOVED_TYPES)
def test_removed_types_are_named(path: Path, type_id: int) -> None:
    write_gguf(path, {}, (Tensor("t", type_id, (32,), bytes(18)),))
    error = refused(path)
    assert str(error).startswith(f"model.gguf is a {REMOVED_TYPES[type_id]} file, which")
    assert str(error.hint) == "Get a newer file of the same model."


def test_unknown_type_may_be_a_newer_one(path: Path) -> None:
    error = refused(write_gguf(path, {}, (Tensor("t", 43, (32,), bytes(18)),)))
    assert str(error) == "model.gguf is damaged, or of a kind newer than this Nibble."
    assert error.detail == "tensor 't' has the unknown type 43"


# Places that cannot be read


def test_missing_file(path: Path) -> None:
    assert str(refused(path)) == "model.gguf is not there."


def test_below_a_file(path: Path) -> None:
    path.touch()
    assert str(refused(path / "x.gguf")) == "x.gguf is not there."


def test_name_with_a_nul() -> None:
    assert "is not there" in str(refused(Path("a\0.gguf")))


def test_folder(tmp_path: Path) -> None:
    error = refused(tmp_path)
    assert str(error).endswith("is a folder, not a model file.")


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe has no name in the file system there")
def test_named_pipe_does_not_block(path: Path) -> None:
    os.mkfifo(path)
    assert str(refused(path)) == "model.gguf is not an ordinary file."


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs a name that is no valid Unicode")
def test_name_that_is_not_unicode_can_be_printed(tmp_path: Path) -> None:
    str(refused(tmp_path / "a\udcff.gguf")).encode("utf-8")


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EACCES, "You are not allowed to read model.gguf."),
        (errno.EIO, "model.gguf cannot be read."),
    ],
)
def test_system_refuses(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """Simulated, for permissions do not bind the superuser whom tests may run as."""

    def refuse(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    gguf_files.valid_model(path)
    monkeypatch.setattr(Path, "open", refuse)
    error = refused(path)
    assert str(error) == words
    assert os.strerror(number) in error.detail
