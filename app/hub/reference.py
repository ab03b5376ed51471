"""What a person types or pastes to name a model on the hub, in all the forms that go round.

"maker/model", "maker/model:Q4_K_M", "maker/model:file.gguf", "hf.co/maker/model:Q4_K_M" as Ollama
writes it, addresses copied from the browser. Knows names, asks nobody.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.errors import NotFoundError

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
_HOSTS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_COMMANDS = re.compile(r"^(?:ollama|nibble|lms)\s+(?:run|pull|get)\s+|^llama-\w+\s+-hf\s+")
_FILE_PAGES = ("blob", "resolve", "raw")
_NO_MODELS = ("datasets", "spaces", "docs", "collections", "papers", "blog")
_MAX_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Reference:
    """`wanted`: a variant's name or a file's path, "" where none is named."""

    repo: str
    wanted: str = ""
    revision: str = "main"


def parse_reference(text: str) -> Reference:
    """Raises NotFoundError for what names no repository."""
    cleaned = _COMMANDS.sub("", text.strip().strip("\"'<>").strip()[:_MAX_CHARS])
    reference = _from_address(cleaned) if _is_address(cleaned) else _from_name(cleaned)
    if reference is None or not _is_repo(reference.repo):
        raise _not_a_name(text)
    return reference


def looks_like_reference(text: str) -> bool:
    """Whether `text` could only mean a repository: it has a maker and a model, or is an address."""
    try:
        parse_reference(text)
    except NotFoundError:
        return False
    return True


def _is_address(text: str) -> bool:
    return "://" in text or text.partition("/")[0].lower() in _hosts()


def _hosts() -> frozenset[str]:
    """With that of a mirror in use."""
    mirror = urlsplit(os.environ.get("HF_ENDPOINT", "")).netloc.lower()
    return _HOSTS | {mirror} if mirror else _HOSTS


def _from_name(text: str) -> Reference | None:
    repo, _, wanted = text.partition(":")
    return Reference(repo, wanted.strip())


def _from_address(text: str) -> Reference | None:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        query = parse_qs(parts.query)
    except ValueError:
        return None
    path = unquote(parts.path).strip("/")
    if parts.scheme == "hf":
        path = f"{parts.netloc}/{path}".removeprefix("models/")
    elif parts.scheme not in ("http", "https") or parts.netloc.lower() not in _hosts():
        return None
    shown = query.get("show_file_info", [""])[0]  # the hub's own link to one of its files
    return _from_path(path, shown)


def _from_path(path: str, shown: str) -> Reference | None:
    """ "maker/model", "maker/model:Q4_K_M", "maker/model/blob/main/file.gguf"."""
    named, _, wanted = path.partition(":")
    maker, model, page, revision, *rest = [*named.split("/"), "", "", "", ""]
    if maker in _NO_MODELS:
        return None
    file = "/".join(rest).rstrip("/")
    if page in _FILE_PAGES and file:
        return Reference(f"{maker}/{model}", file, revision or "main")
    return Reference(f"{maker}/{model}", wanted or shown, (page == "tree" and revision) or "main")


def _is_repo(name: str) -> bool:
    return bool(_REPO.fullmatch(name)) and ".." not in name and "--" not in name


def _not_a_name(text: str) -> NotFoundError:
    shown = " ".join(text.split())[:80]
    message = QT_TRANSLATE_NOOP("hub", "“{text}” does not name a model on the hub.").fill(
        text=shown
    )
    hint = QT_TRANSLATE_NOOP(
        "hub", "Write maker/model, maker/model:Q4_K_M, or paste the address of its page."
    )
    return NotFoundError(message, hint)
