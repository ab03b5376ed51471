"""The virtual environment in .venv: made once, and known to be current from a stamp file.

Everything comes from packaging/requirements*.txt with hashes; the lists are made by lock.py.

llama-cpp-python is published as source only, and compiling it takes minutes. Two things keep that
to once per machine: pip puts the compiled wheel into its own cache under the source's URL and hash,
and pip >= 23.1 takes it from there in --require-hashes mode too (the wheel's own hash is not in
the list, but origin.json beside it names the hash of the source it was made from). Debian 12 has
pip 23.0.1, hence the build tools go first. Our own "pip wheel" folder would lose the check.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from devtools import system
from devtools.console import CommandError, Phase, run_visibly, say
from devtools.hints import explain

RUNTIME = "requirements.txt"
DEV = "requirements-dev.txt"  # holds the runtime list too
BUILD = "requirements-build.txt"
_NINJA_STEP = re.compile(r"\[(\d+)/(\d+)\] ")


def venv_python(root: Path) -> Path:
    return venv_folder_python(root / ".venv")


def venv_folder_python(venv: Path) -> Path:
    folder, name = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return venv / folder / name


def log_file(root: Path) -> Path:
    """What the last long command said, in full."""
    return root / ".cache/setup.log"


def ensure(root: Path, requirements: str) -> Path:
    """The Python of an environment that holds what `requirements` lists. Raises SetupError."""
    if not is_current(root, requirements):
        with _one_at_a_time(root):
            if not is_current(root, requirements):  # another terminal may have been faster
                _set_up(root, requirements)
    return venv_python(root)


def is_current(root: Path, requirements: str) -> bool:
    """Whether the environment was set up from the files as they are now."""
    if not venv_python(root).exists():
        return False
    return any(
        _stamp_file(root, name).is_file()
        and _stamp_file(root, name).read_text() == stamp(root, name)
        for name in {requirements, DEV}
    )


def stamp(root: Path, requirements: str) -> str:
    """Changes when the lists, the project's own metadata, the Python or the folder change."""
    pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    parts = {
        "project": pyproject["project"],
        "packages": pyproject["tool"]["setuptools"],
        "requirements": [_read(root / "packaging" / name) for name in (BUILD, requirements)],
        "python": _read(root / ".venv/pyvenv.cfg"),
        "root": str(root),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _stamp_file(root: Path, requirements: str) -> Path:
    return root / ".venv" / f"nibble-{requirements}.stamp"


def missing_packages(root: Path, requirements: str) -> list[str]:
    """The system packages that `ensure` will need. Raises SetupError where apt cannot help."""
    if is_current(root, requirements):
        return []
    venv = [] if _has_pip(root) else system.missing_to_make_venv()
    compiler = [] if _has_llama_cpp(root) else system.missing_to_compile()
    return [*venv, *compiler]


def _set_up(root: Path, requirements: str) -> None:
    if not _has_pip(root):
        venv = [sys.executable, "-m", "venv", "--clear", "--prompt", "nibble", str(root / ".venv")]
        _run(root, venv, Phase("Making a virtual environment in .venv"))
    pip_install(root, "-r", str(root / "packaging" / BUILD), phase=Phase("Installing build tools"))
    pip_install(root, "-r", str(root / "packaging" / requirements), phase=InstallPhase())
    # What builds the project is in the environment already: no isolation, no second download.
    itself = ["--no-build-isolation", "--editable", str(root)]
    pip_install(root, *itself, phase=Phase("Installing Nibble itself"), hashes=False)
    _stamp_file(root, requirements).write_text(stamp(root, requirements))


def _has_pip(root: Path) -> bool:
    """False for no environment, one that was left half made, and one whose Python has gone."""
    check = "import pip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
    return _succeeds(root, check)


def _has_llama_cpp(root: Path) -> bool:
    check = "from importlib.metadata import version; version('llama_cpp_python')"
    return _succeeds(root, check)


def _succeeds(root: Path, code: str) -> bool:
    try:
        return subprocess.run([venv_python(root), "-c", code], capture_output=True).returncode == 0
    except OSError:
        return False


def pip_install(root: Path, *arguments: str, phase: Phase, hashes: bool = True) -> None:
    """pip install into .venv. The lists are complete, so pip resolves nothing (--no-deps)."""
    command = [str(venv_python(root)), "-m", "pip", "install", "-v", "--no-input", "--no-deps"]
    command += ["--progress-bar", "off", "--disable-pip-version-check"]
    command += ["--require-hashes"] if hashes else []
    _run(root, [*command, *arguments], phase)


def _run(root: Path, command: list[str], phase: Phase) -> None:
    log = log_file(root)
    env = {"CMAKE_BUILD_PARALLEL_LEVEL": str(core_count()), **os.environ, "PIP_USER": "0"}
    try:
        run_visibly(command, phase, log, env)
    except CommandError as error:
        raise explain(error, error.text, log) from error


def core_count() -> int:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class InstallPhase(Phase):
    """Follows `pip install -v`: downloads, the compilation of llama.cpp, the installation."""

    def __init__(self) -> None:
        super().__init__("Installing packages")

    def read(self, line: str) -> None:
        text = line.strip()
        step = _NINJA_STEP.match(text)
        if step:
            self.details = f", {step[1]} of {step[2]} files"
        elif text.startswith("Building wheel for llama-cpp-python"):
            self.heading, self.details = compile_heading(core_count()), ""
        elif text.startswith("Downloading "):
            self.details = f", {text[0].lower()}{text[1:]}"
        elif text.startswith("Installing collected packages"):
            self.heading, self.details = "Installing packages", ", unpacking"


def compile_heading(cores: int) -> str:
    """Measured: about 17 core-minutes on a 2026 laptop core; older ones take twice that."""
    low, high = max(1, round(10 / cores)), max(2, math.ceil(20 / cores))
    plural = "" if cores == 1 else "s"
    return f"Compiling llama.cpp (once, about {low} to {high} minutes on {cores} core{plural})"


@contextlib.contextmanager
def _one_at_a_time(root: Path) -> Iterator[None]:
    """Two terminals must not install into the same environment; the second one waits."""
    (root / ".cache").mkdir(exist_ok=True)
    if os.name == "nt":
        yield
        return
    import fcntl

    with (root / ".cache/setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another packaging/dev is setting up this folder; waiting for it to finish.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
