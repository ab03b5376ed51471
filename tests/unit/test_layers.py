"""Rules of ARCHITECTURE.md that import-linter cannot say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _imports(code: str) -> set[str]:
    command = [sys.executable, "-c", f"{code}; import sys; print(*sys.modules)"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return set(result.stdout.split())


def test_jobs_knows_no_widgets() -> None:
    for file in (ROOT / "app" / "jobs").glob("*.py"):
        text = file.read_text("utf-8")
        assert "QtWidgets" not in text, file
        assert "QtGui" not in text, file


@pytest.mark.parametrize("module", ["app.cli", "app.engine.client", "app.core.store"])
def test_the_command_line_loads_no_qt_and_no_llama(module: str) -> None:
    loaded = _imports(f"import {module}")
    assert not {name for name in loaded if name.startswith(("PySide6", "llama_cpp", "numpy"))}


def test_the_engine_child_loads_no_qt_and_no_pickle_cache() -> None:
    loaded = _imports("import app.engine.worker")
    assert "llama_cpp.llama_cpp" in loaded
    assert not {n for n in loaded if n.startswith(("PySide6", "diskcache", "llama_cpp.llama."))}


@pytest.mark.parametrize("module", ["app.ui.application", "app.ui.downloads.link"])
def test_the_window_starts_without_the_hub_and_its_libraries(module: str) -> None:
    loaded = _imports(f"import {module}")
    heavy = ("httpx2", "huggingface_hub", "keyring", "numpy", "llama_cpp", "pynvml")
    assert not {name for name in loaded if name.split(".")[0] in heavy}
    assert "app.hub.pull" not in loaded
