"""Headers of strangers: whatever their numbers say, a shape comes out, or GgufError."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.fit import Use, plan, shape_of
from app.core.fit.keys import MAX_LAYERS, Keys
from app.core.fit.plan import Fit
from app.core.fit.planned import plan_files, shape_planned, suggest
from app.core.fit.windows import windows_of
from app.core.hardware import Cpu, Hardware
from quantize.errors import GgufError
from quantize.gguf_header import read_header
from quantize.job import Job
from quantize.model import Typed, TypedArray
from quantize.numbers import numbers_of
from quantize.types import GgufType
from tests.helpers import gguf_files
from tests.helpers.fake_quantizer import plan_for
from tests.helpers.fuzz import fuzz

ROOMY = Hardware(Cpu(""), 64 << 30, 64 << 30, 0)
_NAMES = (
    *("block_count", "embedding_length", "feed_forward_length", "attention.head_count"),
    *("attention.head_count_kv", "attention.key_length", "attention.value_length"),
    *("attention.sliding_window", "attention.sliding_window_pattern", "expert_count"),
    *("expert_used_count", "ssm.conv_kernel", "ssm.inner_size", "ssm.state_size"),
    *("shortconv.l_cache", "nextn_predict_layers", "attention.shared_kv_layers"),
    *("context_length", "full_attention_interval", "attention.key_length_mla"),
)
_ARCHITECTURES = ("llama", "gemma3", "gemma4", "qwen35", "lfm2", "mamba", "deepseek2", "nobody")
_VALUES = (
    st.integers(-(2**31), 2**64 - 1)
    | st.floats(allow_nan=False, width=32)
    | st.text(max_size=8)
    | st.booleans()
    | st.lists(st.integers(-5, 2**31 - 1), max_size=70)
    | st.lists(st.booleans(), max_size=70)
    | st.lists(st.text(max_size=3), max_size=5)
)


@fuzz
@given(st.sampled_from(_ARCHITECTURES), st.dictionaries(st.sampled_from(_NAMES), _VALUES))
def test_any_numbers_make_a_shape(architecture: str, values: dict[str, object]) -> None:
    keys = Keys(
        architecture,
        {
            f"{architecture}.{name}": tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        },
    )
    assert 0 <= keys.n_layers <= MAX_LAYERS
    for name in _NAMES:
        assert keys.number(name) >= 0
        assert len(keys.per_layer(name)) == keys.n_layers
    assert len(windows_of(keys)) == keys.n_layers


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"llama.block_count": 4_000_000_000},
        {"llama.block_count": 2, "llama.nextn_predict_layers": 7},
        {"llama.block_count": "two"},
        {"llama.attention.head_count": [0, 0], "llama.block_count": 2},
        {"llama.embedding_length": 2**63, "llama.block_count": 1},
        {"general.architecture": "no such"},
    ],
)
def test_a_sound_file_with_odd_numbers_can_be_planned(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    metadata = {**gguf_files.METADATA, **changes}
    path = gguf_files.write_gguf(tmp_path / "odd.gguf", metadata, gguf_files.TENSORS)
    planned = plan(shape_of(read_header(path)), Use(4096), ROOMY)
    assert planned.total_bytes > 0


def test_a_file_that_is_gone_is_a_gguf_error(tmp_path: Path) -> None:
    metadata = {
        **gguf_files.METADATA,
        "llama.block_count": 1,
        "llama.attention.head_count": [4],
    }
    path = gguf_files.write_gguf(tmp_path / "gone.gguf", metadata, gguf_files.TENSORS)
    header = read_header(path)
    path.unlink()
    with pytest.raises(GgufError):
        shape_of(header)


def test_one_number_for_all_layers_or_one_for_each() -> None:
    keys = Keys("a", {"a.block_count": 3, "a.heads": 4, "a.each": (1, 2), "a.flag": True})
    assert keys.per_layer("heads") == (4, 4, 4)
    assert keys.per_layer("each") == (1, 2, 0)
    assert keys.number("each") == 1
    assert keys.number("flag", 7) == 7


# --- files that are only planned --------------------------------------------------------------


def test_numbers_of_metadata() -> None:
    found = dict(
        numbers_of(
            {
                "a.n": Typed(GgufType.UINT32, 3),
                "a.name": Typed(GgufType.STRING, "x"),
                "a.each": TypedArray(GgufType.INT32, 2, raw=b"\1\0\0\0\2\0\0\0"),
                "a.flags": TypedArray(GgufType.BOOL, 2, [True, False]),
                "a.words": TypedArray(GgufType.STRING, 2, ["x", "y"]),
                "a.scores": TypedArray(GgufType.FLOAT32, 1, [0.5]),
            }
        )
    )
    assert found == {"a.n": 3, "a.each": (1, 2), "a.flags": (1, 0), "a.words": 2}


def test_a_planned_file_keeps_what_its_projections_make() -> None:
    """Without numbers: 36 layers of 1024 keys and as many values."""
    made = plan_for(Job(source="x", types=("Q4_K_M",), out_dir="y"))
    shape = shape_planned(made, made.files[0])
    assert len(shape.layers) == 36
    assert {(layer.k_width, layer.v_width) for layer in shape.layers} == {(1024, 1024)}
    planned = plan_files(made, 4096)["Q4_K_M"]
    assert planned.kv_bytes == 36 * 4096 * 2 * 1024 * 2
    assert planned.free_bytes == made.memory_free_bytes


def test_suggested_are_the_largest_with_room_and_the_usual_one() -> None:
    fits = {"Q8_0": Fit.TIGHT, "Q6_K": Fit.FITS, "Q5_K_M": Fit.FITS, "Q4_K_M": Fit.FITS}
    assert suggest(fits) == ("Q6_K", "Q4_K_M")
    assert suggest({"Q8_0": Fit.DOES_NOT_FIT, "Q6_K": Fit.TIGHT, "Q2_K": Fit.TIGHT}) == ("Q2_K",)
    assert suggest({"Q8_0": Fit.DOES_NOT_FIT}) == ()
