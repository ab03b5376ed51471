"""The guards in tests/conftest.py fail what they are there to fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LEAKY = """
import logging, subprocess, sys, threading
from pathlib import Path
from PySide6.QtCore import QThread
from tests.helpers import leaks

leaks.GRACE_S = 0.1  # nothing here will end in time anyway

def test_clean(qapp, home):
    thread = QThread()
    thread.start()
    thread.quit()
    assert thread.wait(2000)
    assert Path.home() == home

def test_child():
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

def test_thread():
    threading.Timer(2, print).start()

kept = []

def test_qthread(qapp):
    kept.append(QThread())
    kept[0].start()

def test_log():
    logging.getLogger("anything").warning("disk is slow")

def test_expected_log(caplog):
    logging.getLogger("anything").warning("disk is slow")
    assert caplog.messages == ["disk is slow"]

def test_qt_warning(qapp):
    from PySide6.QtCore import qWarning
    qWarning("no such signal")
"""


def test_leaks_and_warnings_fail(tmp_path: Path) -> None:
    (tmp_path / "test_leaky.py").write_text(LEAKY)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-q", "-W", "default"]
    command += ["-c", str(ROOT / "pyproject.toml"), str(tmp_path / "test_leaky.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    for failure in (
        "ERROR test_leaky.py::test_child - AssertionError: the test left child processes",
        "ERROR test_leaky.py::test_thread - AssertionError: the test left threads",
        "ERROR test_leaky.py::test_qthread - AssertionError: the test left QThreads",
        "ERROR test_leaky.py::test_log - AssertionError: unexpected in the log",
        "FAILED test_leaky.py::test_qt_warning",
    ):
        name = failure.split("::")[1].split(" ")[0]
        summary = [line for line in done.stdout.splitlines() if f"::{name}" in line]
        outcome, _, message = failure.partition(" - ")
        assert any(outcome.split()[0] in line and message in line for line in summary), done.stdout
    assert "1 failed, 6 passed" in done.stdout
    assert "4 errors" in done.stdout
