"""Checkpoints that do not fit their config.json, and configs that are nonsense."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize import arch
from quantize.checkpoint import Checkpoint
from quantize.errors import CheckpointError, QuantizeError, UnsupportedError
from quantize.model import Weight
from tests.helpers import fake_checkpoint
from tests.helpers.fake_checkpoint import LLAMA, blank, llama_tensors
from tests.helpers.fuzz import fuzz

EXPECTED = json.loads(Path(__file__).with_name("expected").joinpath("arch.json").read_text())


def llama(folder: Path, **config: Any) -> Checkpoint:
    return fake_checkpoint.checkpoint(folder, {**LLAMA, **config}, llama_tensors())


def with_tensor(folder: Path, line: str) -> Checkpoint:
    named = {t.name: t for t in [*llama_tensors(), blank(line)]}
    return fake_checkpoint.checkpoint(folder, LLAMA, list(named.values()))


def understood(checkpoint: Checkpoint) -> tuple[Weight, ...]:
    family = arch.family_of(checkpoint)
    made = family.weights()
    arch.keys_of(family, made)
    return made


def weights(checkpoint: Checkpoint) -> list[str]:
    return [weight.name for weight in arch.family_of(checkpoint).weights()]


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "mamba"},
        {"architectures": ["LlamaForTokenClassification"]},
        {"model_type": "mistral", "architectures": ["Mistral3ForConditionalGeneration"]},
        {"model_type": "gemma3_text", "architectures": ["Gemma3TextModel"]},
    ],
)
def test_an_unknown_family_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    checkpoint = llama(tmp_path, **config)
    assert not arch.is_known(checkpoint.config)
    with pytest.raises(UnsupportedError) as caught:
        arch.convert(checkpoint)
    assert caught.value.hint is not None
    assert "official converter" in str(caught.value.hint)


def test_a_tensor_that_no_rule_knows_is_refused(tmp_path: Path) -> None:
    name = "model.layers.1.self_attn.sinks.weight"
    with pytest.raises(UnsupportedError, match=name):
        weights(with_tensor(tmp_path, f"{name} BF16 8"))


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.2.input_layernorm.weight",
        "model.layers.0.input_layernorm.scale",
        "model.layers.0.self_attn.q_proj",
        "modelXlayers.0.input_layernorm.weight",
        "model.layers.99999999999999999999.input_layernorm.weight",
        "model.layers.٣.input_layernorm.weight",
    ],
)
def test_names_that_only_look_alike_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(QuantizeError):
        weights(with_tensor(tmp_path, f"{name} BF16 8"))


@pytest.mark.parametrize(
    "name",
    [
        "model.layers.0.self_attn.rotary_emb.inv_freq",
        "transformer.h.0.attention.masked_bias",
        "vision_tower.encoder.layers.0.mlp.fc1.weight",
        "multi_modal_projector.mm_input_projection_weight",
    ],
)
def test_what_is_no_text_model_is_left_out(tmp_path: Path, name: str) -> None:
    checkpoint = with_tensor(tmp_path, f"{name} BF16 8")
    assert len(weights(checkpoint)) == len(llama_tensors())
    assert bool(arch.family_of(checkpoint).warnings()) == name.startswith(("vision", "multi"))


def test_two_names_for_one_tensor_are_refused(tmp_path: Path) -> None:
    name = "language_model.model.norm.weight"
    with pytest.raises(CheckpointError, match=r"output_norm\.weight"):
        weights(with_tensor(tmp_path, f"{name} BF16 8"))


@pytest.mark.parametrize(
    ("line", "found", "wanted"),
    [
        ("model.embed_tokens.weight BF16 15x8", "[15, 8]", "[16, 8]"),
        ("model.norm.weight BF16 9", "[9]", "[8]"),
        ("model.norm.weight BF16 1x8", "[1, 8]", "[8]"),
        ("model.layers.0.self_attn.k_proj.weight BF16 8x8", "[8, 8]", "[4, 8]"),
        ("model.layers.1.mlp.down_proj.weight BF16 12x8", "[12, 8]", "[8, 12]"),
        ("model.layers.1.mlp.down_proj.weight BF16 96", "[96]", "[8, 12]"),
        ("model.layers.1.mlp.down_proj.bias BF16 12", "[12]", "[8]"),
        ("lm_head.weight BF16 8x16", "[8, 16]", "[16, 8]"),
    ],
)
def test_a_wrong_shape_is_told_with_both(
    tmp_path: Path, line: str, found: str, wanted: str
) -> None:
    with pytest.raises(CheckpointError) as caught:
        weights(with_tensor(tmp_path, line))
    told = str(caught.value)
    assert f"model.safetensors: {line.split()[0]}" in told
    assert found in told
    assert wanted in told


def test_a_promised_bias_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"layers\.0\.self_attn\.q_proj\.bias"):
        weights(llama(tmp_path, attention_bias=True))


def test_an_output_matrix_may_only_lack_where_it_is_tied(tmp_path: Path) -> None:
    rest = [t for t in llama_tensors() if t.name != "lm_head.weight"]
    tied = fake_checkpoint.checkpoint(tmp_path, {**LLAMA, "tie_word_embeddings": True}, rest)
    assert "output.weight" not in weights(tied)
    with pytest.raises(CheckpointError, match=r"lm_head\.weight"):
        weights(fake_checkpoint.checkpoint(tmp_path, LLAMA, rest))


@pytest.mark.parametrize(
    "config",
    [
        {"num_attention_heads": 0},
        {"num_attention_heads": -2},
        {"num_attention_heads": 10**15},
        {"num_attention_heads": "2"},
        {"num_attention_heads": None},
        {"num_attention_heads": [2, 2]},
        {"num_attention_heads": 3},
        {"num_key_value_heads": 0},
        {"num_key_value_heads": 2.5},
        {"num_hidden_layers": 0},
        {"num_hidden_layers": 10**12},
        {"hidden_size": 0},
        {"hidden_size": {}},
        {"head_dim": 0},
        {"head_dim": 3, "num_attention_heads": 2},
        {"vocab_size": -1},
        {"vocab_size": True},
        {"intermediate_size": "wide"},
        {"max_position_embeddings": 2**40},
        {"max_position_embeddings": -1},
        {"rms_norm_eps": "small"},
        {"rms_norm_eps": 1e300},
        {"rope_theta": [1.0]},
        {"rope_scaling": "linear"},
        {"rope_scaling": [1]},
        {"rope_scaling": {"rope_type": 7}},
        {"rope_scaling": {"rope_type": "spiral", "factor": 2}},
        {
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": 4,
                "original_max_position_embeddings": "",
            }
        },
        {"rope_scaling": {"rope_type": "llama3", "factor": 0}},
        {"rope_scaling": {"rope_type": "llama3", "low_freq_factor": 4, "high_freq_factor": 4}},
        {"rope_scaling": {"rope_type": "llama3", "low_freq_factor": 0}},
    ],
)
def test_nonsense_in_the_config_is_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(QuantizeError):
        understood(llama(tmp_path, **config))


def test_a_gemma_3_with_capped_attention_is_refused(tmp_path: Path) -> None:
    case = EXPECTED["gemma-3-1b-it"]
    config = {**case["config"], "attn_logit_softcapping": 50.0}
    tensors = [blank(line) for line in case["source"]]
    family = arch.family_of(fake_checkpoint.checkpoint(tmp_path, config, tensors))
    with pytest.raises(UnsupportedError):
        arch.keys_of(family, ())


def test_models_that_do_not_write_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "Qwen3-Reranker-0.6B"
    folder.mkdir()
    case = EXPECTED["Qwen3-0.6B"]
    tensors = [blank(line) for line in case["source"]]
    family = arch.family_of(fake_checkpoint.checkpoint(folder, case["config"], tensors))
    with pytest.raises(UnsupportedError):
        arch.keys_of(family, ())


@pytest.mark.parametrize(
    ("modules", "error"),
    [
        ([{"type": "sentence_transformers.models.Pooling"}], UnsupportedError),
        ({}, CheckpointError),
        ([1, {"type": 2}], None),
    ],
)
def test_models_that_embed_are_refused(
    tmp_path: Path, modules: object, error: type[QuantizeError] | None
) -> None:
    case = EXPECTED["Qwen2.5-0.5B-Instruct"]
    tensors = [blank(line) for line in case["source"]]
    family = arch.family_of(fake_checkpoint.checkpoint(tmp_path, case["config"], tensors))
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    if error is None:
        assert arch.keys_of(family, ())
        return
    with pytest.raises(error):
        arch.keys_of(family, ())


def test_gemma_3_counts_its_tokens(tmp_path: Path) -> None:
    case = EXPECTED["gemma-3-1b-it"]
    tensors = [blank(line) for line in case["source"]]
    family = arch.family_of(fake_checkpoint.checkpoint(tmp_path, case["config"], tensors))
    tokenizer = {"model": {"vocab": {f"t{i}": i for i in range(300)}}, "added_tokens": [{}, {}]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    (embedding,) = (w for w in family.weights() if w.name == "token_embd.weight")
    assert embedding.shape == (64, 302)
    assert embedding.rows.n_rows == 302
    (tmp_path / "tokenizer.json").write_text('{"model": []}')
    with pytest.raises(CheckpointError):
        family.weights()


# Whatever config.json says, only our own errors come out

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 400)
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "llama3", "yarn", "longrope", "linear", "default", "12", 1e308, 1e-320])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "rope_type",
                    "type",
                    "factor",
                    "low_freq_factor",
                    "high_freq_factor",
                    "original_max_position_embeddings",
                    "rope_theta",
                    "long_factor",
                    "short_factor",
                    "partial_rotary_factor",
                    "full_attention",
                    "sliding_attention",
                    "mrope_section",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=6,
)
keys = st.sampled_from(
    [
        *(key for case in EXPECTED.values() for key in case["config"]),
        "head_dim",
        "rope_scaling",
        "rope_parameters",
        "rope_theta",
        "partial_rotary_factor",
        "num_experts",
        "scoring_func",
        "n_group",
        "layer_types",
        "is_causal",
        "rope_local_base_freq",
    ]
)


@fuzz
@given(st.sampled_from(sorted(EXPECTED)), st.dictionaries(keys, values, max_size=3))
def test_only_our_errors_leave_mutated_configs(name: str, changes: dict[str, Any]) -> None:
    case = EXPECTED[name]
    tensors = [blank(line) for line in case["source"]]
    config = {**case["config"], **changes}
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = understood(fake_checkpoint.checkpoint(Path(folder), config, tensors))
        except QuantizeError:
            return
    for weight in made:
        weight.rows.read(0, weight.rows.n_rows)


def test_an_untied_gemma_is_refused(tmp_path: Path) -> None:
    case = EXPECTED["gemma-2b"]
    config = {**case["config"], "tie_word_embeddings": False}
    tensors = [blank(line) for line in case["source"]]
    with pytest.raises(UnsupportedError, match="tie_word_embeddings"):
        understood(fake_checkpoint.checkpoint(tmp_path, config, tensors))
