"""`nibble doctor`: hardware, backends, versions, folders, what is wrong and how to mend it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from app import paths
from app.cli.checkup import find_problems
from app.cli.parsing import add_command, size
from app.core import hardware
from app.core.hardware import Device, Gpu, GpuState, Hardware, Probed, backend_name
from app.core.tuned import TuneRecord, read_all_tuned
from app.engine import examine


def add(commands: Any) -> None:
    help_text = "hardware, backends, versions, folders, and what is wrong"
    add_command(commands, "doctor", doctor, help_text)


def doctor(options: argparse.Namespace) -> int:
    """Say what this computer has and what is wrong with the installation."""
    base = hardware.measure(paths.models_dir())
    probed = examine.examine_probe(base)
    found = examine.complete(base, probed)
    problems = [str(problem) for problem in find_problems(found, probed)]
    if options.json:
        print(json.dumps(report(found, probed, problems), indent=1))
        return 0
    for name, value in _lines(found, probed):
        print(f"{name:<10} {value}")
    for problem in problems:
        print(f"Problem    {problem}")
    if not problems:
        print("Nothing is wrong.")
    return 0


def report(found: Hardware, probed: Probed, problems: list[str]) -> dict[str, Any]:
    """The document of `--json`. Bytes, and bytes per second; null where not known."""
    speed = probed.bandwidth
    return {
        "version": version("nibble-chat"),
        "llama_cpp": probed.llama_cpp or version("llama-cpp-python"),
        "python": sys.version.split()[0],
        "cpu": found.cpu.name,
        "cpu_cores": found.cpu.n_cores,
        "cpu_efficiency_cores": found.cpu.n_efficiency,
        "cpu_threads": found.cpu.n_threads,
        "cpu_features": found.cpu.features,
        "build_backends": probed.backends,
        "build_cpu_features": probed.build_features,
        "ram_total_bytes": found.ram_total_bytes,
        "ram_available_bytes": found.ram_available_bytes,
        "ram_limited_by": found.ram_limited_by or None,
        "ram_bandwidth": found.ram_bandwidth or None,
        "ram_bandwidth_measured": None if speed is None else asdict(speed),
        "tuned": [asdict(record) for record in read_all_tuned(paths.database_file())],
        "disk_free_bytes": found.disk_free_bytes,
        "devices": [*_device_entries(found), *_unlisted_entries(found)],
        "gpus": [_gpu_entry(gpu) for gpu in found.gpus],
        "folders": _folders(),
        "probe_troubles": probed.troubles,
        "problems": problems,
    }


def _device_entries(found: Hardware) -> list[dict[str, Any]]:
    """ggml's devices, with whether models really run on them."""
    return [{**asdict(device), "usable": _is_usable(device, found)} for device in found.devices]


def _is_usable(device: Device, found: Hardware) -> bool:
    if device.kind not in ("gpu", "igpu"):
        return True
    barred = [gpu for gpu in found.gpus if gpu.state not in (GpuState.USED, GpuState.SPARE)]
    return not any(device.pci and gpu.pci == device.pci for gpu in barred)


def _unlisted_entries(found: Hardware) -> list[dict[str, Any]]:
    """Graphics processors that are there and that llama.cpp does not list."""
    listed = {device.pci for device in found.devices if device.pci}
    idle = [gpu for gpu in found.gpus if gpu.state not in (GpuState.USED, GpuState.SPARE)]
    return [
        asdict(Device(gpu.name, gpu.name, gpu.backend, _kind(gpu), *_sizes(gpu), gpu.pci))
        | {"usable": False}
        for gpu in idle
        if gpu.pci not in listed
    ]


def _kind(gpu: Gpu) -> str:
    return "igpu" if gpu.is_integrated else "gpu"


def _sizes(gpu: Gpu) -> tuple[int, int]:
    return gpu.total_bytes, gpu.free_bytes


def _gpu_entry(gpu: Gpu) -> dict[str, Any]:
    hint = hardware.gpu_hint(gpu)
    return {
        **asdict(gpu),
        "text": str(hardware.gpu_sentence(gpu)),
        "hint": None if hint is None else str(hint),
    }


def _folders() -> dict[str, str]:
    return {
        "settings": str(paths.config_dir()),
        "data": str(paths.data_dir()),
        "models": str(paths.models_dir()),
        "cache": str(paths.cache_dir()),
    }


_UNVERIFIED = "not yet verified on a GPU of this kind: please report what you see"


def _lines(found: Hardware, probed: Probed) -> Iterator[tuple[str, str]]:
    """The report for people: a name and what there is to say."""
    yield "Nibble", f"{version('nibble-chat')}, llama-cpp-python {version('llama-cpp-python')}"
    yield "Processor", _cpu_line(found)
    if found.cpu.features:
        yield "", " ".join(found.cpu.features)
    limit = " (the container’s limit)" if found.ram_limited_by else ""
    free, total = size(found.ram_available_bytes), size(found.ram_total_bytes)
    yield "Memory", f"{free} free of {total}{limit}"
    if speed := probed.bandwidth:
        how = f"measured with {speed.n_threads} threads over {size(speed.n_bytes)}"
        yield "", f"{speed.bytes_per_s / 1e9:.1f} GB/s read, {how}"
    for record in read_all_tuned(paths.database_file()):
        yield "Measured", _tuned_line(record)
    yield "Disk", f"{size(found.disk_free_bytes)} free"
    for gpu in found.gpus:
        yield "Graphics", str(hardware.gpu_sentence(gpu))
        yield "", _gpu_line(gpu)
    if found.used_gpus:
        yield "", _UNVERIFIED
    yield "Kernels", ", ".join(backend_name(each) for each in probed.backends) or "not known"
    for device in found.devices:
        yield "Device", f"{device.name} ({device.backend}): {device.description}"
    for name, folder in _folders().items():
        yield name.capitalize(), folder


def _tuned_line(record: TuneRecord) -> str:
    threads = "1 thread" if record.n_threads == 1 else f"{record.n_threads} threads"
    way = f"{threads}, flash attention {record.flash_attn}, context in {record.kv_type}"
    return f"{record.name} {record.variant}: {way}"


def _cpu_line(found: Hardware) -> str:
    cpu = found.cpu
    slow = f", {cpu.n_efficiency} of them efficient" if cpu.n_efficiency else ""
    threads = f", {cpu.n_threads} threads" if cpu.n_threads != cpu.n_cores else ""
    cores = "core" if cpu.n_cores == 1 else "cores"
    return f"{cpu.name}, {cpu.n_cores} {cores}{slow}{threads}"


def _gpu_line(gpu: Gpu) -> str:
    parts = [f"{size(gpu.free_bytes)} free of {size(gpu.total_bytes)}"] if gpu.total_bytes else []
    if gpu.bandwidth:
        parts.append(f"{gpu.bandwidth / 1e9:.0f} GB/s")
    if gpu.driver:
        parts.append(f"driver {gpu.driver}")
    return ", ".join(parts) or "its memory is not known"
