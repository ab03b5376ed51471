"""What is to be fetched, where it goes, and how far it is. Knows no network and touches no disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app import paths
from app.core.errors import Message
from app.hub.names import safe_path, safe_paths
from app.hub.repo import RemoteFile


@dataclass(frozen=True, slots=True)
class Request:
    """`files` go below `folder`, under safe names. `title` and `variant` are for people."""

    files: tuple[RemoteFile, ...]
    folder: Path
    title: str
    variant: str = ""

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True, slots=True)
class Progress:
    """`phase`: "checking", "fetching", "verifying", or "waiting" for what `note` says."""

    done_bytes: int
    total_bytes: int
    bytes_per_s: float
    eta_s: float | None
    phase: str
    note: Message | None = None


def targets(request: Request) -> dict[str, Path]:
    """Where each file goes, by the hub's path. Raises TransferError for names that point away."""
    safe = safe_paths(file.path for file in request.files)
    return {path: request.folder.joinpath(*place.parts) for path, place in safe.items()}


def download_folder(repo: str) -> Path:
    """Where the files of `repo` go. Raises TransferError for a name that points away."""
    return paths.models_dir().joinpath(*safe_path(repo).parts)
