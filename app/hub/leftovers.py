"""Downloads that were begun and are not done: listed on the disk, found again, thrown away."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from app.hub.errors import TransferError
from app.hub.names import safe_paths
from app.hub.partfile import PartFile
from app.hub.refusals import cannot_write
from app.hub.repo import RemoteFile
from app.hub.request import Request, targets
from app.hub.sidecar import (
    MANIFEST_SUFFIX,
    ListedFile,
    Manifest,
    load_manifest,
    load_sidecar,
    manifest_of,
    part_of,
    remove_temporaries,
    save_manifest,
    sidecar_of,
)


def remember(request: Request) -> None:
    """Write its list, so that it outlives a crash. Raises TransferError."""
    files = tuple(
        ListedFile(file.repo, file.commit, file.path, file.size_bytes, file.sha256)
        for file in request.files
    )
    manifest = Manifest(title=request.title, variant=request.variant, files=files)
    try:
        save_manifest(manifest_of(request.folder, request.files), manifest)
    except OSError as error:
        raise cannot_write(request.folder, error) from error


def forget(request: Request) -> None:
    """It is done, or not wanted any more."""
    manifest = manifest_of(request.folder, request.files)
    with suppress(OSError):
        manifest.unlink(missing_ok=True)
    remove_temporaries(manifest)


def has_begun(request: Request) -> bool:
    """Whether there is anything to go on with."""
    return any(place.exists() or part_of(place).exists() for place in targets(request).values())


def missing_bytes(request: Request) -> int:
    """What still has to find room. A file of the right size at its place counts as being there."""
    places = targets(request)
    return sum(_missing(file, places[file.path]) for file in request.files)


def unfinished(folder: Path) -> tuple[Request, ...]:
    """What was begun anywhere below `folder` and is not done, after a crash or a quit."""
    found = []
    for path in sorted(folder.glob(f"**/.*{MANIFEST_SUFFIX}")):
        manifest = load_manifest(path)
        if manifest is None:
            continue
        files = tuple(
            RemoteFile(file.repo, file.commit, file.path, file.size_bytes, file.sha256)
            for file in manifest.files
        )
        if manifest_of(path.parent, files) == path and _has_safe_names(files):
            found.append(Request(files, path.parent, manifest.title, manifest.variant))
    return tuple(found)


def discard(request: Request) -> None:
    """Throw away the unfinished parts, but none that another process is at. Raises HubError."""
    for place in targets(request).values():
        if not part_of(place).exists() and not sidecar_of(place).exists():
            continue
        try:
            part = PartFile.take(place)
        except OSError as error:
            raise cannot_write(place, error) from error
        if part is not None:
            part.discard()
    forget(request)


def _missing(file: RemoteFile, target: Path) -> int:
    with suppress(OSError):
        if target.is_file() and target.stat().st_size == file.size_bytes:
            return 0
    part = load_sidecar(target)
    done = part.hashed_bytes if part is not None and part.describes(file) else 0
    return file.size_bytes - done


def _has_safe_names(files: tuple[RemoteFile, ...]) -> bool:
    try:
        safe_paths(file.path for file in files)
    except TransferError:
        return False
    return all(file.size_bytes >= 0 for file in files)
