"""A real checkpoint, from its folder to files the app chats with; and all ways to end early."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.engine.client import BlockingEngine
from app.engine.protocol import Load
from app.quantizer import Died, QuantizerClient
from quantize.gguf_header import read_header
from quantize.job import AnyEvent, Finished, Job
from tests.helpers.asking import ask, request
from tests.helpers.starter_checkpoint import write_starter_checkpoint


@pytest.fixture(scope="session")
def checkpoint(starter_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("hub") / "SmolLM2-135M-Instruct"
    yield write_starter_checkpoint(starter_path, folder)
    (folder / "model.safetensors").unlink()


def _nibble(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(*arguments), capture_output=True, text=True, timeout=300)


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "app", *arguments]


def _lines(result: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_two_variants_of_one_read_that_the_app_chats_with(checkpoint: Path, tmp_path: Path) -> None:
    flags = ("-t", "Q4_K_M", "-t", "Q8_0", "-o", str(tmp_path), "--json")
    events = _lines(_nibble("quantize", str(checkpoint), *flags))
    plan, done = events[0], [event for event in events if event["event"] == "done"]
    assert [file["type"] for file in plan["files"]] == ["Q4_K_M", "Q8_0"]
    assert [event["event"] for event in events].count("tensor") == plan["n_tensors"] == 272
    for planned, made in zip(plan["files"], done, strict=True):
        path = Path(made["path"])
        assert path.name == f"SmolLM2-135M-Instruct-{made['type']}.gguf"
        assert made["size_bytes"] == planned["size_bytes"] == path.stat().st_size
        assert made["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        header = read_header(path)
        assert made["bpw"] == pytest.approx(header.bpw)
        assert header.text("general.quantized_by").startswith("Nibble ")
        assert "llama-cpp-python" in header.text("quantize.tool_version")
        assert header.text("quantize.date").startswith("20")
    _check_chat(Path(done[1]["path"]))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        Path(made["path"]).name for made in done
    )


def _check_chat(path: Path) -> None:
    with BlockingEngine() as engine:
        loaded = engine.load(Load(str(path), n_ctx=512))
        assert loaded.has_chat_template
        answer = ask(engine, request("What is the capital of France?", max_tokens=24))
    assert "Paris" in answer.text


def test_half_of_its_tensors_cannot_take_q4_k_and_the_plan_says_so(
    checkpoint: Path, tmp_path: Path
) -> None:
    flags = ("-t", "Q4_K_M", "-o", str(tmp_path), "--dry-run")
    plan = _lines(_nibble("quantize", str(checkpoint), *flags, "--json"))[0]
    (file,) = plan["files"]
    assert file["bpw"] == pytest.approx(6.17, abs=0.02)
    assert file["n_fallback"] == 180
    larger = [tensor for tensor in file["tensors"] if tensor["wanted"]]
    assert {(t["wanted"], t["type"]) for t in larger} == {("Q4_K", "Q5_0"), ("Q6_K", "Q8_0")}
    assert not list(tmp_path.iterdir())
    text = _nibble("quantize", str(checkpoint), *flags).stdout
    assert "180 of 272 tensors" in text


def test_an_existing_file_is_not_replaced(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "SmolLM2-135M-Instruct-Q8_0.gguf"
    path.write_bytes(b"precious")
    result = _nibble("quantize", str(checkpoint), "-t", "Q8_0", "-o", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith("SmolLM2-135M-Instruct-Q8_0.gguf is there already.")
    assert path.read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_type_that_needs_a_matrix_is_refused_before_any_work(
    checkpoint: Path, tmp_path: Path
) -> None:
    result = _nibble("quantize", str(checkpoint), "-t", "IQ2_XS", "-o", str(tmp_path))
    assert result.returncode == 1
    assert "importance matrix" in result.stderr
    assert "--imatrix auto" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_it_with_nothing_left(checkpoint: Path, small_disk: Path) -> None:
    result = _nibble("quantize", str(checkpoint), "-t", "Q8_0", "-o", str(small_disk))
    assert result.returncode == 1
    assert "disk" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(small_disk.iterdir())


def test_ctrl_c_ends_it_within_two_seconds_and_leaves_nothing(
    checkpoint: Path, tmp_path: Path
) -> None:
    process = _started(checkpoint, tmp_path)
    _wait_for_partial(tmp_path)
    asked = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert time.monotonic() - asked < 2.0
    assert process.returncode == 130
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_leaves_no_file_and_can_be_done_again(
    checkpoint: Path, tmp_path: Path, seed: int
) -> None:
    process = _started(checkpoint, tmp_path)
    if random.Random(seed).random() < 0.7:
        _wait_for_partial(tmp_path)
    time.sleep(random.Random(seed).random())
    process.kill()
    process.communicate()
    assert not list(tmp_path.glob("*.gguf"))
    _wait_until_unlocked(tmp_path)
    result = _nibble("quantize", str(checkpoint), "-t", "Q8_0", "-o", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["SmolLM2-135M-Instruct-Q8_0.gguf"]


def _started(checkpoint: Path, out: Path) -> subprocess.Popen[bytes]:
    """The slow type, so that there is a middle to end it in."""
    return subprocess.Popen(
        _command("quantize", str(checkpoint), "-t", "Q8_0", "-t", "IQ4_XS", "-o", str(out)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _wait_for_partial(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 1_000_000 for path in folder.glob("*.partial")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _wait_until_unlocked(folder: Path) -> None:
    """The child ends by itself when its parent is gone; its locks go with it."""
    deadline = time.monotonic() + 10
    while _held(folder):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _held(folder: Path) -> bool:
    import fcntl

    for path in folder.glob("*.partial"):
        with path.open("rb+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
    return False


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links")
def test_a_gguf_is_a_source_too_but_never_its_own_target(
    starter_path: Path, tmp_path: Path
) -> None:
    source = tmp_path / "model.gguf"
    source.symlink_to(starter_path)
    refused = _nibble("quantize", str(source), "-t", "Q4_0", "-o", str(tmp_path))
    assert refused.returncode == 1
    assert "--allow-requantize" in refused.stderr
    flags = ("-t", "Q4_0", "-o", str(tmp_path), "--allow-requantize", "--json")
    events = _lines(_nibble("quantize", str(source), *flags))
    assert events[0]["warnings"]
    assert read_header(tmp_path / "model-Q4_0.gguf").variant == "Q4_0"


def test_a_paused_job_waits_and_then_goes_on(checkpoint: Path, tmp_path: Path) -> None:
    """As while the chat answers: no block is begun before it is resumed."""
    events: queue.SimpleQueue[AnyEvent | Died] = queue.SimpleQueue()
    job = Job(str(checkpoint), ("Q8_0", "Q4_K_M"), str(tmp_path))
    client = QuantizerClient(job, events.put)
    try:
        _wait_for_partial(tmp_path)
        client.pause()
        time.sleep(0.5)
        assert psutil.Process(client.pid).nice() > psutil.Process().nice()
        before = _sizes(tmp_path)
        time.sleep(0.7)
        assert _sizes(tmp_path) == before
        client.resume()
        while not isinstance(event := events.get(timeout=60), (Finished, Died)):
            pass
        assert isinstance(event, Finished)
    finally:
        client.close()
    assert len(list(tmp_path.glob("*.gguf"))) == 2


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.glob("*.partial")}
