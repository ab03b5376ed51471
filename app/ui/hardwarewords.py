"""What this computer has, in words: a value and what it means for models."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from app.core.hardware import Cpu, Gpu, GpuState, Hardware, backend_name, gpu_hint, gpu_sentence
from app.ui import words
from app.ui.words import translate as sentence

translate = QCoreApplication.translate
Said = tuple[str, str]  # a value, and a note below it
# The best of what a processor has says the most; the later ones include the earlier.
_FEATURES = (
    ("avx512f", "AVX-512"),
    ("avx2", "AVX2"),
    ("avx", "AVX"),
    ("sme", "SME"),
    ("sve", "SVE"),
    ("dotprod", "NEON"),
    ("neon", "NEON"),
)
_FAST = ("avx512f", "avx2", "neon", "dotprod")


def processor(hardware: Hardware) -> Said:
    cpu = hardware.cpu
    parts = [_cores(cpu)]
    best = next((name for key, name in _FEATURES if key in cpu.features), "")
    if best:
        parts.append(best)
    note = ", ".join(parts) + "."
    if not hardware.used_gpus:
        note += " " + translate("HardwareCard", "Models run here.")
    if cpu.features and not any(key in cpu.features for key in _FAST):
        note += " " + translate("HardwareCard", "Without AVX2 that is slow.")
    return cpu.name, note


def _cores(cpu: Cpu) -> str:
    if cpu.n_efficiency and cpu.n_efficiency < cpu.n_cores:
        text = translate("HardwareCard", "{n} fast and {m} efficient cores")
        return text.format(
            n=words.count(cpu.n_cores - cpu.n_efficiency), m=words.count(cpu.n_efficiency)
        )
    text = translate("HardwareCard", "{n} cores")
    if cpu.n_cores == 1:
        text = translate("HardwareCard", "{n} core")
    return text.format(n=words.count(cpu.n_cores))


def memory(hardware: Hardware) -> Said:
    value = translate("HardwareCard", "{free} free of {total}").format(
        free=words.size(hardware.ram_available_bytes, 1),
        total=words.size(hardware.ram_total_bytes, 1),
    )
    notes = []
    if hardware.ram_limited_by:
        notes.append(translate("HardwareCard", "A limit of this container allows no more."))
    if hardware.ram_bandwidth:
        speed = words.decimal(hardware.ram_bandwidth / 1e9, 0)
        text = translate("HardwareCard", "Reads {n} GB per second, measured")
        notes.append(text.format(n=speed))
    return value, "\n".join(notes)


def disk(hardware: Hardware) -> Said:
    if not hardware.disk_free_bytes:
        return translate("HardwareCard", "Not known"), ""
    free = words.size(hardware.disk_free_bytes, 1)
    return translate("HardwareCard", "{size} free").format(size=free), ""


def graphics(hardware: Hardware) -> tuple[Said, ...]:
    """One for each graphics processor; one as well where there is none."""
    if hardware.gpus:
        return tuple(_gpu(gpu, has_other=bool(hardware.used_gpus)) for gpu in hardware.gpus)
    on_cpu = translate("HardwareCard", "Models run on the processor.")
    if hardware.probe_error is not None:
        return ((sentence(hardware.probe_error), on_cpu),)
    return ((translate("HardwareCard", "None that Nibble can use"), on_cpu),)


def _gpu(gpu: Gpu, *, has_other: bool) -> Said:
    """`has_other`: models run on another one already, so nothing has to be done about this one."""
    if gpu.state is not GpuState.USED:
        hint = gpu_hint(gpu) if not has_other else None
        return sentence(gpu_sentence(gpu)), sentence(hint) if hint else ""
    note = translate("HardwareCard", "Models run here, with {backend}.")
    note = note.format(backend=backend_name(gpu.backend))
    return gpu.name, " ".join(part for part in (_vram(gpu), note) if part)


def _vram(gpu: Gpu) -> str:
    if not gpu.total_bytes:
        return ""
    text = translate("HardwareCard", "{free} free of {total}.")
    if gpu.is_integrated:
        text = translate("HardwareCard", "May take {free} of the memory.")
    return text.format(free=words.size(gpu.free_bytes, 1), total=words.size(gpu.total_bytes, 1))
