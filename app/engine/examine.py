"""Examines this computer: the parent's end of the child "probe", which may crash, hang or lie.

A stage in which the child dies or falls silent is left out, and a second child goes on after it;
what was found out before stays. Knows no driver and no ctypes.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.child import Child, death_of
from app.core import hardware
from app.core.errors import QT_TRANSLATE_NOOP, EngineError, Message
from app.core.hardware import Device, FoundGpu, Hardware, Probed
from app.core.hardware.known import NVIDIA
from app.engine import protocol
from app.engine.protocol import Probe, ProbePart, ProbeStages
from app.engine.speedcache import better, is_possible, recall, remember

PROBE_LIMIT_S = 10.0
_ALL_LIMITS = 2  # the whole probe may take this many times the limit of one stage
_MOST_DEATHS = 2
_END_LIMIT_S = 5.0
_GGML, _BANDWIDTH = "ggml", "bandwidth"
_MOST_DEVICES = 64
_one_at_a_time = threading.Lock()  # two that measure at once measure each other

_FAILED = QT_TRANSLATE_NOOP("engine", "The graphics hardware could not be examined.")
_CRASHED = QT_TRANSLATE_NOOP(
    "engine", "The graphics driver crashed when it was asked what it can do."
)
_SILENT = QT_TRANSLATE_NOOP("engine", "The graphics driver did not answer in time.")
_NONSENSE = QT_TRANSLATE_NOOP("engine", "The graphics hardware was described in a broken way.")
_HINT = QT_TRANSLATE_NOOP("engine", "Models run on the processor. Updating the driver may help.")


# --- one child --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Talk:
    """What one child said. `failure` None: it went through all of its stages."""

    stages: tuple[str, ...] = ()
    parts: list[ProbePart] = field(default_factory=list)
    failure: Message | None = None
    hint: Message = _HINT
    detail: str = ""

    @property
    def failed_stage(self) -> str:
        """The stage that was not answered; the first one where the child did not even begin."""
        answered = {part.stage for part in self.parts}
        return next((name for name in self.stages if name not in answered), _GGML)

    @property
    def is_over(self) -> bool:
        return bool(self.stages) and len(self.parts) == len(self.stages)


def _talk(skip: Iterable[str], limit_s: float, deadline: float) -> _Talk:
    """Start a child and hear it out, `limit_s` at most for each of its words."""
    heard: queue.SimpleQueue[bytes | int] = queue.SimpleQueue()
    talk = _Talk()
    try:
        child = Child("probe", heard.put, heard.put, protocol.MAX_FRAME_BYTES)
    except OSError as error:  # no process to be had
        return _Talk(failure=_FAILED, detail=str(error))
    try:
        child.send(protocol.encode(Probe(tuple(skip))))
        while not talk.is_over and talk.failure is None:
            _hear(talk, heard, min(limit_s, deadline - time.monotonic()))
    finally:
        _end(child, at_once=not talk.is_over)
    if talk.failure:
        talk.detail = f"{talk.detail}\n{child.stderr_text}".strip()
    return talk


def _end(child: Child, at_once: bool) -> None:
    """Even a killed child stays while a driver holds it in the kernel: then it is left behind."""
    if at_once:
        child.kill()
    ending = threading.Thread(target=child.close, name="probe end", daemon=True)
    ending.start()
    ending.join(_END_LIMIT_S)


def _hear(talk: _Talk, heard: queue.SimpleQueue[bytes | int], limit_s: float) -> None:
    """Take in the child's next word, or its end, or its silence."""
    try:
        word = heard.get(timeout=max(0.0, limit_s))
    except queue.Empty:
        talk.failure, talk.detail = _SILENT, f"silent in stage {talk.failed_stage}"
        return
    if isinstance(word, int):
        _hear_end(talk, word)
        return
    try:
        answer = protocol.decode_probe_answer(word)
        _take(talk, answer)
    except protocol.ProtocolError as error:
        talk.failure, talk.detail = _NONSENSE, str(error)


def _take(talk: _Talk, answer: ProbeStages | ProbePart) -> None:
    """Raises ProtocolError for a word that is not the next one."""
    if isinstance(answer, ProbeStages) and not talk.stages and answer.stages:
        talk.stages = answer.stages
    elif isinstance(answer, ProbePart) and answer.stage in talk.stages[len(talk.parts) :][:1]:
        talk.parts.append(answer)
    else:
        raise protocol.ProtocolError(f"not the next word: {answer!r:.200}")


def _hear_end(talk: _Talk, code: int) -> None:
    """The child ended before its last word."""
    death = death_of(code, "")
    talk.failure = _CRASHED if talk.failed_stage != _BANDWIDTH else _FAILED
    talk.detail = f"{death.detail.strip()} in stage {talk.failed_stage}"
    if "SIGILL" in death.detail:  # it is llama.cpp, not a driver
        talk.failure, talk.hint = death.text, death.hint or _HINT


# --- the whole probe --------------------------------------------------------------------------


def probe(skip: Iterable[str] = (), limit_s: float = PROBE_LIMIT_S) -> Probed:
    """Ask short-lived children what llama.cpp and the drivers know. Never raises for those.

    `limit_s`: how long one driver may take. `skip`: stages not to go through ("bandwidth").
    """
    deadline = time.monotonic() + _ALL_LIMITS * limit_s
    skipped, parts, failures = set(skip), list[ProbePart](), list[tuple[str, _Talk]]()
    while len(failures) < _MOST_DEATHS:
        talk = _talk(skipped, limit_s, deadline)
        parts += talk.parts
        skipped |= {part.stage for part in talk.parts}
        if talk.failure is None:
            break
        failures.append((talk.failed_stage, talk))
        skipped.add(talk.failed_stage)
    return _folded(parts, failures)


def _folded(parts: list[ProbePart], failures: list[tuple[str, _Talk]]) -> Probed:
    """One answer of many. What only explains may fail silently; llama.cpp's own list may not."""
    by_stage = {part.stage: part for part in parts}
    ggml = by_stage.get(_GGML, ProbePart(_GGML))
    cpu = by_stage.get("cpu", ProbePart("cpu"))
    speed = by_stage.get(_BANDWIDTH, ProbePart(_BANDWIDTH)).bandwidth
    failed = next((talk for stage, talk in failures if stage == _GGML), None)
    silent_failure = failures[0][1] if failures and ggml.devices else None
    troubles = [f"{part.stage}: {part.trouble}" for part in parts if part.trouble]
    troubles += [f"{stage}: {talk.detail}" for stage, talk in failures]
    is_empty = not ggml.devices and failed is None
    return Probed(
        llama_cpp=ggml.llama_cpp,
        devices=ggml.devices[:_MOST_DEVICES],
        backends=ggml.backends,
        cuda_archs=ggml.cuda_archs,
        build_features=ggml.features,
        gpus=_gpus(parts),
        cpu_features=cpu.features,
        n_efficiency=cpu.n_efficiency,
        bandwidth=speed if speed is not None and is_possible(speed) else None,
        troubles=tuple(troubles),
        error=failed.failure if failed else _FAILED if is_empty else None,
        hint=failed.hint if failed else _HINT if is_empty else None,
        detail=failed.detail if failed else silent_failure.detail if silent_failure else "",
    )


def _gpus(parts: Iterable[ProbePart]) -> tuple[FoundGpu, ...]:
    """All that was found; NVIDIA's own library, where it fails, says why for all of NVIDIA's."""
    found = [gpu for part in parts for gpu in part.gpus][:_MOST_DEVICES]
    missing = next((part.missing for part in parts if part.missing), "")
    return tuple(
        replace(gpu, missing=missing) if gpu.vendor == NVIDIA and not gpu.missing else gpu
        for gpu in found
    )


def probe_devices(limit_s: float = PROBE_LIMIT_S) -> tuple[Device, ...]:
    """What llama.cpp can compute on, without asking anybody else. Raises EngineError."""
    found = probe(("cpu", "nvml", "drm", "dxgi", "macos", _BANDWIDTH), limit_s)
    if found.error:
        raise EngineError(found.error, found.hint, found.detail)
    return found.devices


# --- the computer -----------------------------------------------------------------------------


def examine(folder: Path, limit_s: float = PROBE_LIMIT_S) -> Hardware:
    """Everything about this computer, with the disk that holds `folder`. Takes about a second.

    Never raises for a driver: what is wrong with one is in `probe_error` and in `gpus`.
    """
    base = hardware.measure(folder)
    return complete(base, examine_probe(base, limit_s))


def examine_probe(base: Hardware, limit_s: float = PROBE_LIMIT_S) -> Probed:
    """`probe`, with the memory's speed from the cache where this computer has been measured."""
    with _one_at_a_time:
        known = recall(base)
        is_settled = known is not None and known.is_quiet
        found = probe((_BANDWIDTH,) if is_settled else (), limit_s)
        speed = better(known, found.bandwidth)
        if speed is not None and speed != known:
            remember(base, speed)
        return replace(found, bandwidth=speed)


def complete(base: Hardware, found: Probed) -> Hardware:
    speed = found.bandwidth.bytes_per_s if found.bandwidth else 0
    return hardware.complete(base, found, speed)
