"""The catalogue that ships, and what its check refuses."""

from __future__ import annotations

import contextlib
import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resources
from app.core.catalog import FileKind, catalog_date, find_model, load_catalog
from app.core.catalog_file import read_catalog
from app.core.catalog_model import GOOD_FOR
from tests.helpers.fuzz import fuzz

CONTENT = resources.path("catalog.json").read_bytes()


def changed(change: Any) -> bytes:
    """The catalogue's first two models, after `change` was made to them."""
    catalog = json.loads(CONTENT)
    catalog["models"] = deepcopy(catalog["models"][:2])
    change(catalog)
    return json.dumps(catalog).encode()


def test_catalog_is_as_large_as_it_should_be() -> None:
    models = load_catalog()
    assert len(models) >= 40
    assert models[0].n_params < 200_000_000
    assert models[-1].n_params > 100_000_000_000
    assert len(CONTENT) < 600_000
    assert catalog_date() == "2026-08-22"


def test_every_model_has_a_variant_to_take() -> None:
    for model in load_catalog():
        variants = {file.variant for file in model.files if file.kind is FileKind.QUANTIZED}
        is_original = model.files[0].kind is FileKind.ORIGINAL
        assert is_original or {"Q8_0", "Q4_K_M"} <= variants, model.id


def test_every_word_for_what_models_are_good_for_is_used() -> None:
    assert {model.good_for for model in load_catalog()} == set(GOOD_FOR)


def test_no_file_is_pinned_to_a_branch() -> None:
    for model in load_catalog():
        for file in (*model.files, *([model.mmproj] if model.mmproj else [])):
            assert len(file.commit) in (0, 40)


def test_layers_that_keep_nothing_or_little_are_told_apart() -> None:
    qwen = find_model("qwen3.5-9b")
    assert qwen is not None
    assert qwen.geometry.others_are_recurrent
    assert qwen.geometry.n_full_layers * 4 == qwen.geometry.n_layers
    gemma = find_model("gemma-3-12b-it")
    assert gemma is not None
    assert gemma.geometry.window == 1024
    assert gemma.geometry.n_full_layers == 8


@pytest.mark.parametrize(
    "name",
    [
        "llama-3.3-70b-instruct",
        "Llama 3.3 70B",
        "LLAMA 3.3 70b ",
        "meta-llama/Llama-3.3-70B-Instruct",
        "bartowski/Llama-3.3-70B-Instruct-GGUF",
        "https://huggingface.co/meta-llama/Llama-3.3-70B-Instruct/",
    ],
)
def test_models_are_found_by_id_name_and_repository(name: str) -> None:
    model = find_model(name)
    assert model is not None
    assert model.id == "llama-3.3-70b-instruct"


@pytest.mark.parametrize("name", ["", "llama", "nobody/nothing", "\0"])
def test_other_names_find_nothing(name: str) -> None:
    assert find_model(name) is None


def _set(path: str, value: Any) -> Any:
    """A change of the first model: "files.0.commit" and the like."""

    def change(catalog: Any) -> None:
        place: Any = catalog["models"][0]
        *way, last = path.split(".")
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        place[int(last) if last.isdigit() else last] = value

    return change


WRONG = {
    "a branch for a commit": _set("files.0.commit", "main"),
    "a short hash": _set("files.0.files.0.2", "abc"),
    "no size": _set("files.0.files.0.1", None),
    "a negative size": _set("files.0.files.0.1", -1),
    "a size beyond all bounds": _set("files.0.files.0.1", 10**15),
    "a size that cannot be": _set("files.0.files.0.1", 10**10),
    "a path that climbs": _set("files.0.files.0.0", "../model.gguf"),
    "a path on another drive": _set("files.0.files.0.0", "C:\\model.gguf"),
    "another kind of file": _set("files.0.files.0.0", "model.safetensors"),
    "an unknown kind": _set("files.0.kind", "better"),
    "an unknown field": _set("popularity", 3),
    "a number as text": _set("n_params", "135M"),
    "no files": _set("files", []),
    "other words": _set("good_for", "world domination"),
    "a repository without a maker": _set("repo", "gpt2"),
    "more experts used than there are": _set("geometry.n_expert_used", 4),
    "more full layers than layers": _set("geometry.n_full_layers", 99),
    "keys shared unevenly": _set("geometry.n_head_kv", 2),
    "sight without eyes": _set("sees", True),
    "a part of several": _set("files.0.files.0.0", "model-00001-of-00002.gguf"),
    "an id twice": lambda catalog: catalog["models"].append(catalog["models"][0]),
    "out of order": lambda catalog: catalog["models"].reverse(),
    "no date": lambda catalog: catalog.pop("as_of"),
    "no list": lambda catalog: catalog.update(models={}),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_catalog_is_refused(what: str) -> None:
    read_catalog(changed(lambda _: None))
    with pytest.raises(ValueError, match=r"."):
        read_catalog(changed(WRONG[what]))


@fuzz
@given(st.binary(max_size=200), st.integers(0, len(CONTENT)), st.integers(0, 50))
def test_only_value_errors_come_out_of_a_damaged_catalog(junk: bytes, at: int, cut: int) -> None:
    with contextlib.suppress(ValueError):
        read_catalog(CONTENT[:at] + junk + CONTENT[at + cut :])
