"""What the doctor says of computers that are not this one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.cli import doctor
from app.cli.checkup import find_problems
from app.core import hardware
from app.core.hardware import Hardware, Probed
from tests.helpers.machines import MACHINES
from tests.helpers.recording import Recording


@pytest.fixture(autouse=True)
def _with_a_starter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    starter = tmp_path / "starter.gguf"
    starter.write_bytes(b"GGUF")
    monkeypatch.setenv("NIBBLE_STARTER", str(starter))


def _seen(name: str, **changes: object) -> tuple[Hardware, Probed]:
    """A recorded computer with the probe's answer changed."""
    recording = Recording.named(name)
    probed = replace(recording.probed(), build_features=("avx", "avx2", "fma"), **changes)
    base = replace(MACHINES[name], gpus=(), devices=())
    return hardware.complete(base, probed), probed


def _problems(name: str, **changes: object) -> list[str]:
    return [str(problem) for problem in find_problems(*_seen(name, **changes))]


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_nothing_is_wrong_with_the_recorded_ones(name: str) -> None:
    assert _problems(name) == []


def test_a_card_that_the_build_cannot_use() -> None:
    cpu = Recording.named("rtx-4090-24").probed().devices[1:]
    (problem,) = _problems("rtx-4090-24", devices=cpu, backends=("cpu",))
    assert problem.startswith("NVIDIA GeForce RTX 4090 was found, but this build")
    assert "Get the Nibble package with CUDA" in problem


def test_integrated_graphics_are_no_problem() -> None:
    found, _ = _seen("laptop-16-no-gpu")
    assert found.gpus
    assert _problems("laptop-16-no-gpu") == []


def test_a_build_that_leaves_instructions_out() -> None:
    found, probed = _seen("rtx-4060-8")
    (problem,) = find_problems(found, replace(probed, build_features=("avx",)))
    assert "does not use AVX2" in str(problem)


def test_a_probe_that_failed_comes_first() -> None:
    error = hardware.gpu_sentence(MACHINES["rtx-4090-24"].gpus[0])
    problems = _problems("rtx-4090-24", devices=(), backends=(), error=error)
    assert problems[0] == str(error)
    assert "could not be found out" in problems[1]


def test_a_full_disk() -> None:
    found, probed = _seen("mac-m3-max-64")
    (problem,) = find_problems(replace(found, disk_free_bytes=10**9), probed)
    assert "1.0 GB are free" in str(problem)


def test_what_cannot_be_used_is_listed_as_such() -> None:
    cpu = Recording.named("rtx-4090-24").probed().devices[1:]
    report = doctor.report(*_seen("rtx-4090-24", devices=cpu, backends=("cpu",)), [])
    usable = {device["backend"]: device["usable"] for device in report["devices"]}
    assert usable == {"cpu": True, "cuda": False}
    assert report["gpus"][0]["state"] == "no_kernels"
    assert report["gpus"][0]["hint"]


def test_a_listed_card_that_is_too_old_is_not_usable() -> None:
    report = doctor.report(*_seen("rtx-4090-24", cuda_archs=(900, 1200)), [])
    usable = {device["name"]: device["usable"] for device in report["devices"]}
    assert usable == {"CUDA0": False, "CPU": True}


def test_the_limits_of_a_container_are_named() -> None:
    report = doctor.report(*_seen("container-2gib"), [])
    assert report["ram_limited_by"] == "cgroup"
    assert report["ram_total_bytes"] == 2 << 30


def test_it_says_which_kernels_there_are_and_that_no_gpu_was_tried_yet() -> None:
    said = list(doctor._lines(*_seen("rtx-4060-8")))
    assert ("Kernels", "CUDA, CPU") in said
    assert any("not yet verified on a GPU" in text for _, text in said)
    assert not any("verified" in text for _, text in doctor._lines(*_seen("old-4gb-no-avx2")))
