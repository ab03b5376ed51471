"""Reads a recording of a computer (tests/helpers/recordings) and lets the real parsers have it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.core.hardware import Hardware, complete
from app.core.hardware.files import number_list
from app.core.hardware.known import backend_of
from app.core.hardware.machine import measure
from app.core.hardware.memory import Memory
from app.core.hardware.platforms import Linux, MacOS, Platform, Windows, sysctl_values
from app.core.hardware.probed import Probed
from app.core.hardware.types import Device, FoundGpu
from app.engine.gpus.apple import AppleSource
from app.engine.gpus.drm import DrmSource
from app.engine.gpus.dxgi import DxgiSource
from app.engine.gpus.dxgi import Reading as DxgiReading
from app.engine.gpus.nvidia import NvidiaSource
from app.engine.gpus.nvidia import Reading as NvmlReading

FOLDER = Path(__file__).parent / "recordings"


class RecordedFiles:
    """`Files` of text that was put down: path -> contents."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = dict(texts)

    def text(self, path: str) -> str:
        return self.texts.get(path, "")

    def names(self, folder: str) -> tuple[str, ...]:
        below = (p[len(folder) + 1 :] for p in self.texts if p.startswith(f"{folder}/"))
        return tuple(sorted({rest.partition("/")[0] for rest in below}))


class Recording:
    """One computer's readings."""

    def __init__(self, text: str) -> None:
        pieces = re.split(r"^==> (.+) <==\n", text, flags=re.MULTILINE)[1:]
        self.sections = dict(zip(pieces[::2], pieces[1::2], strict=True))
        lines = self.sections.pop("grep", "").split("\n")
        # A PCI address holds colons, too: the value comes after the file's own name.
        pairs = (re.match(r"(/.*/[a-z_0-9.]+):(.*)", line) for line in lines)
        one_line = {pair[1]: pair[2] + "\n" for pair in pairs if pair}
        self.files = RecordedFiles({**one_line, **self.sections})
        self.system = self._json("system.json", {})

    @classmethod
    def named(cls, name: str) -> Recording:
        return cls((FOLDER / f"{name}.txt").read_text("utf-8"))

    def platform(self) -> Platform:
        kind = self.system["platform"]
        if kind == "linux":
            return Linux(self.files, number_list(self.system["allowed"]))
        ram = Memory(self.system["ram_total"], self.system["ram_available"])
        if kind == "macos":
            return MacOS(sysctl_values(self.sections["sysctl"]), ram)
        counts = self.system["n_cores"], self.system["n_threads"]
        return Windows(self.system["cpu"], *counts, ram)

    def gpus(self) -> tuple[FoundGpu, ...]:
        """What the platform's sources find, in the order in which the probe asks them."""
        nvml = [_nvml_reading(each) for each in self._json("nvml.json", [])]
        found = NvidiaSource(lambda: nvml).find()
        if self.system["platform"] == "macos":
            return AppleSource(lambda: self.sections["sysctl"]).find()
        if self.system["platform"] == "windows":
            dxgi = [DxgiReading(*each) for each in self._json("dxgi.json", [])]
            return found + DxgiSource(lambda: dxgi).find()
        return found + DrmSource(self.files).find()

    def probed(self) -> Probed:
        ggml = self._json("ggml.json", {})
        devices = (Device(*each) for each in ggml["devices"])
        return Probed(
            llama_cpp="0.3.36",
            devices=tuple(_named_backend(device) for device in devices),
            backends=tuple(backend_of(name) for name in ggml["backends"]),
            cuda_archs=tuple(ggml["cuda_archs"]),
            gpus=self.gpus(),
            cpu_features=tuple(self.system.get("cpu_features", ())),
            n_efficiency=self.system.get("n_efficiency", 0),
        )

    def hardware(self) -> Hardware:
        base = replace(
            measure(Path(), platform=self.platform()), disk_free_bytes=self.system["disk_free"]
        )
        return complete(base, self.probed(), self.system["ram_bandwidth"])

    def _json(self, name: str, default: Any) -> Any:
        return json.loads(self.sections[name]) if name in self.sections else default


def _nvml_reading(values: list[Any]) -> NvmlReading:
    name, bus_id, total, free, driver, compute, width, clock = values
    return NvmlReading(name, bus_id, total, free, driver, tuple(compute), width, clock)


def _named_backend(device: Device) -> Device:
    return replace(device, backend=backend_of(device.backend))
