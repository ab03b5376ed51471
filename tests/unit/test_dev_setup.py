"""packaging/dev: what it says while it works, what it says when it fails, when it works at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from devtools import cli, console, environment, hints, lock, smoke, system

# As pip -v prints them.
PIP_OUTPUT = """\
Collecting numpy==2.4.6 (from -r packaging/requirements.txt (line 300))
  Downloading numpy-2.4.6-cp311-manylinux.whl (16.9 MB)
Building wheels for collected packages: llama-cpp-python
  Building wheel for llama-cpp-python (pyproject.toml): started
  [145/193] /usr/bin/g++ -DGGML_BUILD -o ggml.cpp.o -c ggml.cpp
Installing collected packages: numpy, llama-cpp-python
"""


def test_progress_follows_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "core_count", lambda: 2)
    phase = environment.InstallPhase()
    seen = []
    for line in PIP_OUTPUT.splitlines():
        phase.read(line)
        seen.append(phase.heading + phase.details)
    compiling = "Compiling llama.cpp (once, about 5 to 10 minutes on 2 cores)"
    assert seen == [
        "Installing packages",
        "Installing packages, downloading numpy-2.4.6-cp311-manylinux.whl (16.9 MB)",
        "Installing packages, downloading numpy-2.4.6-cp311-manylinux.whl (16.9 MB)",
        compiling,
        f"{compiling}, 145 of 193 files",
        "Installing packages, unpacking",
    ]


@pytest.mark.parametrize(("cores", "minutes"), [(1, "10 to 20"), (2, "5 to 10"), (64, "1 to 2")])
def test_compile_time_depends_on_cores(cores: int, minutes: str) -> None:
    heading = environment.compile_heading(cores)
    assert f"about {minutes} minutes on {cores} core" in heading
    assert heading.endswith("core)" if cores == 1 else "cores)")


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("c++: fatal error: Killed signal terminated program cc1plus", "out of memory"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not the one"),
        ("NameResolutionError: Failed to resolve 'example.org'", "check the network"),
    ],
)
def test_failures_get_a_hint(line: str, hint: str) -> None:
    assert hint in hints.hint_for(["before", line, "after"])


@pytest.mark.parametrize(
    ("last_line", "shown"), [("ConnectTimeoutError", ""), ("never seen", "never seen\n")]
)
def test_output_is_shown_where_no_hint_is_known(
    last_line: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = console.CommandError("Talking failed (exit code 3).", [last_line])
    explained = hints.explain(error, error.text, Path(".cache/setup.log"))
    assert capsys.readouterr().err == shown
    assert explained.hint.endswith("The whole log is .cache/setup.log.")


def test_a_failing_command_keeps_what_it_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log"
    talk = "for i in range(100): print(i)\nraise SystemExit(3)"
    with pytest.raises(console.CommandError) as caught:
        console.run_visibly([sys.executable, "-c", talk], console.Phase("Talking"), log)
    assert caught.value.tail == tuple(str(i) for i in range(70, 100))
    assert caught.value.text == "Talking failed (exit code 3)."
    assert len(log.read_text().splitlines()) == 100
    assert capsys.readouterr().err == "Talking: 0:00\n"


def fake_project(root: Path) -> None:
    """A folder with an environment that looks freshly set up for development."""
    (root / "packaging").mkdir()
    for name in (environment.BUILD, environment.RUNTIME, environment.DEV):
        (root / "packaging" / name).write_text(f"{name}==1\n")
    (root / "pyproject.toml").write_text('[project]\nname="x"\n[tool.setuptools]\n[tool.ruff]\n')
    python = environment.venv_python(root)
    python.parent.mkdir(parents=True)
    python.touch()
    (root / ".venv/pyvenv.cfg").write_text("version = 3.11.7\n")
    dev = environment.DEV
    (root / f".venv/nibble-{dev}.stamp").write_text(environment.stamp(root, dev))


def test_development_environment_serves_both(tmp_path: Path) -> None:
    fake_project(tmp_path)
    assert environment.is_current(tmp_path, environment.DEV)
    assert environment.is_current(tmp_path, environment.RUNTIME)


def test_settings_of_tools_do_not_outdate_the_environment(tmp_path: Path) -> None:
    fake_project(tmp_path)
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write("line-length = 100\n")
    assert environment.is_current(tmp_path, environment.DEV)


@pytest.mark.parametrize(
    "name",
    ["pyproject.toml", "packaging/requirements-dev.txt", "packaging/requirements-build.txt"],
)
def test_changed_lists_outdate_the_environment(tmp_path: Path, name: str) -> None:
    fake_project(tmp_path)
    path = tmp_path / name
    path.write_text(path.read_text().replace('"x"', '"y"').replace("==1", "==2"))
    assert not environment.is_current(tmp_path, environment.DEV)


def test_another_python_or_place_outdates_the_environment(tmp_path: Path) -> None:
    original = tmp_path / "a"
    original.mkdir()
    fake_project(original)
    moved = original.rename(tmp_path / "b")
    assert not environment.is_current(moved, environment.DEV)
    (tmp_path / "c").mkdir()
    fake_project(tmp_path / "c")
    (tmp_path / "c/.venv/pyvenv.cfg").write_text("version = 3.12.1\n")
    assert not environment.is_current(tmp_path / "c", environment.DEV)


def test_the_lists_match_pyproject() -> None:
    assert lock.outdated(cli.ROOT) == []


def test_a_changed_dependency_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "packaging").mkdir()
    names = (environment.BUILD, environment.RUNTIME, environment.DEV)
    for name in names:
        (tmp_path / "packaging" / name).write_bytes((cli.ROOT / "packaging" / name).read_bytes())
    pyproject = (cli.ROOT / "pyproject.toml").read_text("utf-8")
    (tmp_path / "pyproject.toml").write_text(pyproject.replace("psutil>=7", "psutil>=6"), "utf-8")
    assert lock.outdated(tmp_path) == list(names)


def fake_program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


posix_only = pytest.mark.skipif(os.name == "nt", reason="apt and shell scripts")


@posix_only
def test_missing_libraries_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    fake_program(tmp_path / "bin", "apt-get", f'echo "$DEBIAN_FRONTEND $@" >> {log}')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    system.provide(["libgl1", "libegl1", "libgl1"], tmp_path / "apt.log")
    assert log.read_text().splitlines() == [
        "noninteractive -o DPkg::Lock::Timeout=120 update",
        "noninteractive -o DPkg::Lock::Timeout=120 install -y --no-install-recommends"
        " libegl1 libgl1",
    ]


@posix_only
def test_without_rights_it_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_program(tmp_path / "bin", "apt-get", "exit 1")
    fake_program(tmp_path / "bin", "sudo", "exit 1")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(console.SetupError) as caught:
        system.provide(["libegl1"], tmp_path / "apt.log")
    install = "sudo apt-get install -y --no-install-recommends libegl1"
    assert caught.value.hint == f"Run: sudo apt-get update && {install}"


def test_what_is_there_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # neither apt-get nor sudo can be found
    system.provide([], tmp_path / "apt.log")


@pytest.mark.skipif(sys.platform != "linux", reason="apt is Linux's")
def test_what_is_missing_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "QT_LIBRARIES", {"libnibble-has-none.so.7": "libnibble7"})
    monkeypatch.setattr(system, "_FONT_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(system.shutil, "which", lambda name: None if name == "Xvfb" else "/x")
    assert system.missing_to_run() == ["libnibble7", "fonts-dejavu-core"]
    assert system.missing_to_test() == ["libnibble7", "fonts-dejavu-core", "xvfb"]
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(system.shutil, "which", lambda name: None)
    assert system.missing_to_compile() == ["g++"]


def test_unknown_verb_lists_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rnu"]) == 2
    said = capsys.readouterr().err
    assert all(f"  {verb} " in said for verb in cli.VERBS)


@pytest.mark.parametrize("verb", ["package"])
def test_what_is_not_here_says_so(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb]) == 1
    assert capsys.readouterr().err == f"“{verb}” is not here yet: it comes in a later version.\n"


def test_a_first_start_sees_nothing_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    env = smoke._first_start(tmp_path, ":7", Path("starter.gguf"))
    assert "secret" not in env.values()
    assert env["HOME"] == str(tmp_path)


def test_supported_python_is_found_behind_a_dead_shim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyenv puts python3.11 on PATH even where it starts nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    fake_program(tmp_path, "python3.11", "exit 127")
    fake_program(tmp_path, "python3.12", "echo 3.12")
    script = (
        "import runpy, sys; dev = runpy.run_path(sys.argv[1], run_name='dev');"
        "print(dev['find_python']())"
    )
    command = [sys.executable, "-c", script, str(cli.ROOT / "packaging/dev")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "python3.12")
