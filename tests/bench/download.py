"""Downloads against `hf_hub_download`, from one server on the loopback, all in own processes.

The server sends from a file with sendfile and is no bottleneck. Both write to the same folder: in
memory where there is one, for the disk is not what is compared. Nibble verifies, syncs and renames;
huggingface_hub does not hash.

Usage, for one transfer: python -m tests.bench.download nibble|hub ENDPOINT NAME BYTES SHA256 FOLDER
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.engine.usage import peak_rss_bytes

LOCAL_BYTES = 1 << 30
FAR_BYTES = 128 << 20
FAR_LATENCY_MS = 40
FAR_BYTES_PER_S = 10e6  # of one connection


def measure(_: Path, repetitions: int) -> dict[str, Any]:
    """Medians: seconds and bytes per second of both, and Nibble's peak of resident memory."""
    with _folder() as folder:
        near = _compare(folder, LOCAL_BYTES, repetitions)
        road = ["--latency-ms", str(FAR_LATENCY_MS), str(FAR_BYTES_PER_S)]
        far = _compare(folder, FAR_BYTES, max(1, repetitions // 2), road)
        return {"local": near, "far": far, "sha256_bytes_per_s": _hash_speed(), "on": str(folder)}


def rows(found: dict[str, Any]) -> list[tuple[str, float, str]]:
    """Figure, value, and what is wanted."""
    near, far = found["local"], found["far"]
    return [
        ("download, localhost / hf_hub_download", near["ratio"], ">= 0.9"),
        (f"download, {FAR_LATENCY_MS} ms away / hf_hub_download", far["ratio"], ">= 2.0"),
        ("download, localhost, MB/s", near["nibble"]["bytes_per_s"] / 1e6, ""),
        ("SHA-256 alone, MB/s", found["sha256_bytes_per_s"] / 1e6, ""),
        ("download, peak memory, MB", near["nibble"]["peak_bytes"] / 1e6, "<= 100"),
        ("download far away, peak memory, MB", far["nibble"]["peak_bytes"] / 1e6, "<= 100"),
    ]


def _compare(
    folder: Path, size: int, repetitions: int, road: list[str] | None = None
) -> dict[str, Any]:
    file = folder / "bench-Q4_K_M.gguf"
    sha256 = _write_noise(file, size)
    runs: dict[str, list[dict[str, float]]] = {"nibble": [], "hub": []}
    with _server([*(road or []), str(file)]) as endpoint:
        for _ in range(repetitions):
            for who, results in runs.items():
                results.append(_run(who, endpoint, file.name, size, sha256, folder / "to"))
    file.unlink()
    found: dict[str, Any] = {who: _median(results, size) for who, results in runs.items()}
    found["ratio"] = found["hub"]["seconds"] / found["nibble"]["seconds"]
    return found


def _median(results: list[dict[str, float]], size: int) -> dict[str, float]:
    seconds = statistics.median(result["seconds"] for result in results)
    peak = max(result["peak_bytes"] for result in results)
    return {"seconds": seconds, "bytes_per_s": size / seconds, "peak_bytes": peak}


def _run(
    who: str, endpoint: str, name: str, size: int, sha256: str, folder: Path
) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.bench.download", who, endpoint, name]
    environment = os.environ | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    ran = subprocess.run(
        [*command, str(size), sha256, str(folder)],
        env=environment | {"XDG_DATA_HOME": str(folder / "data"), "HF_HOME": str(folder / "hf")},
        stdout=subprocess.PIPE,
        check=True,
    )
    shutil.rmtree(folder, ignore_errors=True)
    found: dict[str, float] = json.loads(ran.stdout)
    return found


@contextmanager
def _server(arguments: list[str]) -> Iterator[str]:
    command = [sys.executable, "-m", "tests.helpers.fake_hub", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


@contextmanager
def _folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    is_roomy = memory.is_dir() and shutil.disk_usage(memory).free > 3 * LOCAL_BYTES
    with tempfile.TemporaryDirectory(dir=memory if is_roomy else None) as folder:
        yield Path(folder)


def _write_noise(path: Path, size: int) -> str:
    digest, noise = hashlib.sha256(), random.Random(4).randbytes(1 << 20)
    with path.open("wb") as file:
        for i in range(size >> 20):
            block = i.to_bytes(8, "little") + noise[8:]
            file.write(block)
            digest.update(block)
    return digest.hexdigest()


def _hash_speed() -> float:
    data, began = bytes(64 << 20), time.perf_counter()
    hashlib.sha256(data).digest()
    return len(data) / (time.perf_counter() - began)


# ── one transfer, in a process of its own ──


def _with_nibble(endpoint: str, name: str, size: int, sha256: str, folder: Path) -> float:
    from huggingface_hub import HfApi

    from app.hub.pull import Request, TransferOptions, pull
    from app.hub.repo import RemoteFile
    from quantize.control import Control

    commit = HfApi(endpoint).model_info("bench/files").sha or ""
    file = RemoteFile("bench/files", commit, name, size, sha256)
    options = TransferOptions(endpoints=(endpoint,), reserve_bytes=0)
    began = time.perf_counter()
    pull(Request((file,), folder, name), lambda _: None, Control(), options)
    return time.perf_counter() - began


def _with_hub(endpoint: str, name: str, size: int, sha256: str, folder: Path) -> float:
    from huggingface_hub import hf_hub_download

    began = time.perf_counter()
    hf_hub_download("bench/files", name, cache_dir=folder, endpoint=endpoint)
    return time.perf_counter() - began


def main(who: str, endpoint: str, name: str, size: str, sha256: str, folder: str) -> None:
    fetch = _with_nibble if who == "nibble" else _with_hub
    seconds = fetch(endpoint, name, int(size), sha256, Path(folder))
    print(json.dumps({"seconds": seconds, "peak_bytes": peak_rss_bytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
