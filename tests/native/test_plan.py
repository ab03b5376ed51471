"""What a plan makes of a model's shape alone: sizes, memory, time, and what is in the way.

Whole jobs and their plans are test_quantize_plan's.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from quantize import plan as plan_module
from quantize.errors import UnsupportedError
from quantize.job import Job, Plan, Recipe
from quantize.model import Model
from quantize.plan import file_stem, make_plan
from quantize.types import GgmlType
from quantize.variants import LADDER
from tests.helpers.shaped_model import LLAMA_8B, LLAMA_70B, SMALL, shaped

Usage = namedtuple("Usage", "total used free")
LADDER_NAMES = tuple(kind.name for kind in LADDER)


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., Plan]:
    work_dir = tmp_path / "work"
    work_dir.mkdir()

    def make(model: Model, *types: str, **options: Any) -> Plan:
        options = {"out_dir": str(tmp_path / "out"), "n_threads": 2} | options
        made = make_plan(model, Job(str(model.path), types, **options), None, work_dir)
        assert not list(work_dir.iterdir())
        assert not (tmp_path / "out").exists()
        return made

    return make


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Say how much of the disk is free."""
    return lambda free: monkeypatch.setattr(
        shutil, "disk_usage", lambda _: Usage(10 * free, 9 * free, free)
    )


def _requantized(model: Model, type_: GgmlType) -> Model:
    weights = (
        dataclasses.replace(w, type=type_) if w.type is GgmlType.BF16 else w for w in model.weights
    )
    return dataclasses.replace(model, weights=tuple(weights), source_type=type_.name)


def test_seven_types_of_a_70b_are_planned_quickly(planned: Callable[..., Plan]) -> None:
    """With its vocabulary; the calibration, which takes a second, comes first and is kept."""
    model = shaped(LLAMA_70B, with_words=True)
    planned(shaped(SMALL), *LADDER_NAMES)
    began = time.process_time()
    files = planned(model, *LADDER_NAMES).files
    assert time.process_time() - began < 2  # 0.6 on a quiet machine
    sizes = {file.type: round(file.size_bytes / 1e9, 1) for file in files}
    assert (sizes["Q8_0"], sizes["Q4_K_M"], sizes["Q2_K"]) == (75.0, 42.5, 26.4)


def test_figures_add_up(planned: Callable[..., Plan]) -> None:
    for file in planned(shaped(LLAMA_8B), *LADDER_NAMES).files:
        n_bytes = sum(tensor.size_bytes for tensor in file.tensors)
        header = file.size_bytes - n_bytes
        assert 0 < header < 50_000
        assert file.bpw == pytest.approx(n_bytes * 8 / 8.03e9, rel=0.001)
        assert len(file.tensors) == 32 * 9 + 3


def test_memory_does_not_grow_with_the_model(planned: Callable[..., Plan]) -> None:
    now = psutil.Process().memory_info().rss
    for shape in (LLAMA_8B, LLAMA_70B):
        made = planned(shaped(shape), *LADDER_NAMES)
        assert 5e6 < made.peak_memory_bytes - now < 150e6
        assert made.peak_memory_bytes < 700e6


def test_more_threads_take_more_memory(planned: Callable[..., Plan]) -> None:
    two, eight = (planned(shaped(LLAMA_8B), "Q8_0", n_threads=n) for n in (2, 8))
    assert two.peak_memory_bytes < eight.peak_memory_bytes


@pytest.mark.parametrize("types", [("Q4_K_M",), ("Q8_0", "Q4_K_M"), ("Q4_K_M", "Q8_0")])
def test_the_model_a_matrix_is_measured_on_counts_in_memory(
    planned: Callable[..., Plan], types: tuple[str, ...]
) -> None:
    copy = planned(shaped(LLAMA_8B), "Q8_0").files[0].size_bytes
    made = planned(shaped(LLAMA_8B), *types, imatrix="auto")
    itself = psutil.Process().memory_info().rss  # this one, which has run many tests
    assert copy < made.peak_memory_bytes < copy + itself + 1e9


def test_too_little_memory_is_a_warning(
    planned: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not planned(shaped(SMALL), "Q8_0").warnings
    memory = namedtuple("Memory", "available")
    monkeypatch.setattr(plan_module.psutil, "virtual_memory", lambda: memory(10**6))
    (warning,) = planned(shaped(SMALL), "Q8_0").warnings
    assert "1 MB free" in str(warning)


def test_what_does_not_fit_names_the_largest_that_would(
    planned: Callable[..., Plan], disk: Callable[[int], None]
) -> None:
    disk(6 * 10**9)
    (problem,) = planned(shaped(LLAMA_8B), "Q8_0", "Q4_K_M", "Q2_K").problems
    assert str(problem) == "Needs 16.6 GB of disk, 6.0 GB free; Q4_K_M alone (4.9 GB) would fit."
    disk(10**9)
    (problem,) = planned(shaped(LLAMA_8B), "Q8_0", "Q2_K").problems
    assert "even Q2_K alone takes 3.2 GB" in str(problem)


def test_the_working_copy_counts_in_what_would_fit(
    planned: Callable[..., Plan], disk: Callable[[int], None]
) -> None:
    disk(9 * 10**9)
    (problem,) = planned(shaped(LLAMA_8B), "Q6_K", "Q2_K", imatrix="auto").problems
    assert "alone (8.5 GB) would fit" in str(problem)
    disk(8 * 10**9)
    (problem,) = planned(shaped(LLAMA_8B), "Q2_K", imatrix="auto").problems
    assert "even Q2_K alone takes 8.5 GB" in str(problem)


def test_a_source_that_is_quantized_already(planned: Callable[..., Plan]) -> None:
    model = _requantized(shaped(SMALL), GgmlType.Q8_0)
    (file,) = planned(model, "Q4_K_M").files
    assert str(file.problem) == "The source is quantized already (Q8_0)."
    assert "--allow-requantize" in str(file.hint)
    made = planned(model, "Q4_K_M", recipe=Recipe(allow_requantize=True))
    assert made.files[0].problem is None
    assert "the loss of both steps adds up" in str(made.warnings[0])


def test_back_to_full_precision_loses_nothing_more(planned: Callable[..., Plan]) -> None:
    model = _requantized(shaped(SMALL), GgmlType.Q8_0)
    made = planned(model, "F32", recipe=Recipe(allow_requantize=True))
    assert not made.warnings
    assert not planned(model, "Q8_0").warnings  # copied


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_the_source_is_known_under_any_name(
    planned: Callable[..., Plan], tmp_path: Path, link: str
) -> None:
    source = tmp_path / "source.gguf"
    source.write_bytes(b"GGUF")
    folder = tmp_path / "models"
    folder.mkdir()
    getattr(folder / "Shaped-Q8_0.gguf", link)(source)
    model = dataclasses.replace(shaped(SMALL), path=source)
    (file,) = planned(model, "Q8_0", out_dir=str(folder)).files
    assert str(file.problem) == "Shaped-Q8_0.gguf is the source itself."


def test_a_file_in_place_of_the_folder(planned: Callable[..., Plan], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    for folder in ("taken", "taken/below"):
        made = planned(shaped(SMALL), "Q8_0", out_dir=str(tmp_path / folder))
        assert str(made.problems[0]) == "taken is a file, not a folder: choose another place."


def test_a_folder_one_may_not_write_to(
    planned: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    (problem,) = planned(shaped(SMALL), "Q8_0").problems
    assert str(problem).startswith(f"You are not allowed to write into {tmp_path}")


def test_a_job_for_nothing(planned: Callable[..., Plan]) -> None:
    with pytest.raises(UnsupportedError, match="Say which type"):
        planned(shaped(SMALL))


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Qwen3-4B", "Qwen3-4B"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a/b\\c:d\0e\n", "a_b_c_d_e_"),
        ("...", "model"),
        ("", "model"),
        ("Größe 2.5", "Größe 2.5"),
        ("x" * 500, "x" * 180),
        ("é" * 500, "é" * 90),
        ("名" * 500, "名" * 60),
    ],
)
def test_a_models_name_becomes_a_files(name: str, stem: str) -> None:
    model = dataclasses.replace(shaped(SMALL), name=name)
    assert file_stem(model) == stem
    assert len(f"{stem}-IQ3_XXS.gguf.partial".encode()) < 255
