"""The child called "probe": asks drivers what this computer can compute on, then ends.

Drivers are loaded here and nowhere else before a model is, so one that crashes or hangs costs a
child process and nothing more. Each question is a stage; its answer goes up before the next one is
asked, so that what was found out is not lost with the child. Nothing native is imported outside a
stage: a library that this processor cannot run ends the child in the stage that loads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from app.child import exit_at_end_of
from app.core.hardware import features
from app.engine import protocol
from app.engine.gpus import GpuSource, sources
from app.engine.protocol import ProbePart

GGML, CPU, BANDWIDTH = "ggml", "cpu", "bandwidth"


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    ask: Callable[[], ProbePart]


def main(commands: BinaryIO, events: BinaryIO) -> None:
    """The child called "probe"."""
    order = protocol.decode_probe(commands.readline())
    exit_at_end_of(commands)
    stages = [stage for stage in _stages() if stage.name not in order.skip]
    _say(events, protocol.ProbeStages(tuple(stage.name for stage in stages)))
    for stage in stages:
        _say(events, _answer(stage))


def _stages() -> list[Stage]:
    """What llama.cpp says first: that decides, and all else only explains."""
    asked = [Stage(source.name, partial(_gpus, source)) for source in sources()]
    return [Stage(GGML, _ggml), Stage(CPU, _cpu), *asked, Stage(BANDWIDTH, _bandwidth)]


def _answer(stage: Stage) -> ProbePart:
    """A source that fails says so; the others are still asked."""
    try:
        return stage.ask()
    except Exception as error:
        return ProbePart(stage.name, trouble=f"{type(error).__name__}: {error}")


def _ggml() -> ProbePart:
    from app.engine import devices
    from app.engine.native import LLAMA_CPP_VERSION, lib

    lib.llama_backend_init()
    return ProbePart(
        GGML,
        llama_cpp=LLAMA_CPP_VERSION,
        devices=devices.list_devices(),
        backends=devices.list_backends(),
        cuda_archs=devices.cuda_archs(),
        features=features.from_ggml(devices.backend_features("cpu")),
    )


def _gpus(source: GpuSource) -> ProbePart:
    from app.engine.gpus.nvidia import NvmlError

    try:
        return ProbePart(source.name, gpus=source.find())
    except NvmlError as error:
        return ProbePart(source.name, missing=error.missing, trouble=str(error.__cause__))


def _cpu() -> ProbePart:
    from app.engine import cpu_windows

    return ProbePart(CPU, features=cpu_windows.features(), n_efficiency=cpu_windows.n_efficiency())


def _bandwidth() -> ProbePart:
    from app.engine.bandwidth import measure

    return ProbePart(BANDWIDTH, bandwidth=measure())


def _say(events: BinaryIO, frame: protocol.Frame) -> None:
    events.write(protocol.encode(frame))
    events.flush()
