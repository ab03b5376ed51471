"""A plan whose buffers llama.cpp itself has named: the parent's end of the child "fit".

Weights and caches are the formulas' own, which are exact to the byte wherever llama.cpp's sums
agree with them; working memory, and what the process itself takes, is what the child found.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.child import Child, death_of
from app.core.errors import QT_TRANSLATE_NOOP, EngineError, ModelFileError
from app.core.fit import DevicePlan, MemoryPlan, Use, plan, shape_of
from app.core.fit.judging import judge
from app.core.hardware import Hardware
from app.engine import protocol
from app.engine.protocol import Buffer, Failed, Fitted, Load
from quantize.errors import GgufError
from quantize.gguf_split import read_model

FIT_LIMIT_S = 15.0
_ON_HOST = ("CPU", "_Host")  # how buffers in the processor's memory are called


def exact_plan(
    path: Path, use: Use, hardware: Hardware, mmproj_bytes: int = 0, limit_s: float = FIT_LIMIT_S
) -> MemoryPlan:
    """The plan of the file at `path`, all of it or its header before a hole of the right size.

    Raises ModelFileError for a file that is no model, EngineError where llama.cpp could not say.
    """
    try:
        shape = shape_of(read_model(path), mmproj_bytes)
    except GgufError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error
    load = Load(
        str(path),
        n_ctx=use.n_ctx,
        n_gpu_layers=use.n_gpu_layers,
        flash_attn=use.flash_attn,
        kv_type=use.kv_type,
    )
    return refined(plan(shape, use, hardware), _ask(load, limit_s))


def refined(planned: MemoryPlan, found: Fitted) -> MemoryPlan:
    """`planned`, with what llama.cpp found in place of what was reckoned."""
    devices = planned.devices
    kv_bytes = _scaled([device.kv_bytes for device in devices], found.kv_bytes)
    work = _by_device(found.compute, len(devices))
    devices = tuple(
        replace(device, kv_bytes=kv, compute_bytes=n_bytes)
        for device, kv, n_bytes in zip(devices, kv_bytes, work, strict=True)
    )
    devices = (*devices[:-1], _with_process(devices[-1], found))
    return replace(planned, devices=devices, fit=judge(devices), is_exact=True)


def _with_process(processor: DevicePlan, found: Fitted) -> DevicePlan:
    """The kernels' scratch memory comes and goes in a real run only, so it stays as reckoned."""
    return replace(
        processor,
        compute_bytes=processor.compute_bytes + found.output_bytes,
        host_bytes=found.process_bytes + processor.scratch_bytes,
    )


def _scaled(parts: Sequence[int], total: int) -> list[int]:
    """`parts` so that they come to `total`: a family with caches that the formulas do not know."""
    reckoned = sum(parts)
    if abs(total - reckoned) < _ROUNDING or not reckoned:
        return list(parts)
    return [round(part * total / reckoned) for part in parts]


_ROUNDING = 100_000  # the log rounds to hundredths of a mebibyte, cache by cache


def _by_device(buffers: Sequence[Buffer], n_devices: int) -> list[int]:
    """What each device computes in: GPUs in llama.cpp's order, the processor last."""
    result = [0] * n_devices
    gpus: list[str] = []
    for buffer in buffers:
        if buffer.name.startswith(_ON_HOST[0]) or buffer.name.endswith(_ON_HOST[1]):
            result[-1] += buffer.n_bytes
            continue
        if buffer.name not in gpus:
            gpus.append(buffer.name)
        result[min(gpus.index(buffer.name), n_devices - 1)] += buffer.n_bytes
    return result


def _ask(load: Load, limit_s: float) -> Fitted:
    """Raises EngineError; ModelFileError for what the child refuses to load."""
    heard: queue.SimpleQueue[bytes | int] = queue.SimpleQueue()
    child = Child("fit", heard.put, heard.put, protocol.MAX_FRAME_BYTES)
    try:
        child.send(protocol.encode(load))
        word = heard.get(timeout=limit_s)
    except queue.Empty:
        child.kill()
        raise EngineError(_SILENT, _HINT, "timed out") from None
    finally:
        child.close()
    if isinstance(word, int):
        raise EngineError(_FAILED, _HINT, death_of(word, child.stderr_text).detail)
    try:
        answer = protocol.decode_fitted(word)
    except protocol.ProtocolError as error:
        raise EngineError(_FAILED, _HINT, str(error)) from error
    if isinstance(answer, Failed):
        kind = ModelFileError if answer.kind == "model" else EngineError
        raise kind(answer.text, answer.hint, answer.detail)
    return answer


_FAILED = QT_TRANSLATE_NOOP("fit", "The engine could not say how much memory this model takes.")
_SILENT = QT_TRANSLATE_NOOP(
    "fit", "The engine did not say in time how much memory this model takes."
)
_HINT = QT_TRANSLATE_NOOP("fit", "What is shown is reckoned from the file's own description.")
