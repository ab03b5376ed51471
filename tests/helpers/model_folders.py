"""Folders of models as other apps lay them out, with tiny but sound GGUF files in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from tests.helpers.gguf_files import F32, METADATA, TENSORS, Tensor, gguf_bytes

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def model_bytes(name: str = "Tiny Test", **extra: object) -> bytes:
    """A model that nothing could run, different for each name."""
    keys = {key.replace("__", "."): value for key, value in extra.items()}
    return gguf_bytes({**METADATA, "general.name": name, **keys}, TENSORS)


def put(path: Path, data: bytes | None = None, **extra: object) -> Path:
    """Write `data`, else a model called after the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model_bytes(path.stem, **extra) if data is None else data)
    return path


def put_split(folder: Path, stem: str, n_parts: int, name: str = "Split Model") -> list[Path]:
    """A model in parts, as llama-gguf-split writes them: all but the first have few keys."""
    parts = []
    for number in range(n_parts):
        keys: Mapping[str, object] = {
            **(METADATA if number == 0 else {}),
            **({"general.name": name} if number == 0 else {}),
            "split.no": number,
            "split.count": n_parts,
            "split.tensors.count": n_parts,
        }
        tensors = (Tensor(f"blk.{number}.attn_norm.weight", F32, (8,), bytes([number] * 32)),)
        path = folder / f"{stem}-{number + 1:05d}-of-{n_parts:05d}.gguf"
        parts.append(put(path, gguf_bytes(keys, tensors)))
    return parts


def mmproj_bytes() -> bytes:
    keys = {"general.architecture": "clip", "general.type": "mmproj", "general.file_type": 1}
    return gguf_bytes(keys, (Tensor("v.patch_embd.weight", F32, (4,), bytes(16)),))


def imatrix_bytes() -> bytes:
    keys = {"general.type": "imatrix", "imatrix.chunk_count": 4, "imatrix.chunk_size": 512}
    return gguf_bytes(keys, (Tensor("blk.0.attn_q.weight.in_sum2", F32, (4,), bytes(16)),))


def vocabulary_bytes() -> bytes:
    return gguf_bytes(dict(METADATA))


def huggingface_repo(
    hub: Path, repo: str, files: Mapping[str, bytes], commit: str = COMMIT
) -> Path:
    """One repository of the cache; returns its newest snapshot."""
    folder = hub / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / commit
    for name, data in files.items():
        blob = put(folder / "blobs" / hashlib.sha256(data).hexdigest(), data)
        link = snapshot / name
        link.parent.mkdir(parents=True, exist_ok=True)
        up = "../" * (3 + name.count("/") - 1)
        link.symlink_to(f"{up}blobs/{blob.name}")
    put(folder / "refs" / "main", commit.encode())
    return snapshot


def ollama_model(
    root: Path, name: str, data: bytes, mmproj: bytes = b"", *, colon: bool = False
) -> Path:
    """`name` as in manifests/HOST/NAMESPACE/MODEL/TAG; returns the blob."""
    layers = [ollama_layer(root, "model", data, colon=colon)]
    if mmproj:
        layers.append(ollama_layer(root, "projector", mmproj, colon=colon))
    layers.append(ollama_layer(root, "template", b"{{ .Prompt }}", colon=colon))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json"},
        "layers": layers,
    }
    put(root / "manifests" / name, json.dumps(manifest).encode())
    return root / "blobs" / f"sha256{':' if colon else '-'}{hashlib.sha256(data).hexdigest()}"


def ollama_layer(root: Path, kind: str, data: bytes, *, colon: bool = False) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    put(root / "blobs" / f"sha256{':' if colon else '-'}{digest}", data)
    media_type = f"application/vnd.ollama.image.{kind}"
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def jan_model(data_folder: Path, name: str, data: bytes) -> Path:
    """As Jan's downloads lie: relative paths, a description beside the file."""
    folder = data_folder / "llamacpp" / "models" / name
    path = put(folder / "model.gguf", data)
    description = (
        f"model_path: llamacpp/models/{name}/model.gguf\n"
        f"name: {name}\nsize_bytes: {len(data)}\nembedding: false\n"
    )
    put(folder / "model.yml", description.encode())
    return path
