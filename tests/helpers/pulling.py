"""Pulling from the fake hub as tests want it: impatient, or in a process that can be killed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.engine.usage import peak_rss_bytes
from app.hub.pull import Progress, Request, TransferOptions, pull
from app.hub.repo import RemoteFile
from quantize.control import Control
from tests.helpers.fake_hub import FakeHub

REPO = "maker/model-GGUF"


def options(hub: FakeHub, **changes: Any) -> TransferOptions:
    """Short pauses, few tries, and no disk space kept back."""
    impatient = TransferOptions(
        endpoints=(hub.endpoint,),
        reserve_bytes=0,
        stall_s=5.0,
        connect_s=5.0,
        retries=3,
        backoff_s=0.005,
        checkpoint_s=0.02,
    )
    return replace(impatient, **changes)


def add(hub: FakeHub, folder: Path, files: dict[str, Any], **more: Any) -> Request:
    """Put `files` on the hub; the request for all of them, with what a hub's metadata says."""
    commit = hub.add_repo(REPO, files, **more)
    stored = hub.repos[REPO].commits[commit]
    remote = tuple(
        RemoteFile(
            REPO,
            commit,
            path,
            stored[path].content.size,
            stored[path].content.sha256 if stored[path].is_lfs else "",
        )
        for path in files
    )
    return Request(remote, folder, "Model", "Q4_K_M")


def fetch(
    hub: FakeHub,
    request: Request,
    emit: Callable[[Progress], None] = lambda _: None,
    control: Control | None = None,
    **changes: Any,
) -> tuple[Path, ...]:
    return pull(request, emit, control or Control(), options(hub, **changes))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def left_over(folder: Path) -> list[str]:
    """All file names below `folder`."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def start_child(hub: FakeHub, request: Request, n_connections: int = 2) -> subprocess.Popen[bytes]:
    """A process that pulls the first file of `request`; it prints the place and its peak memory."""
    file = request.files[0]
    facts = (hub.endpoint, file.repo, file.commit, file.path, str(file.size_bytes), file.sha256)
    arguments = [*facts, str(request.folder), str(n_connections)]
    command = [sys.executable, "-m", "tests.helpers.pulling", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _child(
    endpoint: str,
    repo: str,
    commit: str,
    path: str,
    size: str,
    sha256: str,
    folder: str,
    n_connections: str,
) -> None:
    request = Request(
        (RemoteFile(repo, commit, path, int(size), sha256),), Path(folder), "Model", "Q4_K_M"
    )
    transfer = TransferOptions(
        endpoints=(endpoint,),
        reserve_bytes=0,
        n_connections=int(n_connections),
        checkpoint_s=0.02,
    )
    found = pull(request, lambda _: None, Control(), transfer)
    sys.stdout.write(f"{found[0]}\n{peak_rss_bytes()}\n")


if __name__ == "__main__":
    _child(*sys.argv[1:])
