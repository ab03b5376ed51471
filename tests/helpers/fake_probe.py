"""Real child processes that behave like the probe, up to a point."""

from __future__ import annotations

import sys

import pytest

_HEAD = """
import json, os, signal, sys, time
skip = json.loads(sys.stdin.readline())["skip"]
GIB = 1 << 30
def say(**frame):
    print(json.dumps(frame), flush=True)
def device(name, backend, kind, total, free, pci=""):
    return dict(name=name, description=name, backend=backend, kind=kind,
                total_bytes=total, free_bytes=free, pci=pci)
def gpu(name="NVIDIA GeForce RTX 4060", total=8*GIB, free=6*GIB, pci="0000:01:00.0", **more):
    return dict(source="nvml", name=name, vendor="nvidia", total_bytes=total, free_bytes=free,
                pci=pci, **more)
cpu = device("CPU", "cpu", "cpu", 16*GIB, 16*GIB)
card = device("NVIDIA GeForce RTX 4060", "cuda", "gpu", 8*GIB, 7*GIB, "0000:01:00.0")
parts = dict(
    ggml=dict(llama_cpp="1.0", devices=[card, cpu], backends=["cuda", "cpu"], features=["avx2"]),
    nvml=dict(gpus=[gpu()]),
    bandwidth=dict(bandwidth=dict(bytes_per_s=20*10**9, n_threads=2, n_bytes=GIB, seconds=0.4,
                                  is_quiet=True)),
)
stages = [stage for stage in parts if stage not in skip]
def fault(stage):
    pass
"""
_TAIL = """
say(type="ProbeStages", stages=stages)
for stage in stages:
    fault(stage)
    say(type="ProbePart", stage=stage, **parts[stage])
"""


def install(monkeypatch: pytest.MonkeyPatch, body: str = "", tail: str = _TAIL) -> None:
    """Let the child "probe" be a process that runs `body` before it does its duty.

    `body` may change `parts`, or define `fault(stage)`, which runs before a stage's answer.
    """
    command = [sys.executable, "-I", "-S", "-c", _HEAD + body + tail]
    monkeypatch.setattr("app.child.command_line", lambda name: command)
