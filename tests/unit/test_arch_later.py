"""Families whose numbers are compared in tests/native/test_identity.py: what else can go wrong.

The checkpoints are those of that test, with blanks for weights.
"""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize import arch
from quantize.arch.gpt_oss import Transposed
from quantize.arch.qwen3_5 import dealt_out
from quantize.checkpoint import Checkpoint
from quantize.errors import CheckpointError, QuantizeError, UnsupportedError
from quantize.model import MetadataValue, Weight
from quantize.rows import Held
from quantize.tensors import Tensor
from quantize.types import GgmlType
from tests.helpers import checkpoints, fake_checkpoint
from tests.helpers.checkpoint_shapes import SHAPES
from tests.helpers.fuzz import fuzz

NAMES = (
    *("Qwen3-tiny-A1", "Mixtral-8x1-tiny", "gpt-oss-bf16", "LFM2-tiny", "GLM-4-tiny"),
    *("EXAONE-4.0-tiny", "c4ai-command-tiny", "Qwen3.5-tiny", "Qwen3.5-tiny-A1"),
    *("Qwen3-Next-tiny-A1-Instruct", "gemma-4-tiny-E1B-it", "gemma-4-tiny-A1"),
)


def blanks(name: str) -> dict[str, Tensor]:
    case = checkpoints.CASES[name]
    tensors = {}
    for key, shape in SHAPES[case.family](case.config).items():
        rows = Held(np.zeros((math.prod(shape[:-1]), shape[-1]), np.float32))
        tensors[key] = Tensor(key, shape, GgmlType.BF16, rows, f"model.safetensors: {key}")
    return tensors


def fake(folder: Path, name: str, tensors: dict[str, Tensor], **changes: Any) -> Checkpoint:
    config = json.loads(json.dumps(checkpoints.CASES[name].config))
    inner = config.get("text_config", config)
    inner.update(changes)
    return fake_checkpoint.checkpoint(folder, config, list(tensors.values()))


def understood(
    checkpoint: Checkpoint,
) -> tuple[tuple[Weight, ...], dict[str, MetadataValue]]:
    family = arch.family_of(checkpoint)
    weights = family.weights()
    return weights, arch.keys_of(family, weights)


@pytest.mark.parametrize("name", NAMES)
def test_every_missing_tensor_is_refused(name: str, tmp_path: Path) -> None:
    whole = blanks(name)
    family = arch.family_of(fake(tmp_path, name, whole))
    for key in whole:
        if family.plain_name(key) is None:
            continue
        rest = {other: tensor for other, tensor in whole.items() if other != key}
        with pytest.raises(CheckpointError) as caught:
            arch.family_of(fake(tmp_path, name, rest)).weights()
        assert "missing" in str(caught.value), key


@pytest.mark.parametrize("name", NAMES)
def test_every_wrong_shape_is_refused(name: str, tmp_path: Path) -> None:
    whole = blanks(name)
    family = arch.family_of(fake(tmp_path, name, whole))
    for key, tensor in whole.items():
        if family.plain_name(key) is None:
            continue
        wide = (*tensor.shape[:-1], tensor.shape[-1] + 2)
        rows = Held(np.zeros((tensor.rows.n_rows, wide[-1]), np.float32))
        changed = {**whole, key: Tensor(key, wide, tensor.type, rows, tensor.origin)}
        with pytest.raises(CheckpointError, match="has the shape"):
            arch.family_of(fake(tmp_path, name, changed)).weights()


KEYS = sorted(
    {
        key
        for name in NAMES
        for values in (checkpoints.CASES[name].config,)
        for key in (*values, *values.get("text_config", {}))
        if key not in ("architectures", "model_type", "text_config")
    }
    | {"per_layer_config", "full_attention_interval", "num_key_value_heads", "conv_L_cache"}
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.integers(-3, 9)
    | st.floats()
    | st.sampled_from(["", "full_attention", "linear_attention", "conv", "yarn", "all"])
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["full_attention", "rope_type", "partial_rotary_factor", "0", "1", "head_dim"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
WHOLE = {name: blanks(name) for name in NAMES}


@fuzz
@given(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(KEYS), values, max_size=3))
def test_only_our_errors_leave_mutated_configs(name: str, changes: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            weights, _ = understood(fake(Path(folder), name, WHOLE[name], **changes))
        except QuantizeError:
            return
        for weight in weights:
            weight.rows.read(0, min(3, weight.rows.n_rows))


def test_a_bias_that_is_not_zero_is_refused(tmp_path: Path) -> None:
    name = "c4ai-command-tiny"
    key = "model.layers.0.self_attn.q_proj.bias"
    zero = fake_checkpoint.tensor(key, np.zeros(256))
    weights, _ = understood(fake(tmp_path, name, {**blanks(name), key: zero}))
    assert not any(weight.name.endswith(".bias") for weight in weights)
    one = fake_checkpoint.tensor(key, np.ones(256))
    with pytest.raises(UnsupportedError, match="not zero"):
        understood(fake(tmp_path, name, {**blanks(name), key: one}))


def test_a_qwen_without_further_layers_is_whole(tmp_path: Path) -> None:
    name = "Qwen3-Next-tiny-A1-Instruct"
    rest = {key: tensor for key, tensor in blanks(name).items() if not key.startswith("mtp.")}
    weights, keys = understood(fake(tmp_path, name, rest))
    assert not any("nextn" in key for key in [*keys, *(weight.name for weight in weights)])


def test_heads_are_dealt_out() -> None:
    assert dealt_out(2, 6, 1).tolist() == [0, 3, 1, 4, 2, 5]
    assert dealt_out(2, 4, 2).tolist() == [0, 1, 4, 5, 2, 3, 6, 7]


def test_transposed_matrices_are_read_by_rows() -> None:
    stack = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    rows = Transposed(Held(stack.reshape(6, 4)), 2)
    expected = stack.swapaxes(1, 2).reshape(8, 3)
    assert (rows.n_rows, rows.n_cols) == (8, 3)
    for start in range(8):
        for stop in range(start + 1, 9):
            assert np.array_equal(rows.read(start, stop), expected[start:stop])
