"""Which files of an original repository the quantizer needs; knows names, asks nobody.

Weights as safetensors, what describes model and tokenizer, the licence. Not: the same weights again
in other formats, and pickles, which can run code when opened. Names as `quantize.checkpoint` and
`quantize.tokenizer` look for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.errors import NotFoundError
from app.hub.repo import RemoteFile, RemoteVariant, Repo

_INDEX = "model.safetensors.index.json"
_WEIGHTS = re.compile(r"model[\w.-]*\.safetensors")
_OTHER_PRECISION = re.compile(r"\.(?:fp16|fp32|bf16|non_ema)\b")
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<end>.*)")
_NEEDED = frozenset(
    {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "tekken.json",
        "chat_template.jinja",
        "chat_template.json",
        "preprocessor_config.json",
        "processor_config.json",
        "modules.json",
        "1_Pooling/config.json",
        "quantize_config.json",
        "quant_config.json",
        "hf_quant_config.json",
        _INDEX,
    }
)
_TEMPLATES = re.compile(r"additional_chat_templates/[^/]+\.jinja")
_PAPERS = re.compile(r"(?:licen[sc]e|notice|readme|use_policy)[^/]*", re.IGNORECASE)
_MAX_PAPER_BYTES = 4 * 1024**2
_PICKLES = (".bin", ".pth", ".pt", ".ckpt")


def snapshot_files(repo: Repo) -> tuple[RemoteFile, ...]:
    """The files to get, small ones first. Raises NotFoundError where there is no whole original."""
    weights = _weights(repo)
    paths = {file.path for file in repo.files}
    if "config.json" not in paths:
        raise _not_original(repo)
    rest = [file for file in repo.files if _is_needed(file)]
    return (*rest, *weights)


def snapshot_bytes(repo: Repo) -> int:
    """What `snapshot_files` weigh together. Raises NotFoundError."""
    return sum(file.size_bytes for file in snapshot_files(repo))


def saved_bytes(wanted: Sequence[RemoteVariant], original: Iterable[RemoteFile]) -> int:
    """How much less is downloaded to make all of `wanted` here from `original`; below 0: more.

    "Quantize here instead: 1.9 GB download less".
    """
    ready = sum(variant.size_bytes for variant in wanted)
    return ready - sum(file.size_bytes for file in original)


def _weights(repo: Repo) -> list[RemoteFile]:
    found = [f for f in repo.files if _WEIGHTS.fullmatch(f.path) and not _is_a_copy(f.path)]
    if not found:
        raise _no_weights(repo)
    numbered = [file for file in found if _PART.fullmatch(file.path)]
    whole = [file for file in found if file.path == "model.safetensors"]
    if numbered and whole and not any(file.path == _INDEX for file in repo.files):
        found = whole  # the same twice, and nothing that joins the parts
    _check_complete(repo, {file.path for file in found})
    return sorted(found, key=lambda file: file.path)


def _is_a_copy(path: str) -> bool:
    return _OTHER_PRECISION.search(path) is not None


def _check_complete(repo: Repo, paths: set[str]) -> None:
    for path in paths:
        if not (found := _PART.fullmatch(path)):
            continue
        for number in range(1, int(found["count"]) + 1):
            part = f"{found['stem']}-{number:05}-of-{found['count']}{found['end']}"
            if part not in paths:
                raise _missing(repo, part)


def _is_needed(file: RemoteFile) -> bool:
    if _PAPERS.fullmatch(file.path):
        return file.size_bytes <= _MAX_PAPER_BYTES
    return file.path in _NEEDED or _TEMPLATES.fullmatch(file.path) is not None


def _missing(repo: Repo, part: str) -> NotFoundError:
    text = QT_TRANSLATE_NOOP("hub", "{repo} is not whole: {part} is not there.")
    hint = QT_TRANSLATE_NOOP("hub", "It may still be on its way there. Look again later.")
    return NotFoundError(text.fill(repo=repo.summary.id, part=part), hint)


def _no_weights(repo: Repo) -> NotFoundError:
    paths = [file.path for file in repo.files]
    if "adapter_config.json" in paths:
        text = QT_TRANSLATE_NOOP("hub", "{repo} is an addition to another model, not a model.")
        hint = QT_TRANSLATE_NOOP("hub", "Search for a version with the addition merged in.")
    elif any(path.lower().endswith(".gguf") for path in paths):
        text = QT_TRANSLATE_NOOP("hub", "{repo} has GGUF files, not the original weights.")
        hint = QT_TRANSLATE_NOOP(
            "hub", "Download a variant of it, or look at what it was made from."
        )
    elif any(path.startswith("consolidated") for path in paths):
        text = QT_TRANSLATE_NOOP("hub", "{repo} has its weights in Mistral's own format only.")
        hint = QT_TRANSLATE_NOOP("hub", "Look for the same model in the usual format, or as GGUF.")
    elif any(path.endswith(_PICKLES) for path in paths):
        text = QT_TRANSLATE_NOOP("hub", "{repo} has its weights in PyTorch files only.")
        hint = QT_TRANSLATE_NOOP(
            "hub", "Those can run code when opened. Look for the same model as safetensors or GGUF."
        )
    else:
        return _not_original(repo)
    return NotFoundError(text.fill(repo=repo.summary.id), hint)


def _not_original(repo: Repo) -> NotFoundError:
    text = QT_TRANSLATE_NOOP("hub", "{repo} has no original weights that Nibble can quantize.")
    hint = QT_TRANSLATE_NOOP("hub", "Search for the model's own repository, or for a GGUF of it.")
    return NotFoundError(text.fill(repo=repo.summary.id), hint)
