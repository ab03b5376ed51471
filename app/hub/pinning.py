"""A request whose commit nobody knows yet becomes one with a commit, sizes and hashes: asked once.

The catalogue lists some files without a commit; a download never follows a name that may move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.client import Hub
from app.hub.errors import NotFoundError
from app.hub.pull import Request
from app.hub.repo import RemoteFile

_GONE = QT_TRANSLATE_NOOP("hub", "{repo} no longer has the file {path}.")
_GONE_HINT = QT_TRANSLATE_NOOP("hub", "Its makers have renamed it. Look at the model's page.")


def pin(request: Request, make_hub: Callable[[], Hub] = Hub) -> Request:
    """`request` with every file at a commit. Raises HubError; asks nobody where all are."""
    loose = {file.repo for file in request.files if not file.commit}
    if not loose:
        return request
    hub = make_hub()
    known = {repo: {file.path: file for file in hub.repo(repo).files} for repo in sorted(loose)}
    files = tuple(file if file.commit else _found(file, known[file.repo]) for file in request.files)
    return replace(request, files=files)


def _found(file: RemoteFile, files: dict[str, RemoteFile]) -> RemoteFile:
    if file.path not in files:
        text = _GONE.fill(repo=file.repo, path=file.path)
        raise NotFoundError(text, _GONE_HINT)
    return files[file.path]
