"""Guards on every test: a home folder of its own, and nothing left running when it ends."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from devtools import starter

from tests.helpers import leaks

ROOT = Path(__file__).resolve().parents[1]
# Cheapest first, as in pyproject's testpaths, however pytest was called.
_ORDER = ("unit", "native", "qt", "e2e", "gpu")
# What a developer's shell may hold and a test must not see.
_FORGOTTEN = (
    *("HF_TOKEN", "HF_HOME", "HF_ENDPOINT", "HUGGING_FACE_HUB_TOKEN", "LANGUAGE"),
    *("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "OLLAMA_MODELS", "JAN_DATA_FOLDER"),
)
_homes = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is imported or any session fixture runs: leave the real home."""
    _take_own_cores()
    found = starter.find(ROOT)  # it may lie in the real data folder
    if found is not None and found.parent == starter.user_models_dir():
        os.environ["NIBBLE_STARTER"] = str(found)
    base = Path(tempfile.mkdtemp(prefix="nibble-"))  # short: socket paths end at 108 characters
    config.add_cleanup(lambda: shutil.rmtree(base, ignore_errors=True))
    config.stash[_base_key] = base
    for name in _FORGOTTEN:
        os.environ.pop(name, None)
    os.environ.update(_home_environment(base / "session"))
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    os.environ["LC_ALL"] = "C.UTF-8"


def _take_own_cores() -> None:
    """Of several workers, each keeps to cores of its own: llama.cpp's threads spin, and would slow
    those of the others tenfold."""
    worker, n_workers = os.environ.get("PYTEST_XDIST_WORKER"), "PYTEST_XDIST_WORKER_COUNT"
    if worker and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        number, count = int(worker.removeprefix("gw")), int(os.environ[n_workers])
        os.sched_setaffinity(0, cores[number::count] or cores)


_base_key = pytest.StashKey[Path]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: _ORDER.index(_folder(item)) if _folder(item) in _ORDER else 99)


def _folder(item: pytest.Item) -> str:
    """ "unit", "qt", ...: the folder under tests/."""
    tests = ROOT / "tests"
    return item.path.relative_to(tests).parts[0] if item.path.is_relative_to(tests) else ""


def _home_environment(home: Path) -> dict[str, str]:
    """Makes `home` and returns the variables that lead every platform's programs there."""
    runtime = home / "run"
    runtime.mkdir(parents=True, mode=0o700)
    return {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "APPDATA": str(home / "config"),
        "LOCALAPPDATA": str(home / "data"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_STATE_HOME": str(home / "state"),
        "XDG_RUNTIME_DIR": str(runtime),
    }


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """Set up before every other fixture of the test, so it looks when those have cleaned up.

    What module and session fixtures keep running was there before and is not counted.
    """
    children, threads = leaks.running_children(), threading.enumerate()
    yield
    processes = leaks.leaked_children(children)
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert not processes, f"the test left child processes running: {processes}"
    left = leaks.leaked_threads(threads)
    assert not left, f"the test left threads running: {left}"


@pytest.fixture(autouse=True)
def home(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _nothing_left_running: None,
) -> Iterator[Path]:
    """An empty home folder, new for every test; the real one is out of reach."""
    folder = request.config.stash[_base_key] / str(next(_homes))
    for name, value in _home_environment(folder).items():
        monkeypatch.setenv(name, value)
    if _folder(request.node) == "e2e":  # those start the real thing on an X display of their own
        monkeypatch.delenv("QT_QPA_PLATFORM")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _no_qthread_left(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _nothing_left_running: None
) -> Iterator[None]:
    """For tests with a Qt application: every QThread that was started has ended."""
    if "qapp" not in request.fixturenames:
        yield
        return
    from PySide6.QtCore import QThread, QThreadPool

    started: list[QThread] = []
    start = QThread.start

    def start_recorded(thread: QThread, *arguments: QThread.Priority) -> None:
        started.append(thread)
        start(thread, *arguments)

    monkeypatch.setattr(QThread, "start", start_recorded)
    yield
    left = leaks.leaked_qthreads(started)
    for thread in left:  # a QThread that dies running takes the whole test run along
        thread.requestInterruption()
        thread.quit()
        thread.wait(1000)
    assert not left, f"the test left QThreads running: {left}"
    pool_is_idle = QThreadPool.globalInstance().waitForDone(int(leaks.GRACE_S * 1000))
    assert pool_is_idle, "the test left work in Qt's global thread pool"


@pytest.fixture(autouse=True)
def _no_logged_warning(request: pytest.FixtureRequest) -> Iterator[None]:
    """A warning in the log fails the test; one that expects it takes `caplog` and looks."""
    if "caplog" in request.fixturenames:
        yield
        return
    records: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: records.append(  # type: ignore[method-assign]
        f"{record.levelname} {record.name}: {record.getMessage()}"
    )
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    assert not records, "unexpected in the log: " + "; ".join(records)


@pytest.fixture(scope="session")
def starter_path() -> Path:
    """The starter model: a real, small chat model. Missing is a failure, not a reason to skip."""
    found = starter.find(ROOT)
    if found is None:
        pytest.fail("The starter model is not here. ./packaging/dev test gets it.", pytrace=False)
    return found


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.name != "posix" or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "nibble", str(place)])
    if mounted.returncode:
        pytest.skip("this machine does not let root mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)
