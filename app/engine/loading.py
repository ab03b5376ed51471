"""Loads a model and makes its context: as the fit says, and with less where memory is short.

The rules are `app.core.attempts`'; here they meet llama.cpp, which is asked for one after the other
until it says yes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.core import hardware
from app.core.attempts import Attempts, attempts
from app.core.errors import Message
from app.core.fit import Use, shape_of
from app.core.hardware import Hardware, Probed
from app.engine import devices
from app.engine.context import Context
from app.engine.model import MemoryShortError, Model, NativeLog, checked_header, out_of_memory
from app.engine.native import StopFlag
from app.engine.protocol import Load
from quantize.errors import GgufError


@dataclass(frozen=True, slots=True)
class Opened:
    """A model and a context of it. `load`: how it was loaded in the end; `notice`: what had to be
    given up for that, in words."""

    model: Model
    context: Context
    load: Load
    n_smaller: int
    notice: Message | None


def open_model(load: Load, log: NativeLog, stop: StopFlag) -> Opened:
    """Raises ModelFileError for a file that cannot be used, MemoryShortError where nothing helps,
    EngineError for anything else."""
    tried = _attempts(load)
    failure = out_of_memory(f"predicted for {load.n_ctx} tokens of context")
    for number, way in enumerate(tried.ways):
        attempt = _as_load(load, way)
        log.clear()
        try:
            model, context = _open(attempt, log, stop)
        except MemoryShortError as error:
            failure = error
            continue
        return Opened(model, context, attempt, number, tried.given_up(way))
    raise failure


def _open(load: Load, log: NativeLog, stop: StopFlag) -> tuple[Model, Context]:
    model = Model(Path(load.path), load.n_gpu_layers, log, lambda _fraction: not stop)
    try:
        return model, Context(model, load, log, stop)
    except BaseException:
        model.close()
        raise


def _attempts(load: Load) -> Attempts:
    """A file whose header the fit cannot read is loaded as asked: llama.cpp may know it."""
    use = Use(load.n_ctx, load.kv_type, load.n_gpu_layers, load.flash_attn)
    try:
        shape = shape_of(checked_header(Path(load.path)))
    except GgufError:
        return Attempts(use, (use,), 0)
    return attempts(shape, use, here(Path(load.path).parent))


def _as_load(load: Load, use: Use) -> Load:
    changes = {"n_ctx": use.n_ctx, "n_gpu_layers": use.n_gpu_layers, "kv_type": use.kv_type}
    return msgspec.structs.replace(load, **changes)


def here(folder: Path) -> Hardware:
    """This computer as this process sees it, its GPUs included, with what is free now."""
    found = Probed(
        devices=devices.list_devices(),
        backends=devices.list_backends(),
        cuda_archs=devices.cuda_archs(),
    )
    return hardware.complete(hardware.measure(folder), found)
