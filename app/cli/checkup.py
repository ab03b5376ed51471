"""What is wrong with this computer or this installation, and how to mend it: for the doctor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from app import paths
from app.cli.parsing import size
from app.core import hardware, library
from app.core.errors import QT_TRANSLATE_NOOP, AppError, Message
from app.core.hardware import Gpu, GpuState, Hardware, Probed
from app.core.settings import Settings

_LEAST_DISK = 2 * 10**9
_NO_AVX2 = QT_TRANSLATE_NOOP(
    "doctor", "This build of llama.cpp does not use AVX2, which this processor has: it is slow."
)
_NO_AVX2_HINT = QT_TRANSLATE_NOOP(
    "doctor", "Get the Nibble package for newer processors, or build llama-cpp-python here."
)
_LITTLE_DISK = QT_TRANSLATE_NOOP("doctor", "There is little room for models: {size} are free.")
_LITTLE_DISK_HINT = QT_TRANSLATE_NOOP("doctor", "Delete something, or choose another folder.")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and how to mend it."""

    text: Message
    hint: Message | None = None

    def __str__(self) -> str:
        return f"{self.text} {self.hint}" if self.hint else str(self.text)


def find_problems(found: Hardware, probed: Probed) -> list[Problem]:
    """Everything that the user could mend, the most important first."""
    problems = []
    if found.probe_error:
        problems.append(Problem(found.probe_error, probed.hint))
    problems += [
        Problem(hardware.gpu_sentence(gpu), hardware.gpu_hint(gpu)) for gpu in _idle(found)
    ]
    if "avx2" in found.cpu.features and probed.devices and "avx2" not in probed.build_features:
        problems.append(Problem(_NO_AVX2, _NO_AVX2_HINT))
    if found.disk_free_bytes < _LEAST_DISK:
        free = size(found.disk_free_bytes)
        problems.append(Problem(_LITTLE_DISK.fill(size=free), _LITTLE_DISK_HINT))
    return problems + list(_installation_problems())


def _idle(found: Hardware) -> list[Gpu]:
    """Graphics processors that could do the work and do not; integrated ones would gain little."""
    at_work = (GpuState.USED, GpuState.SPARE)
    return [gpu for gpu in found.gpus if gpu.state not in at_work and not gpu.is_integrated]


def _installation_problems() -> Iterator[Problem]:
    try:
        library.starter()
    except AppError as error:
        yield Problem(error.text, error.hint)
    trouble = Settings(paths.settings_file()).problem
    if trouble:
        yield Problem(trouble.text, trouble.hint)
