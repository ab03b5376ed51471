"""`nibble fit`: as a script sees it, and as a person does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app import cli
from app.core.hardware import Hardware, simulated

KEYS = {
    *("weights_bytes", "kv_bytes", "compute_bytes", "host_bytes", "total_bytes", "fits"),
    *("n_ctx", "n_gpu_layers"),
}


@pytest.fixture(autouse=True)
def _starter(starter_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIBBLE_STARTER", str(starter_path))


def machine(monkeypatch: pytest.MonkeyPatch, hardware: Hardware) -> None:
    monkeypatch.setattr("app.engine.client.examine", lambda _folder: hardware)


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert cli.run(["fit", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_keys_that_stay(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "starter", "--ctx", "2048", "--ngl", "0")
    assert found.keys() >= KEYS
    assert (found["n_ctx"], found["n_gpu_layers"], found["fits"]) == (2048, 0, True)
    assert found["kv_bytes"] == 30 * 2048 * 2 * 192 * 2
    parts = ("weights_bytes", "kv_bytes", "compute_bytes", "host_bytes")
    assert found["total_bytes"] == sum(found[name] for name in parts)


def test_measured(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, "starter", "--ctx", "256", "--ngl", "0", "--measure")
    assert abs(found["error"]) < 0.04
    assert found["actual_bytes"] >= found["peak_rss_bytes"]
    assert found["total_bytes"] >= 0.98 * found["peak_rss_bytes"]


def test_a_catalogue_model_that_is_not_here(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, simulated(16 << 30))
    found = document(capsys, "llama-3.3-70b-instruct", "--ctx", "4096")
    assert not found["fits"]
    assert not found["is_exact"]
    assert cli.run(["fit", "llama-3.3-70b-instruct"]) == 0
    said = capsys.readouterr().out
    assert "It does not fit." in said
    assert "\n- " in said  # what would


def test_as_many_layers_as_the_gpu_holds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(monkeypatch, simulated(32 << 30, (6 << 30,), "cuda"))
    found = document(capsys, "llama-3.1-8b-instruct:Q4_K_M", "--ctx", "8192")
    assert 0 < found["n_gpu_layers"] < 33
    assert found["fits"]
    assert not document(capsys, "llama-3.1-8b-instruct:Q4_K_M", "--ngl", "-1")["fits"]


def test_what_is_not_here_cannot_be_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["fit", "llama-3.1-8b-instruct", "--measure"]) == 1
    assert "measured" in capsys.readouterr().err


def test_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["starter", "--kv", "q3"], ["starter", "--ngl", "-2"], []):
        with pytest.raises(SystemExit) as ended:
            cli.run(["fit", *arguments])
        assert ended.value.code == 2
    assert cli.run(["fit", "nonsense"]) == 1
    assert "nonsense" in capsys.readouterr().err
