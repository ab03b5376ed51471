"""What a hub says of a repository and its files. Text in here is a stranger's: never trusted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file at one commit. `path` is as the hub spells it, not yet safe to use on a disk.

    `sha256` in hex, "" for small files that the hub keeps outside LFS.
    """

    repo: str
    commit: str
    path: str
    size_bytes: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class RepoSummary:
    """A search result. `gated`: "", "auto" or "manual". `updated`: ISO 8601, "" where not said."""

    id: str
    downloads: int = 0
    likes: int = 0
    updated: str = ""
    gated: str = ""
    license: str = ""
    has_gguf: bool = False
    tags: tuple[str, ...] = ()
    n_params: int = 0


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository at `commit`, with all its files. `base_model`: what it was made from, or ""."""

    summary: RepoSummary
    commit: str
    files: tuple[RemoteFile, ...]
    base_model: str = ""


@dataclass(frozen=True, slots=True)
class RemoteVariant:
    """The files of one variant: `files` are its parts in order, `mmproj` what it sees with."""

    name: str
    files: tuple[RemoteFile, ...]
    mmproj: tuple[RemoteFile, ...] = ()

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)
