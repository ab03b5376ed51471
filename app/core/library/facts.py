"""What a GGUF file is, in the few facts that a list of models needs; damage is a fact too.

A header costs 2 to 200 ms to read, so facts are kept between starts for as long as the file has
the same size and time of change. Knows single files: parts are put together in `group`.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from app import paths
from app.core.errors import ModelFileError
from app.core.files import write_atomic
from quantize.errors import GgufError
from quantize.gguf_header import GgufHeader, read_header

_VERSION = 1  # of what is kept; another one is read anew
MAX_KEPT = 4096
_MAX_FILE_BYTES = 16 * 1024**2

# They make vectors of texts and have no head to write with. Source: llama.cpp, src/llama-arch.cpp.
_EMBEDDERS = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)
_PROJECTORS = frozenset({"clip", "mmproj"})
_VISION_TENSORS = ("v.", "mm.", "a.")


class Kind(StrEnum):
    MODEL = "model"
    MMPROJ = "mmproj"  # what a model sees or hears with
    ADAPTER = "adapter"  # LoRA, control vectors
    IMATRIX = "imatrix"
    VOCABULARY = "vocabulary"
    EMBEDDER = "embedder"
    FOREIGN = "foreign"  # weights and vision in one file, as Ollama's own engine wants them
    PART = "part"  # a later part of a split model
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Facts:
    """`n_parts` files make up the model, this one of them; `name` as its maker wrote it, or ""."""

    kind: Kind
    size_bytes: int
    name: str = ""
    variant: str = ""
    architecture: str = ""
    n_params: int = 0
    n_ctx_train: int = 0
    n_parts: int = 1


def read_facts(path: Path) -> Facts:
    """The facts of `path`, from its header. Raises ModelFileError."""
    try:
        return facts_of(read_header(path))
    except GgufError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error


def facts_of(header: GgufHeader) -> Facts:
    return Facts(
        kind=_kind(header),
        size_bytes=header.file_size_bytes,
        name=header.name,
        variant=header.variant,
        architecture=header.architecture,
        n_params=header.n_params,
        n_ctx_train=header.n_ctx_train,
        n_parts=min(header.split_count, 1000),
    )


def _kind(header: GgufHeader) -> Kind:
    said = header.text("general.type")
    if said == "imatrix" or _has_sums(header):
        return Kind.IMATRIX
    if said in ("adapter", "controlvector"):
        return Kind.ADAPTER
    if said == "mmproj" or header.architecture in _PROJECTORS:
        return Kind.MMPROJ
    if header.number("split.no") > 0:
        return Kind.PART
    if not header.tensors:
        return Kind.MODEL if header.split_count > 1 else Kind.VOCABULARY
    if any(tensor.name.startswith(_VISION_TENSORS) for tensor in header.tensors):
        return Kind.FOREIGN
    return Kind.EMBEDDER if header.architecture in _EMBEDDERS else Kind.MODEL


def _has_sums(header: GgufHeader) -> bool:
    return "imatrix.chunk_count" in header.metadata and not header.architecture


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    size_bytes: int
    mtime_ns: int
    facts: Facts


class FactsCache:
    """Facts by path, read from the cache folder once and written back by `save`.

    Several threads may use it: at worst a header is read twice.
    """

    def __init__(self) -> None:
        self._file = _file()
        self._kept = self._read()
        self._used: set[str] = set()
        self._is_new = False
        self.n_read = 0  # headers that had to be read

    def get(self, path: Path) -> Facts:
        """The facts of the file at `path`; damage has a kind of its own. Raises OSError."""
        found = path.stat()
        key = str(path)
        self._used.add(key)
        kept = self._kept.get(key)
        if kept is not None and (kept.size_bytes, kept.mtime_ns) == (
            found.st_size,
            found.st_mtime_ns,
        ):
            return kept.facts
        self.n_read += 1
        facts = self._read_facts(path, found)
        self._kept[key] = _Kept(found.st_size, found.st_mtime_ns, facts)
        self._is_new = True
        return facts

    def save(self) -> None:
        """Keep what was learnt, as well as the disk lets us."""
        if not self._is_new:
            return
        kept = dict(self._kept)
        if len(kept) > MAX_KEPT:
            used = [key for key in kept if key in self._used]
            kept = {key: kept[key] for key in used[:MAX_KEPT]}
        with contextlib.suppress(OSError):
            write_atomic(self._file, msgspec.json.encode(kept))
            self._is_new = False

    def _read_facts(self, path: Path, found: os.stat_result) -> Facts:
        try:
            return read_facts(path)
        except ModelFileError:
            return Facts(Kind.DAMAGED, found.st_size)

    def _read(self) -> dict[str, _Kept]:
        try:
            if self._file.stat().st_size > _MAX_FILE_BYTES:
                return {}
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, _Kept])
        except (OSError, msgspec.DecodeError, ValueError, RecursionError):
            return {}


_shared: dict[Path, FactsCache] = {}


def shared_cache() -> FactsCache:
    """The one of this process, so that a thread that comes late still adds to what is known."""
    file = _file()
    if file not in _shared:
        _shared[file] = FactsCache()
    return _shared[file]


def _file() -> Path:
    return paths.cache_dir() / f"headers-{_VERSION}.json"
