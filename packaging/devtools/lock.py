"""packaging/requirements*.txt: exact versions with hashes, made from pyproject.toml by uv.

One list serves Python 3.11 to 3.13 on Linux, macOS and Windows (--universal). No list names a
package index, so that a mirror or a proxy works.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

from devtools.console import SetupError, say
from devtools.environment import BUILD, DEV, RUNTIME, venv_python

# ASCII: older pips read requirement files in the locale's encoding.
_MARK = "# made by packaging/dev lock from pyproject.toml "
# The only package without wheels: a list with another hash would never find it.
_SOURCE_ONLY = "llama-cpp-python"


def lock(root: Path, arguments: list[str]) -> int:
    """Write the three lists anew; `--upgrade` moves to the newest versions that are allowed."""
    uv = _find_uv(root)
    pyproject = _pyproject(root)
    build_tools = ["pip>=25", *pyproject["build-system"]["requires"]]
    _compile(root, uv, BUILD, ["-"], arguments, "\n".join(build_tools))
    _compile(root, uv, RUNTIME, ["pyproject.toml"], arguments)
    same = ["--constraints", f"packaging/{RUNTIME}"]  # the dev list adds to the runtime list
    _compile(root, uv, DEV, ["pyproject.toml", "--extra", "dev", *same], arguments)
    return 0


def outdated(root: Path) -> list[str]:
    """The lists that were made from other dependencies than pyproject.toml names now."""
    mark = _mark(root)
    texts = {name: root / "packaging" / name for name in (BUILD, RUNTIME, DEV)}
    return [
        name
        for name, path in texts.items()
        if not path.is_file() or mark not in path.read_text("utf-8")
    ]


def _compile(
    root: Path, uv: list[str], name: str, sources: list[str], extra: list[str], stdin: str = ""
) -> None:
    path = root / "packaging" / name
    command = [*uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += ["--generate-hashes", "--no-header", "--no-emit-index-url", "--no-annotate"]
    command += ["--output-file", f"packaging/{name}", *extra, *sources]
    done = subprocess.run(command, cwd=root, input=stdin, capture_output=True, text=True)
    if done.returncode:
        say(done.stderr.strip())
        raise SetupError(f"uv could not make packaging/{name}.", "The lines above say why.")
    text = _mark(root) + "\n" + path.read_text("utf-8")
    _check(name, text)
    path.write_text(text, encoding="utf-8")
    say(f"packaging/{name}: {len(re.findall('(?m)^[a-z]', text))} packages")


def _check(name: str, text: str) -> None:
    if "://" in text:
        raise SetupError(f"packaging/{name} names a package index.", "Unset uv's index settings.")
    for line in re.findall(rf"(?m)^{_SOURCE_ONLY}==.*(?:\n .*)*", text):
        if line.count("--hash=sha256:") != 1:
            raise SetupError(f"packaging/{name} has not exactly one hash for {_SOURCE_ONLY}.")


def _mark(root: Path) -> str:
    pyproject = _pyproject(root)
    parts = [
        pyproject["build-system"]["requires"],
        pyproject["project"]["requires-python"],
        pyproject["project"]["dependencies"],
        pyproject["project"]["optional-dependencies"],
    ]
    return _MARK + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _pyproject(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def _find_uv(root: Path) -> list[str]:
    """uv from PATH or from .venv; it is needed for this alone, so no list holds it."""
    found = shutil.which("uv")
    if found:
        return [found]
    in_venv = [str(venv_python(root)), "-m", "uv"]
    if (
        venv_python(root).exists()
        and not subprocess.run([*in_venv, "--version"], capture_output=True).returncode
    ):
        return in_venv
    raise SetupError("“lock” needs uv.", "Install it with: .venv/bin/python -m pip install uv")
