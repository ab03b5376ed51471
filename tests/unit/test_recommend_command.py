"""`nibble recommend`: the flags, the words, the document, and every way to name a model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import paths
from app.cli import run
from tests.helpers.fake_hub import FakeHub
from tests.helpers.gguf_files import valid_model

KEYS = (
    *("model", "variant", "n_ctx", "n_gpu_layers", "n_threads", "kv_type", "total_bytes"),
    *("predicted_tps", "reasons"),
)
Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs the command; returns the exit code, stdout and stderr."""

    def asking(*flags: str) -> tuple[int, str, str]:
        try:
            code = run(["recommend", *flags])
        except SystemExit as end:
            code = int(str(end.code))
        said = capsys.readouterr()
        return code, said.out, said.err

    return asking


def document(ask: Ask, *flags: str) -> Any:
    code, out, _ = ask(*flags, "--json")
    assert code == 0
    return json.loads(out)


def test_llama_70b_on_a_64_gib_mac(ask: Ask) -> None:
    flags = ("llama-3.3-70b-instruct", "--ram", "64GiB", "--backend", "metal")
    found = document(ask, *flags)
    assert all(key in found for key in KEYS)
    assert (found["model"], found["variant"]) == ("llama-3.3-70b-instruct", "Q4_K_M")
    assert (found["n_ctx"], found["n_gpu_layers"], found["kv_type"]) == (8192, 81, "f16")
    assert 42_520_398_816 < found["total_bytes"] < 50 * 10**9
    code, out, _ = ask(*flags)
    assert code == 0
    assert out.startswith("Llama 3.3 70B Q4_K_M, 42.5 GB\n")
    assert all(reason in out for reason in found["reasons"])


def test_llama_70b_on_16_gib_is_refused(ask: Ask) -> None:
    flags = ("llama-3.3-70b-instruct", "--ram", "16GiB", "--backend", "metal")
    code, out, err = ask(*flags)
    assert code == 1
    assert out == ""
    refusal, instead = err.splitlines()
    assert refusal.startswith("Does not fit: even Q2_K needs")
    assert "fits instead" in instead
    code, out, _ = ask(*flags, "--json")
    assert code == 1
    assert json.loads(out)["variant"] is None


def test_without_a_model_the_one_to_begin_with(ask: Ask) -> None:
    found = document(ask, "--ram", "64G", "--vram", "24G")
    assert found["model"] == "qwen3.8-27b"
    assert found["n_gpu_layers"] == 65


def test_several_gpus_and_less_context(ask: Ask) -> None:
    one = document(ask, "qwen3-32b", "--ram", "64G", "--vram", "12G")
    two = document(ask, "qwen3-32b", "--ram", "64G", "--vram", "12G", "--vram", "12G")
    assert one["n_gpu_layers"] < two["n_gpu_layers"]
    assert document(ask, "qwen3-32b", "--ram", "64G", "--ctx", "2048")["n_ctx"] == 2048
    assert document(ask, "qwen3-32b", "--ram", "64G", "--kv", "q8_0")["kv_type"] == "q8_0"


def test_one_variant_of_the_catalogue(ask: Ask) -> None:
    assert document(ask, "Qwen3 8B:q6_k", "--ram", "32G")["variant"] == "Q6_K"
    code, _, err = ask("qwen3-8b:Q9", "--ram", "32G")
    assert code == 1
    assert err.startswith("There is no Q9 of Qwen3 8B.\nThere are Q8_0, Q6_K, ")


def test_a_file(ask: Ask, tmp_path: Path) -> None:
    path = valid_model(tmp_path / "some-model-Q4_K_M.gguf")
    found = document(ask, str(path), "--ram", "8G")
    assert found["model"] == str(path)
    assert found["variant"]


def test_a_damaged_file(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + b"\xff" * 50)
    code, _, err = ask(str(path), "--ram", "8G")
    assert code == 1
    assert "Traceback" not in err


def test_an_installed_model(ask: Ask) -> None:
    folder = paths.models_dir()
    folder.mkdir(parents=True)
    valid_model(folder / "installed-one-Q8_0.gguf")
    assert document(ask, "installed-one-Q8_0.gguf", "--ram", "8G")["variant"]


def test_a_repository_of_the_hub(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = valid_model(tmp_path / "model.gguf").read_bytes()
    with FakeHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        hub.add_repo(
            "maker/model-GGUF",
            {f"model-{name}.gguf": content for name in ("Q8_0", "Q4_K_M")},
        )
        found = document(ask, "maker/model-GGUF", "--ram", "8G")
        assert found["model"] == "maker/model-GGUF"
        assert {other["variant"] for other in found["others"]} == {"Q8_0", "Q4_K_M"}
        one = document(ask, "maker/model-GGUF:Q4_K_M", "--ram", "8G")
        assert one["variant"] == "Q4_K_M"
        assert ask("maker/nothing", "--ram", "8G")[0] == 1
        assert ask("maker/model-GGUF:Q3_K_M", "--ram", "8G")[0] == 1


def test_names_that_mean_nothing(ask: Ask) -> None:
    code, _, err = ask("nothing of the kind", "--ram", "8G")
    assert code == 1
    assert "There is no model called" in err


@pytest.mark.parametrize(
    "flags",
    [
        ("--vram", "8G"),
        ("--backend", "cuda"),
        ("--ram", "8G", "--vram", "8G", "--backend", "cpu"),
        ("--ram", "eight"),
        ("--ram", "-8G"),
        ("--ram", "8G", "--backend", "quantum"),
        ("--ctx", "0"),
        ("--kv", "q2_k"),
    ],
)
def test_bad_flags_are_bad_usage(ask: Ask, flags: tuple[str, ...]) -> None:
    assert ask(*flags)[0] == 2


def test_no_memory_at_all(ask: Ask) -> None:
    code, _, err = ask("--ram", "0")
    assert code == 1
    assert err.startswith("No model of the catalogue fits this computer.")
