"""The fake hub's repositories and what its API says of them, as the real one spells it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tests.helpers.fake_hub_content import Content, content_of

LFS_SUFFIXES = (".gguf", ".safetensors", ".bin", ".pt", ".onnx")
LFS_SIZE = 10 << 20


@dataclass(frozen=True)
class StoredFile:
    path: str
    content: Content

    @property
    def is_lfs(self) -> bool:
        return self.path.endswith(LFS_SUFFIXES) or self.content.size > LFS_SIZE

    @property
    def oid(self) -> str:
        """The git blob id: of the content, or of the pointer file that stands for it."""
        data = self._pointer() if self.is_lfs else self.content.read(0, self.content.size)
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    @property
    def etag(self) -> str:
        return self.content.sha256 if self.is_lfs else self.oid

    def _pointer(self) -> bytes:
        lines = f"oid sha256:{self.content.sha256}\nsize {self.content.size}\n"
        return b"version https://git-lfs.github.com/spec/v1\n" + lines.encode()

    def lfs(self, hash_name: str) -> dict[str, Any]:
        if not self.is_lfs:
            return {}
        size = self.content.size
        pointer = len(self._pointer())
        return {"lfs": {hash_name: self.content.sha256, "size": size, "pointerSize": pointer}}

    def sibling(self, blobs: bool) -> dict[str, Any]:
        if not blobs:
            return {"rfilename": self.path}
        told = {"rfilename": self.path, "blobId": self.oid, "size": self.content.size}
        return told | self.lfs("sha256")

    def entry(self) -> dict[str, Any]:
        told = {"type": "file", "oid": self.oid, "size": self.content.size, "path": self.path}
        return told | self.lfs("oid")


@dataclass
class StoredRepo:
    id: str
    commits: dict[str, dict[str, StoredFile]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    gated: str = ""
    private: bool = False
    tags: tuple[str, ...] = ()
    downloads: int = 0
    likes: int = 0
    updated: str = "2026-01-01T00:00:00.000Z"
    card_data: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def commit_of(self, revision: str) -> str | None:
        """The commit that a branch, tag, or (at least four characters of a) commit means."""
        if revision in self.refs:
            return self.refs[revision]
        found = [commit for commit in self.commits if commit.startswith(revision)]
        return found[0] if len(found) == 1 and len(revision) >= 4 else None

    def add_commit(self, files: Mapping[str, bytes | str | Path | Content]) -> str:
        stored = {path: StoredFile(path, content_of(given)) for path, given in files.items()}
        names = "".join(f"{path}{file.etag}" for path, file in sorted(stored.items()))
        commit = hashlib.sha1(f"{self.id}{len(self.commits)}{names}".encode()).hexdigest()
        self.commits[commit] = stored
        self.refs["main"] = commit
        return commit

    def info(self, commit: str, blobs: bool) -> dict[str, Any]:
        """The answer of /api/models/{id}."""
        files = sorted(self.commits[commit].values(), key=lambda file: file.path)
        siblings = [file.sibling(blobs) for file in files]
        return self.summary() | {"sha": commit, "siblings": siblings, "disabled": False}

    def summary(self) -> dict[str, Any]:
        """An element of the answer of /api/models."""
        told = {
            "_id": hashlib.md5(self.id.encode()).hexdigest()[:24],
            "id": self.id,
            "modelId": self.id,
            "author": self.id.partition("/")[0],
            "private": self.private,
            "gated": self.gated or False,
            "downloads": self.downloads,
            "likes": self.likes,
            "tags": list(self.tags),
            "createdAt": self.updated,
            "lastModified": self.updated,
            "trendingScore": self.likes,
            "cardData": dict(self.card_data),
        }
        return told | dict(self.more)

    def tree(self, commit: str, folder: str, recursive: bool) -> list[dict[str, Any]]:
        files = self.commits[commit]
        inside = [path for path in sorted(files) if not folder or path.startswith(folder + "/")]
        entries, folders = [], set()
        for path in inside:
            parents = [str(up) for up in PurePosixPath(path).parents if str(up) != "."]
            parents = [up for up in parents if up != folder and len(up) > len(folder)]
            folders.update(parents if recursive else parents[-1:])
            if recursive or not parents:
                entries.append(files[path].entry())
        return [_folder_entry(path) for path in sorted(folders)] + entries


def _folder_entry(path: str) -> dict[str, Any]:
    oid = hashlib.sha1(path.encode()).hexdigest()
    return {"type": "directory", "oid": oid, "size": 0, "path": path}


def select(repos: list[StoredRepo], query: Mapping[str, list[str]]) -> list[StoredRepo]:
    """What a search finds, in the order asked for; `query` as parse_qs gives it."""
    words = " ".join(query.get("search", [])).lower().split()
    author = query.get("author", [""])[0].lower()
    tags = {tag for given in query.get("filter", []) for tag in given.split(",") if tag}
    found = [
        repo
        for repo in repos
        if all(word in repo.id.lower() for word in words)
        and (not author or repo.id.lower().startswith(author + "/"))
        and tags <= set(repo.tags)
        and not repo.private
    ]
    sort = query.get("sort", ["trendingScore"])[0]
    return sorted(found, key=lambda repo: repo.summary().get(sort) or 0, reverse=True)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()
