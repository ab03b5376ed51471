"""`nibble bench`: its document, what it keeps, what it refuses, how it ends. No clock is judged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from app import cli, paths
from app.core import hardware
from app.core.benchmarks import BenchRecord, machine_of
from app.core.hardware import simulated
from app.core.store import Store
from app.engine.protocol import Bench, BenchDepth, BenchDone, Load, Loaded
from tests.helpers.fake_engine import loaded_for
from tests.helpers.machines import MACHINES

QUICK = ("bench", "-r", "1", "-p", "32", "-n", "4")
KEYS = {"model", "pp_tps", "tg_tps", "ttft_ms", "load_ms", "peak_bytes", "n_threads"}


@pytest.fixture(autouse=True)
def _starter(starter_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIBBLE_STARTER", str(starter_path))


def kept() -> tuple[BenchRecord, ...]:
    """What is stored of this computer."""
    store = Store(paths.database_file(), paths.lock_file())
    try:
        return store.benchmarks(machine_of(hardware.measure(paths.models_dir())))
    finally:
        store.close()


def test_one_object_for_one_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*QUICK, "--n-first", "128", "--depth", "64,0", "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert all(report[key] for key in KEYS)
    assert all(report[f"ttft_{how}_ms"] > 0 for how in ("cold", "warm", "restored"))
    assert report["model"] == "SmolLM2 135M Q4_1"
    assert 0 < report["bandwidth_share"] < 1.5
    assert [depth["n_depth"] for depth in report["depths"]] == [0, 64]
    assert report["depths"][0]["tg_tps"] == report["tg_tps"]
    (record,) = kept()
    assert record.name == report["model"]
    assert record.tg_tps == pytest.approx(report["tg_tps"], abs=0.001)


def test_every_key_is_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*QUICK, "--n-first", "0", "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    text = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    keys = {*report, *report["depths"][0]}
    missing = {k for k in keys if not k.endswith(("_all", "_spread")) and f"`{k}`" not in text}
    assert missing == set()


def test_nothing_is_kept_while_the_window_writes(capsys: pytest.CaptureFixture[str]) -> None:
    window = Store(paths.database_file(), paths.lock_file())
    try:
        assert cli.run([*QUICK, "--n-first", "0"]) == 0
    finally:
        window.close()
    said = capsys.readouterr()
    assert "Not kept for later: Nibble is open already." in said.err
    assert "pp32" in said.out
    assert kept() == ()


def test_what_cannot_be_measured_does_not_hold_up_the_others(
    capsys: pytest.CaptureFixture[str], starter_path: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF")
    models = ("-m", str(broken), "-m", str(starter_path))
    assert cli.run([*QUICK, "--n-first", "0", "--json", *models]) == 1
    said = capsys.readouterr()
    assert "broken.gguf: " in said.err
    first, second = json.loads(said.out)
    assert (first["model"], second["model"]) == ("broken", "SmolLM2 135M Q4_1")
    assert first["error"]
    assert second["tg_tps"] > 0


def test_a_model_too_large_says_so_in_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(simulated(8 << 30), ram_available_bytes=100_000_000)
    monkeypatch.setattr("app.cli.bench.examine", lambda _folder: small)
    assert cli.run([*QUICK]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    sentence, hint = said.err.splitlines()
    assert "with a context of 4096 tokens needs " in sentence
    assert sentence.endswith("and 100 MB are free.")
    assert "nibble fit" in hint


def test_more_than_the_model_was_trained_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([*QUICK, "--depth", "9000"]) == 1
    assert "needs a context of 9032 tokens, and there are 8192" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [("--depth", "-1"), ("--depth", "x"), ("-p", "0"), ("-ngl", "-2"), ("-r", "0")]
)
def test_bad_usage(arguments: Sequence[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.run(["bench", *arguments])
    assert caught.value.code == 2


class _GpuEngine:
    """A build with a graphics processor: twice as fast with every layer on it."""

    loads: ClassVar[list[int]] = []

    def __enter__(self) -> _GpuEngine:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def load(self, command: Load) -> Loaded:
        self.n_layers = command.n_gpu_layers
        self.loads.append(self.n_layers)
        loaded = loaded_for(command)
        device = "The GPU" if self.n_layers else "CPU"
        return _with(loaded, device=device, n_gpu_layers=self.n_layers)

    def send(self, command: Bench) -> None:
        self.command = command

    def next_event(self) -> BenchDone:
        tps = 100.0 + 10 * self.n_layers
        depth = BenchDepth(0, (tps * 4,), (tps,))
        return BenchDone(1, depth.pp_tps, depth.tg_tps, (50.0,), 10**8, 2, depths=(depth,))


def _with(loaded: Loaded, **changes: object) -> Loaded:
    import msgspec

    return msgspec.structs.replace(loaded, **changes)


def test_layers_are_swept_where_there_is_a_gpu(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    computer = next(m for m in MACHINES.values() if m.used_gpus)
    monkeypatch.setattr("app.cli.bench.examine", lambda _folder: computer)
    monkeypatch.setattr("app.cli.bench.BlockingEngine", _GpuEngine)
    monkeypatch.setattr(_GpuEngine, "loads", [])
    assert cli.run(["bench", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert _GpuEngine.loads == [0, 15, 31]
    assert [each["n_gpu_layers"] for each in report["sweep"]] == [0, 15, 31]
    assert report["n_gpu_layers"] == 31  # the fastest stands at the top
    assert report["tg_tps"] == 410.0
    assert cli.run(["bench", "-ngl", "-1"]) == 0
    assert "31 layers on The GPU" in capsys.readouterr().out


def test_ctrl_c_ends_it_with_its_code_and_leaves_nothing(starter_path: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", "app", "bench", "-r", "1000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert running.stderr is not None
    assert "Measuring" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=20)
    assert running.returncode == 130
    assert (output, errors) == ("", "")
