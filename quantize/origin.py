"""Where a source came from and what made a file: the keys that tell a GGUF's history."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from quantize.imatrix import Imatrix
from quantize.libllama import LLAMA_CPP_VERSION
from quantize.model import MetadataValue, Typed
from quantize.types import GgufType

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Origin:
    """A repository and its revision, as far as the folder tells; "" for what it does not."""

    repo: str = ""
    revision: str = ""


def origin_of(source: Path) -> Origin:
    """What the folder layouts of Hugging Face's tools say about `source`.

    The cache: models--ORG--NAME/snapshots/REVISION. A download into a folder of one's own:
    .cache/huggingface/download/FILE.metadata, whose first line is the revision.
    """
    folder = (source if source.is_dir() else source.parent).absolute()
    cached = next((p for p in folder.parents if p.name.startswith("models--")), None)
    if cached is not None and folder.parent.name == "snapshots":
        return Origin("/".join(cached.name.split("--")[1:]), folder.name)
    notes = folder / ".cache" / "huggingface" / "download" / "config.json.metadata"
    try:
        with notes.open(encoding="utf-8", errors="replace") as file:
            first = file.readline(100).strip()
    except OSError:
        return Origin()
    return Origin("", first if _COMMIT.fullmatch(first) else "")


def history(source: Path, imatrix: Imatrix | None) -> dict[str, MetadataValue]:
    """The keys that say what a file was made from, by what, with which matrix, and when."""
    origin = origin_of(source)
    texts = {
        "general.quantized_by": f"Nibble {_own_version()}",
        "quantize.tool_version": f"nibble {_own_version()}, llama-cpp-python {LLAMA_CPP_VERSION}",
        "quantize.date": datetime.now(UTC).date().isoformat(),
        "quantize.source.repo": origin.repo,
        "quantize.source.revision": origin.revision,
    }
    values: dict[str, MetadataValue] = {
        key: Typed(GgufType.STRING, text) for key, text in texts.items() if text
    }
    if imatrix is not None:
        values |= _matrix_keys(imatrix)
    return values


def _matrix_keys(imatrix: Imatrix) -> dict[str, MetadataValue]:
    """As llama.cpp's quantize tool writes them (tools/quantize/quantize.cpp)."""
    return {
        "quantize.imatrix.file": Typed(GgufType.STRING, imatrix.path.name),
        "quantize.imatrix.dataset": Typed(GgufType.STRING, ", ".join(imatrix.datasets)),
        "quantize.imatrix.entries_count": Typed(GgufType.UINT32, len(imatrix.sums)),
        "quantize.imatrix.chunks_count": Typed(GgufType.UINT32, imatrix.n_chunks),
    }


def _own_version() -> str:
    try:
        return version("nibble-chat")
    except PackageNotFoundError:  # `quantize` used on its own
        return "0"
