"""The verbs of packaging/dev. Each does all the set-up that it needs; the second time at once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from devtools import environment, lock, oracle, smoke, starter, system
from devtools.console import SetupError, say

ROOT = Path(__file__).resolve().parents[2]
_LATER = ("package",)


_MOST_WORKERS = 4  # each takes a gigabyte at times


def run(arguments: list[str]) -> int:
    """start Nibble; ARGS are the app's own (nibble ARGS)"""
    python = _prepare(environment.RUNTIME, system.missing_to_run())
    starter.ensure(ROOT, python)
    # -P: the folder it is called from stays the current one, but nothing is imported from it.
    return _become(python, ["-P", "-m", "app", *arguments])


def test(arguments: list[str]) -> int:
    """run the tests, all of them on all cores; ARGS go to pytest"""
    os.chdir(ROOT)
    python, _ = _prepare_for_tests()
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    shared = ["-n", str(workers), "--dist", "worksteal"]
    return _become(python, ["-m", "pytest", *(arguments or shared)])


def lint(arguments: list[str]) -> int:
    """check style, types and import rules"""
    _refuse(arguments)
    os.chdir(ROOT)
    python = _prepare(environment.DEV, [])
    failed = [name for name, command in _LINTERS.items() if not _passes(python, name, command)]
    if lock.outdated(ROOT):
        failed.append(
            "packaging/requirements*.txt (pyproject.toml has changed: packaging/dev lock)"
        )
    say(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    return 1 if failed else 0


def bench(arguments: list[str]) -> int:
    """measure Nibble itself; ARGS go to tests.bench"""
    os.chdir(ROOT)
    python, _ = _prepare_for_tests()
    return _become(python, ["-m", "tests.bench", *arguments])


def soak(arguments: list[str]) -> int:
    """run what takes too long for every time: 10,000 hostile cases each; ARGS go to pytest"""
    os.chdir(ROOT)
    python, _ = _prepare_for_tests()
    os.environ.setdefault("NIBBLE_FUZZ_CASES", "10000")
    return _become(python, ["-m", "pytest", "-m", "fuzz or soak", *arguments])


def compare_with_official(arguments: list[str]) -> int:
    """compare our files with the official converter's (fetches torch); --help for more"""
    os.chdir(ROOT)
    python, _ = _prepare_for_tests()
    official, converter, packages = oracle.ensure(ROOT)
    places = [f"--python={official}", f"--converter={converter}", f"--packages={packages}"]
    return _become(python, ["-m", "tests.oracle", *places, *arguments])


def smoke_window(arguments: list[str]) -> int:
    """open the real window once on a hidden display and close it"""
    _refuse(arguments)
    os.chdir(ROOT)
    return smoke.smoke(*_prepare_for_tests())


def lock_requirements(arguments: list[str]) -> int:
    """write packaging/requirements*.txt anew (needs uv); --upgrade for newer versions"""
    return lock.lock(ROOT, arguments)


VERBS: dict[str, Callable[[list[str]], int]] = {
    "run": run,
    "test": test,
    "lint": lint,
    "bench": bench,
    "oracle": compare_with_official,
    "soak": soak,
    "smoke": smoke_window,
    "lock": lock_requirements,
}
_FILES = ["app", "quantize", "resources", "tests", "packaging/dev", "packaging/devtools"]
# "python -m" and not the scripts in .venv/bin: those break when the folder is moved.
_LINTERS = {
    "ruff check": ["-m", "ruff", "check", *_FILES],
    "ruff format": ["-m", "ruff", "format", "--check", *_FILES],
    "mypy": ["-m", "mypy"],
    "mypy (packaging)": ["-m", "mypy", "packaging/devtools"],
    "lint-imports": [
        "-c",
        "from importlinter.cli import lint_imports_command as run; run(['--no-logo'])",
    ],
}


def main(arguments: Sequence[str]) -> int:
    """Do what the command line asks for; returns the exit code."""
    verb, rest = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    if verb in ("-h", "--help", "help"):
        print(_usage())
        return 0
    if verb in _LATER:
        say(f"“{verb}” is not here yet: it comes in a later version.")
        return 1
    if verb not in VERBS:
        say(_usage())
        return 2
    try:
        return VERBS[verb](rest)
    except SetupError as error:
        say(f"{error.text}\n{error.hint}".rstrip())
        return 1
    except OSError as error:
        say(f"Setting up failed: {error}.")
        return 1
    except KeyboardInterrupt:
        say("Cancelled.")
        return 130


def _refuse(arguments: list[str]) -> None:
    if arguments:
        raise SetupError(f"This verb takes no arguments, and got: {' '.join(arguments)}.")


def _prepare(requirements: str, packages: list[str]) -> Path:
    """All system packages in one go, so that a person without rights is told one command."""
    missing = [*packages, *environment.missing_packages(ROOT, requirements)]
    system.provide(missing, environment.log_file(ROOT))
    return environment.ensure(ROOT, requirements)


def _prepare_for_tests() -> tuple[Path, Path]:
    python = _prepare(environment.DEV, system.missing_to_test())
    return python, starter.ensure(ROOT, python)


def _become(python: Path, arguments: list[str]) -> int:
    """Replace this process; Ctrl+C and the exit code are then the program's own."""
    command = [str(python), *arguments]
    if os.name != "nt":
        os.execv(python, command)
    return subprocess.call(command)  # Windows: exec would return to the shell at once


def _passes(python: Path, name: str, arguments: list[str]) -> bool:
    say(f"== {name}")
    return subprocess.run([python, *arguments]).returncode == 0


def _usage() -> str:
    lines = [f"  {name:6} {verb.__doc__}" for name, verb in VERBS.items()]
    return "\n".join(["usage: packaging/dev VERB [ARGS...]", *lines])
