"""The `general.*` keys: what a model is called, who made it from what, and how to sample from it.

Asked in turn: the head of README.md, config.json's `_name_or_path`, the folder's name. Values of
another kind than the key has are left out.

Source: llama.cpp at 0c1e57098, gguf-py/gguf/metadata.py (class Metadata), conversion/base.py
(prepare_metadata), gguf-py/gguf/gguf_writer.py (get_total_parameter_count).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from quantize.config import Config
from quantize.errors import CheckpointError
from quantize.jsonfile import read_json
from quantize.model import MetadataValue, Typed, TypedArray, Weight
from quantize.model_card import read_card
from quantize.model_id import ModelId, parse_model_id, size_label, title
from quantize.types import GgufType

_MAX_BYTES = 1024**2
_MAX_F32 = 3.4028234663852886e38
_HUB = "https://huggingface.co/"
_HUB_PAGE = re.compile(r"https?://huggingface.co/([^/]+/[^/]+)$")

# generation_config.json's key, the GGUF's, and its type.
_SAMPLING = (
    ("sequence", "sequence", GgufType.STRING),
    ("top_k", "top_k", GgufType.INT32),
    ("top_p", "top_p", GgufType.FLOAT32),
    ("min_p", "min_p", GgufType.FLOAT32),
    ("xtc_probability", "xtc_probability", GgufType.FLOAT32),
    ("xtc_threshold", "xtc_threshold", GgufType.FLOAT32),
    ("temperature", "temp", GgufType.FLOAT32),
    ("penalty_last_n", "penalty_last_n", GgufType.INT32),
    ("penalty_repeat", "penalty_repeat", GgufType.FLOAT32),
    ("mirostat", "mirostat", GgufType.INT32),
    ("mirostat_tau", "mirostat_tau", GgufType.FLOAT32),
    ("mirostat_eta", "mirostat_eta", GgufType.FLOAT32),
)
# A key of the GGUF and the card's keys that it is taken from, the first one first.
_FROM_CARD = {
    "name": ("name", "model_name"),
    "author": ("author", "model_author", "model_creator"),
    "version": ("version", "model_version"),
    "organization": ("organization", "model_organization"),
    "description": ("description", "model_description"),
    "finetune": ("finetune", "model_finetune"),
    "basename": ("basename", "model_basename", "model_type"),
    "size_label": ("size_label", "model_size_label"),
    "source.url": ("url", "model_url"),
    "source.doi": ("doi", "model_doi"),
    "source.uuid": ("uuid", "model_uuid"),
    "source.repo_url": ("repo_url", "model_repo_url"),
    "license": ("license",),
    "license.name": ("license_name",),
    "license.link": ("license_link",),
}
_ORDER = (
    "name",
    "author",
    "version",
    "organization",
    "finetune",
    "basename",
    "description",
    "size_label",
    "license",
    "license.name",
    "license.link",
    "source.url",
    "source.doi",
    "source.uuid",
    "source.repo_url",
)
_PARENT_KEYS = (
    "name",
    "author",
    "version",
    "organization",
    "description",
    "url",
    "doi",
    "uuid",
    "repo_url",
)


def folder_name(folder: Path) -> str:
    """What to call the model in `folder` and the files made of it."""
    return _folder_id(folder).rsplit("/", 1)[-1]


def general(folder: Path, config: Config, weights: Sequence[Weight]) -> dict[str, MetadataValue]:
    """The keys that follow `general.type`, in the official order. Raises nothing."""
    n_params = sum(weight.n_elements for weight in weights)
    card = read_card(folder)
    names = _names(folder, config, card, n_params)
    if names.get("size_label") is None and n_params > 0:
        names["size_label"] = _size_label(weights)
    texts = {f"general.{key}": names.get(key) for key in _ORDER}
    return {
        **_sampling(folder),
        **{key: Typed(GgufType.STRING, text) for key, text in texts.items() if _is_text(text)},
        **_parents("base_model", _BASE_MODELS, card, n_params),
        **_parents("dataset", _DATASETS, card, n_params),
        **_list("general.tags", card, ("tags", "pipeline_tag")),
        **_list("general.languages", card, ("languages", "language")),
    }


# Names


def _names(folder: Path, config: Config, card: Mapping[str, Any], n_params: int) -> dict[str, Any]:
    names = {key: _first(card, sources) for key, sources in _FROM_CARD.items()}
    if isinstance(names["license"], list):
        names["license"] = ",".join(text for text in names["license"] if _is_text(text))
    path = config.root.get("_name_or_path")
    if _is_text(path) and path.count("/") <= 1:
        _complete(names, parse_model_id(path, n_params))
    _complete(names, parse_model_id(_folder_id(folder), n_params))
    names["name"] = names["name"] or folder_name(folder)
    return names


def _complete(names: dict[str, Any], model_id: ModelId) -> None:
    found = {
        "name": None if model_id.name is None else title(model_id.name),
        "organization": None if model_id.organization is None else title(model_id.organization),
        "basename": model_id.basename,
        "finetune": model_id.finetune,
        "version": model_id.version,
        "size_label": model_id.size_label,
    }
    for key, text in found.items():
        if names.get(key) is None:
            names[key] = text


def _folder_id(folder: Path) -> str:
    """The folder's name; in a cache of downloads, whose folders bear revisions, the repository's.

    The official converter takes the revision for a name there.
    """
    folder = folder.absolute()
    repo = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repo.startswith("models--"):
        return "/".join(repo.split("--")[1:3])
    return folder.name


def _first(card: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((card[key] for key in keys if card.get(key) is not None), None)


def _size_label(weights: Sequence[Weight]) -> str:
    """Of all parameters, or of one expert and what all share."""
    n_total = n_shared = n_expert_params = n_experts = n_stacks = 0
    for weight in weights:
        n_total += weight.n_elements
        is_bias = ".bias" in weight.name
        if "_exps." in weight.name and len(weight.shape) >= 3:
            n_expert = weight.shape[1 if is_bias else 2]
            n_expert_params += weight.n_elements // n_expert
            n_experts += n_expert
            n_stacks += 1
        else:
            n_shared += weight.n_elements
    n_expert = n_experts // n_stacks if n_stacks else 0
    return size_label(n_total, n_shared, n_expert_params, n_expert)


# What a model was made from

_BASE_MODELS = ("base_model", "base_models", "base_model_sources")
_DATASETS = ("datasets", "dataset", "dataset_sources")


def _parents(
    kind: str, keys: Sequence[str], card: Mapping[str, Any], n_params: int
) -> dict[str, MetadataValue]:
    """`general.KIND.count` and what is known of each."""
    key = next((key for key in keys if key in card), None)
    if key is None:
        return {}
    given = card[key] if isinstance(card[key], list) else [card[key]]
    parents = [_parent(value, n_params) for value in given if value is not None]
    values: dict[str, MetadataValue] = {
        f"general.{kind}.count": Typed(GgufType.UINT32, len(parents))
    }
    for i, parent in enumerate(parents):
        for name in _PARENT_KEYS:
            if _is_text(text := parent.get(name)):
                values[f"general.{kind}.{i}.{name}"] = Typed(GgufType.STRING, text)
    return values


def _parent(value: Any, n_params: int) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str):
        return {}
    if value.startswith(("http://", "https://", "ssh://")):
        page = _HUB_PAGE.match(value)
        return {**(_of_id(page[1], n_params) if page else {}), "repo_url": value}
    parent = _of_id(value, n_params)
    if "organization" in parent:
        organization, name = value.split("/", 1)
        parent["repo_url"] = f"{_HUB}{organization}/{name}"
    return parent


def _of_id(value: str, n_params: int) -> dict[str, str]:
    model_id = parse_model_id(value, n_params)
    parent = {"name": title(model_id.name or "")}
    if model_id.organization is not None:
        parent["organization"] = title(model_id.organization)
    if model_id.version is not None:
        parent["version"] = model_id.version
    return parent


def _list(key: str, card: Mapping[str, Any], sources: Sequence[str]) -> dict[str, MetadataValue]:
    texts = [text for source in sources for text in _texts(card.get(source))]
    return {key: TypedArray(GgufType.STRING, len(texts), tuple(texts))} if texts else {}


def _texts(value: Any) -> Iterator[str]:
    values = value if isinstance(value, list) else [value]
    yield from (text for text in values if isinstance(text, str))


# How to sample from it


def _sampling(folder: Path) -> dict[str, MetadataValue]:
    """What generation_config.json recommends."""
    try:
        given = read_json(folder / "generation_config.json", _MAX_BYTES)
    except CheckpointError:
        return {}
    if not isinstance(given, dict):
        return {}
    return {
        f"general.sampling.{key}": Typed(type_, given[source])
        for source, key, type_ in _SAMPLING
        if _fits(given.get(source), type_)
    }


def _fits(value: Any, type_: GgufType) -> bool:
    if type_ == GgufType.STRING:
        return _is_text(value)
    if isinstance(value, bool):
        return False
    if type_ == GgufType.INT32:
        return isinstance(value, int) and -(2**31) <= value < 2**31
    return isinstance(value, (int, float)) and math.isfinite(value) and abs(value) <= _MAX_F32


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and value != ""
