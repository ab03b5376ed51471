"""Ollama: `manifests/HOST/NAMESPACE/MODEL/TAG` is JSON that names blobs by their SHA-256.

The model's layer is a GGUF without a suffix, of which llama.cpp wants none. Manifests are
strangers' text: a digest that is not 64 hex digits could lead anywhere and is not followed.

Source: ollama, server/internal/cache/blob and types/model/name.go; docs/faq (where models lie).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from app.core.library.apps.system import System, distinct, read_json
from app.core.library.group import Found
from app.core.library.model import Source
from app.core.library.walk import Limits, Walk

_DIGEST = re.compile(r"sha256[:-](?P<sum>[0-9a-f]{64})")
_MODEL = "application/vnd.ollama.image.model"
_PROJECTOR = "application/vnd.ollama.image.projector"
_LIMITS = Limits(max_entries=20_000, max_depth=4)
_MAX_LAYERS = 64
SERVICE = Path("/usr/share/ollama/.ollama/models")


def folders(system: System) -> list[Path]:
    """The user's; and the service's on Linux, where it runs as a user of its own."""
    service = SERVICE if system.platform == "linux" else None
    usual = system.home / ".ollama" / "models"
    return distinct([system.folder("OLLAMA_MODELS"), usual, service])


def find(root: Path) -> Iterable[Found]:
    """One model for each manifest whose blob is there; several tags may name the same blob."""
    for manifest in Walk(root / "manifests", suffix="", limits=_LIMITS):
        names = manifest.relative_to(root / "manifests").parts
        if len(names) == 4:
            yield from _in_manifest(root, manifest, display_name(*names))


def display_name(host: str, namespace: str, model: str, tag: str) -> str:
    """As `ollama list` writes it: "llama3.2:3b", "someone/llama:8b", "hf.co/org/repo:Q4_K_M"."""
    if host != "registry.ollama.ai":
        return f"{host}/{namespace}/{model}:{tag}"
    return f"{model}:{tag}" if namespace == "library" else f"{namespace}/{model}:{tag}"


def _in_manifest(root: Path, manifest: Path, name: str) -> Iterable[Found]:
    layers = read_json(manifest).get("layers")
    if not isinstance(layers, list):
        return
    models: list[Path] = []
    projectors: list[Path] = []
    for layer in layers[:_MAX_LAYERS]:
        kind, blob = _blob(root, layer)
        if blob is not None:
            (models if kind == _MODEL else projectors).append(blob)
    if len(models) == 1:  # of several llama.cpp finds only the first
        yield Found(
            models[0],
            Source.OLLAMA,
            mmproj=projectors[0] if projectors else None,
            aliases=(name,),
            sha256=models[0].name[-64:],
        )


def _blob(root: Path, layer: object) -> tuple[str, Path | None]:
    """The kind of layer, and its file where it is one of ours and there."""
    if not isinstance(layer, Mapping):
        return "", None
    kind, digest = layer.get("mediaType"), layer.get("digest")
    match = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if kind not in (_MODEL, _PROJECTOR) or match is None:
        return "", None
    blobs = (root / "blobs" / f"sha256{mark}{match['sum']}" for mark in "-:")
    return str(kind), next((blob for blob in blobs if _is_file(blob)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
