"""What a hub's answers mean, as our own types. Anybody may have written them: nothing is trusted.

A missing or misshapen fact becomes "" or 0, a file without a size is left out; only an answer that
is no answer at all is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from huggingface_hub import CardData

from app.hub.errors import HubError
from app.hub.repo import RemoteFile, Repo, RepoSummary
from app.hub.trouble import nonsense

if TYPE_CHECKING:
    from huggingface_hub import ModelInfo

    from app.hub.connection import Connection

REPO_ID = re.compile(r"(?:[A-Za-z0-9][\w.-]{0,95}/)?[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_TAGS = 300
_MAX_TEXT = 300
_MAX_COUNT = 2**63 - 1


def summaries_of(answer: Any, connection: Connection) -> tuple[RepoSummary, ...]:
    """The models of a search. Raises HubError."""
    if not isinstance(answer, list):
        raise nonsense(connection.asked(), f"a search answered with {type(answer).__name__}")
    found = (_summary_of(item) for item in answer if isinstance(item, dict))
    return tuple(summary for summary in found if REPO_ID.fullmatch(summary.id))


def _summary_of(item: dict[str, Any]) -> RepoSummary:
    tags = _texts(item.get("tags"))
    return RepoSummary(
        id=_text(item.get("id")),
        downloads=_count(item.get("downloads")),
        likes=_count(item.get("likes")),
        updated=_text(item.get("lastModified")),
        gated=_gated(item.get("gated")),
        license=_license(item.get("cardData"), tags),
        has_gguf="gguf" in tags,
        tags=tags,
        n_params=_n_params(item.get("gguf"), item.get("safetensors")),
    )


def repo_of(info: ModelInfo, connection: Connection) -> Repo:
    """A repository from what `HfApi.model_info` made of the answer. Raises HubError."""
    commit = _text(info.sha)
    repo_id = _text(info.id)
    if not _COMMIT.fullmatch(commit) or not REPO_ID.fullmatch(repo_id):
        raise _not_a_repo(connection, repo_id, commit)
    tags = _texts(info.tags)
    card = _card_of(info)
    files = _files_of(info, repo_id, commit)
    summary = RepoSummary(
        id=repo_id,
        downloads=_count(info.downloads),
        likes=_count(info.likes),
        updated=info.last_modified.isoformat() if info.last_modified else "",
        gated=_gated(info.gated),
        license=_license(card, tags),
        has_gguf=any(file.path.lower().endswith(".gguf") for file in files),
        tags=tags,
        n_params=_n_params(info.gguf, {"total": getattr(info.safetensors, "total", 0)}),
    )
    return Repo(summary, commit, files, _base_model(card, tags))


def _not_a_repo(connection: Connection, repo_id: str, commit: str) -> HubError:
    return nonsense(connection.asked(repo_id), f"model {repo_id!r} at commit {commit!r}")


def _card_of(info: ModelInfo) -> dict[str, Any]:
    card = info.card_data
    facts = card.to_dict() if isinstance(card, CardData) else {}  # type: ignore[no-untyped-call]
    return facts if isinstance(facts, dict) else {}


def _files_of(info: ModelInfo, repo_id: str, commit: str) -> tuple[RemoteFile, ...]:
    files: dict[str, RemoteFile] = {}
    for sibling in info.siblings or ():
        path, lfs = sibling.rfilename, sibling.lfs
        size = lfs.size if lfs else sibling.size
        if not isinstance(path, str) or not path or not _is_size(size):
            continue
        digest = _text(lfs.sha256).lower() if lfs else ""
        sha256 = digest if _SHA256.fullmatch(digest) else ""
        files.setdefault(path, RemoteFile(repo_id, commit, path, int(size or 0), sha256))
    return tuple(files.values())


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _MAX_COUNT


def _license(card: Any, tags: Iterable[str]) -> str:
    """ "apache-2.0", or the name that the makers gave their own ("llama3.1")."""
    said = _text(card.get("license")) if isinstance(card, dict) else ""
    if said in ("", "other") and isinstance(card, dict):
        said = _text(card.get("license_name")) or said
    tagged = (tag.partition(":")[2] for tag in tags if tag.startswith("license:"))
    return said or next(tagged, "")


def _base_model(card: dict[str, Any], tags: Iterable[str]) -> str:
    said = card.get("base_model")
    names = said if isinstance(said, list) else [said]
    names += [tag.rpartition(":")[2] for tag in tags if tag.startswith("base_model:")]
    valid = (name for name in map(_text, names) if "/" in name and REPO_ID.fullmatch(name))
    return next(valid, "")


def _n_params(gguf: Any, safetensors: Any) -> int:
    for facts in (gguf, safetensors):
        if isinstance(facts, dict) and (total := _count(facts.get("total"))):
            return total
    return 0


def _gated(value: Any) -> str:
    if value is True:
        return "auto"
    return value if value in ("auto", "manual") else ""


def _count(value: Any) -> int:
    return int(value) if _is_size(value) else 0


def _text(value: Any) -> str:
    """One short printable line, or ""."""
    if not isinstance(value, str):
        return ""
    return "".join(c for c in value[:_MAX_TEXT] if c.isprintable())


def _texts(value: Any) -> tuple[str, ...]:
    found = value[:_MAX_TAGS] if isinstance(value, list) else []
    return tuple(text for text in map(_text, found) if text)
