"""A folder from Hugging Face as a config and tensors by name, however its files are cut.

Finds the files of weights, holds them against their index, and hands packed ones to `packed`. Knows
no model family: names and shapes are as in the checkpoint. PyTorch files are never opened.

Source: llama.cpp at 0c1e57098, conversion/base.py (ModelBase.index_tensors, get_model_part_names):
which files belong to a model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from quantize import checkpoint_errors
from quantize.config import Config, read_config
from quantize.dtypes import FLOAT_TYPES, NUMPY_DTYPES
from quantize.errors import QuantizeError
from quantize.jsonfile import is_missing, read_json
from quantize.packed import unpack
from quantize.safetensors import Stored, StoredRows, read_safetensors
from quantize.tensors import Tensor as Tensor
from quantize.types import GgmlType

INDEX_NAME = "model.safetensors.index.json"
_MAX_INDEX_BYTES = 64 * 1024**2
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_PART = re.compile(r"(.*-)(\d{5,6})(-of-)(\d{5,6})\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """`tensors` by their logical names: of a packed weight the parts are gone, `….weight` is there.

    `source_type` is what most of the weights are stored as: "BF16", "F8_E4M3", "GPTQ".
    """

    folder: Path
    config: Config
    tensors: Mapping[str, Tensor]
    source_type: str
    source_bytes: int


def open_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in `folder`, every file checked but no weight read. Raises QuantizeError."""
    names = _part_names(folder)
    config = read_config(folder)
    stored = _read_parts(folder, names)
    unpacked = unpack(config, stored)
    tensors = {name: _plain(tensor) for name, tensor in unpacked.rest.items()} | unpacked.tensors
    order = dict.fromkeys([*stored, *tensors])
    return Checkpoint(
        folder=folder,
        config=config,
        tensors=MappingProxyType({n: tensors[n] for n in order if n in tensors}),
        source_type=unpacked.label or _main_dtype(stored),
        source_bytes=sum(tensor.n_bytes for tensor in stored.values()),
    )


def _plain(stored: Stored) -> Tensor:
    if stored.dtype not in NUMPY_DTYPES:
        raise checkpoint_errors.unknown_dtype(stored.path, stored.name, stored.dtype)
    if not stored.n_elements:
        raise checkpoint_errors.empty_tensor(stored.path, stored.name)
    type_ = FLOAT_TYPES.get(stored.dtype, GgmlType.F32)
    return Tensor(stored.name, stored.shape, type_, StoredRows(stored), stored.origin)


def _main_dtype(stored: Mapping[str, Stored]) -> str:
    weights: Counter[str] = Counter()
    for tensor in stored.values():
        weights[tensor.dtype] += tensor.n_elements
    return weights.most_common(1)[0][0] if weights else ""


# Which files


def _part_names(folder: Path) -> list[str]:
    """The files of weights in `folder`, without looking into the index. Raises QuantizeError."""
    try:
        if folder.is_file():
            raise checkpoint_errors.not_a_folder(folder)
        names = sorted(path.name for path in folder.iterdir())
    except (OSError, ValueError) as error:
        raise checkpoint_errors.cannot_read(folder, error) from error
    parts = [n for n in names if n.startswith("model") and n.endswith(".safetensors")]
    if not parts and INDEX_NAME not in names:
        raise _no_parts(folder, names)
    return parts


def _no_parts(folder: Path, names: list[str]) -> QuantizeError:
    """Why a folder without weights is refused: by what it has instead."""
    safetensors = [name for name in names if name.endswith(".safetensors")]
    if "adapter_config.json" in names:
        return checkpoint_errors.only_an_adapter(folder)
    if any(name.startswith("consolidated") for name in safetensors):
        return checkpoint_errors.only_consolidated(folder)
    if safetensors:
        return checkpoint_errors.other_file_names(folder, safetensors[0])
    for name in names:
        if name.endswith(_PICKLES):
            return checkpoint_errors.only_pickles(folder, name)
    for name in names:
        if name.endswith(".gguf"):
            return checkpoint_errors.only_gguf(folder, name)
    return checkpoint_errors.no_weights(folder)


def _read_parts(folder: Path, names: list[str]) -> dict[str, Stored]:
    """All tensors by name: part after part, by name within each."""
    index = folder / INDEX_NAME
    if is_missing(index):
        _check_complete(folder, names)
        return _merge(folder, names)
    where = _read_index(index)
    found = _merge(folder, sorted(set(where.values())))
    for name, shard in where.items():
        if name not in found:
            raise checkpoint_errors.missing_tensor(folder / shard, name)
    for name, tensor in found.items():
        if name not in where:
            raise checkpoint_errors.extra_tensor(tensor.path, name)
    return found


def _merge(folder: Path, names: list[str]) -> dict[str, Stored]:
    found: dict[str, Stored] = {}
    for shard in names:
        for name, tensor in _read_part(folder, shard).items():
            if name in found:
                raise checkpoint_errors.double_tensor(found[name].path, tensor.path, name)
            found[name] = tensor
    if not found:
        raise checkpoint_errors.no_weights(folder)
    return found


def _read_part(folder: Path, shard: str) -> dict[str, Stored]:
    if is_missing(folder / shard):
        raise checkpoint_errors.missing_shard(folder, shard)
    return read_safetensors(folder / shard)


def _check_complete(folder: Path, names: list[str]) -> None:
    """Parts say how many there are, which helps where the index is missing."""
    for name in names:
        if found := _PART.fullmatch(name):
            stem, _, of, total = found.groups()
            wanted = (f"{stem}{i:0{len(total)}}{of}{total}.safetensors" for i in _numbers(total))
            for shard in wanted:
                if shard not in names:
                    raise checkpoint_errors.missing_shard(folder, shard)


def _numbers(total: str) -> range:
    return range(1, int(total) + 1)


def _read_index(path: Path) -> dict[str, str]:
    """Tensor name to file name, all of them plain names. Raises CheckpointError."""
    index = read_json(path, _MAX_INDEX_BYTES)
    where = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(where, dict) or not all(isinstance(v, str) for v in where.values()):
        raise checkpoint_errors.wrong_json(path, "no weight_map from tensors to files")
    for shard in dict.fromkeys(where.values()):
        _check_shard_name(path, shard)
    return where


def _check_shard_name(index: Path, shard: str) -> None:
    if any(mark in shard for mark in "/\\:\0") or shard in ("", ".", ".."):
        raise checkpoint_errors.bad_shard_name(index, shard)
    if shard.endswith(_PICKLES):
        raise checkpoint_errors.pickle_shard(index, shard)
