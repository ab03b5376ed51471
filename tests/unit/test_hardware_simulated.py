"""Computers that exist only as three numbers."""

from __future__ import annotations

from app.core.hardware import Cpu, simulated
from app.core.hardware.sizes import is_sane

GIB = 1 << 30


def test_metal_takes_three_quarters_of_the_ram() -> None:
    mac = simulated(64 * GIB, backend="metal")
    (gpu,) = mac.used_gpus
    assert (gpu.total_bytes, gpu.is_integrated, gpu.backend) == (48 * GIB, True, "metal")
    assert gpu.free_bytes <= mac.ram_available_bytes < mac.ram_total_bytes


def test_metal_takes_what_it_is_told() -> None:
    (gpu,) = simulated(64 * GIB, (56 * GIB,), "metal").used_gpus
    assert gpu.total_bytes == 56 * GIB


def test_every_card_is_there_and_the_screen_takes_some() -> None:
    computer = simulated(32 * GIB, (24 * GIB, 8 * GIB), "cuda")
    assert [gpu.total_bytes for gpu in computer.used_gpus] == [24 * GIB, 8 * GIB]
    assert all(0 < gpu.free_bytes < gpu.total_bytes for gpu in computer.gpus)
    assert [d.name for d in computer.devices] == ["CUDA0", "CUDA1", "CPU"]
    assert computer.gpus[0].bandwidth > computer.gpus[1].bandwidth > computer.ram_bandwidth


def test_a_processor_alone() -> None:
    assert simulated(16 * GIB).gpus == ()
    assert simulated(16 * GIB, (8 * GIB,), "cpu").gpus == ()
    assert simulated(16 * GIB, backend="vulkan").gpus == ()
    assert simulated(16 * GIB, cpu=Cpu("Mine", 2)).cpu.n_cores == 2


def test_small_and_large_ones_are_sane() -> None:
    for gib in (1, 4, 8, 96, 2048):
        for backend in ("cuda", "metal", "vulkan", "rocm", "cpu"):
            computer = simulated(gib * GIB, (gib * GIB,), backend)
            assert 0 < computer.ram_available_bytes < computer.ram_total_bytes
            assert all(is_sane(gpu.total_bytes, gpu.free_bytes) for gpu in computer.gpus)
