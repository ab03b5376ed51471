"""Models in several files seen as one, and headers read from elsewhere than a file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from quantize.errors import GgufError
from quantize.gguf_header import ArrayRef, read_header, read_header_from
from quantize.gguf_reader import Reader
from quantize.gguf_split import join_parts, part_paths, read_model
from tests.helpers import gguf_files
from tests.helpers.gguf_files import split_model


@dataclass(frozen=True)
class Prefix:
    """The first bytes of a file of `size_bytes`, as a server gives them."""

    data: bytes
    size_bytes: int
    path: Path = Path("far.gguf")

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        yield Reader(io.BytesIO(self.data), self.path, self.size_bytes)


def test_a_header_from_its_first_bytes_alone(tmp_path: Path) -> None:
    path = gguf_files.valid_model(tmp_path / "model.gguf")
    local = read_header(path)
    data = path.read_bytes()
    far = read_header_from(Prefix(data[: local.data_offset], len(data)))
    assert far.tensors == local.tensors
    assert (far.path, far.file_size_bytes) == (Path("far.gguf"), len(data))
    tokens = far.metadata["tokenizer.ggml.tokens"]
    assert isinstance(tokens, ArrayRef)
    assert tokens.read() == ["<s>", "a", "Ġb", ""]


def test_first_bytes_that_are_too_few(tmp_path: Path) -> None:
    data = gguf_files.valid_model(tmp_path / "model.gguf").read_bytes()
    with pytest.raises(GgufError, match=r"far\.gguf is damaged: it ends early"):
        read_header_from(Prefix(data[:100], len(data)))
    with pytest.raises(GgufError, match="it ends early"):
        read_header_from(Prefix(data, len(data) - 100))


def test_a_whole_model_from_any_of_its_parts(tmp_path: Path) -> None:
    paths = split_model(tmp_path)
    for path in paths:
        model = read_model(path)
        assert [tensor.name for tensor in model.tensors] == ["blk.0.t", "blk.1.t", "blk.2.t"]
        assert (model.architecture, model.n_params, model.tensor_bytes) == ("llama", 24, 96)
        assert model.file_size_bytes == sum(part.stat().st_size for part in paths)


def test_a_model_in_one_file_is_itself(tmp_path: Path) -> None:
    path = gguf_files.valid_model(tmp_path / "model.gguf")
    assert read_model(path) == read_header(path)
    assert part_paths(path) == (path,)
    assert part_paths(tmp_path / "m-00004-of-00003.gguf") == (tmp_path / "m-00004-of-00003.gguf",)
    assert len(part_paths(tmp_path / "m-00001-of-99999.gguf")) == 1


def test_a_part_that_is_missing(tmp_path: Path) -> None:
    paths = split_model(tmp_path)
    paths[1].unlink()
    with pytest.raises(GgufError, match=r"m-Q8_0-00002-of-00003\.gguf is not there"):
        read_model(paths[0])


def test_a_part_under_another_name(tmp_path: Path) -> None:
    first = split_model(tmp_path)[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(GgufError, match="is one of 3 parts, and 1 are here") as caught:
        read_model(first)
    assert "under the names they came with" in str(caught.value.hint)


def test_parts_that_do_not_belong_together(tmp_path: Path) -> None:
    headers = [read_header(path) for path in split_model(tmp_path)]
    for wrong in (headers[::-1], [headers[0]] * 3):
        with pytest.raises(GgufError, match="is damaged"):
            join_parts(wrong)
    with pytest.raises(GgufError, match="is one of 3 parts, and 2 are here"):
        join_parts(headers[:2])


def test_tensors_that_are_missing_from_all_parts(tmp_path: Path) -> None:
    paths = split_model(tmp_path, **{"split.tensors.count": 4})
    with pytest.raises(GgufError, match="is damaged") as caught:
        read_model(paths[0])
    assert caught.value.detail == "3 tensors of 4, double: []"
