"""A file whose weights are no numbers: said when it is loaded, in one sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from app.core.errors import ModelFileError
from app.engine.client import BlockingEngine
from app.engine.protocol import Load
from quantize.gguf_header import read_header
from tests.helpers.asking import ask, request


def broken_copy(starter: Path, path: Path, name: str, values: dict[int, float]) -> Path:
    """The starter with some values of its F32 tensor `name` replaced."""
    header = read_header(starter)
    tensor = next(tensor for tensor in header.tensors if tensor.name == name)
    data = bytearray(starter.read_bytes())
    for index, value in values.items():
        struct.pack_into("<f", data, header.data_offset + tensor.offset + 4 * index, value)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("output_norm.weight", dict.fromkeys(range(576), float("nan"))),
        ("blk.3.attn_norm.weight", {0: float("nan")}),
        ("output_norm.weight", dict.fromkeys(range(576), float("inf"))),
    ],
)
def test_weights_that_are_no_numbers_are_one_sentence(
    own_engine: BlockingEngine,
    starter_path: Path,
    tmp_path: Path,
    name: str,
    values: dict[int, float],
) -> None:
    path = broken_copy(starter_path, tmp_path / "broken.gguf", name, values)
    with pytest.raises(ModelFileError, match="numbers are broken") as caught:
        own_engine.load(Load(str(path), n_ctx=512))
    assert "another variant" in str(caught.value.hint)
    own_engine.load(Load(str(starter_path), n_ctx=512))
    assert ask(own_engine, request("Hello", max_tokens=3)).done.n_generated == 3
