"""Graphics processors of Linux, from sysfs: every PCI device that can show or compute.

Finds those that no driver serves, too, which is why the bus is read and not /sys/class/drm. The
driver amdgpu tells its memory; for others the largest window on the bus is a good guess, where the
firmware made it as large as the memory (resizable BAR).
Source: Documentation/gpu/amdgpu/driver-misc.rst, Documentation/ABI/testing/sysfs-bus-pci.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from app.core.hardware import known, sentences
from app.core.hardware.files import Files, fields, number
from app.core.hardware.types import FoundGpu

_DEVICES = "/sys/bus/pci/devices"
_IS_DISPLAY = 0x03  # class of the PCI specification: VGA, 3D and other display controllers
_PCI_IDS = ("/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids")
_DRIVERS_WITHOUT_COMPUTE = ("nouveau", "nvidiafb", "vfio-pci", "")
_GUEST_VENDORS = ("amd", "intel", "nvidia")
_LEAST_WINDOW = 1 << 31  # a smaller one is the old 256 MB aperture and says nothing


def may_use(path: str) -> bool:
    """Whether this user may compute on the device file `path`."""
    return os.access(path, os.R_OK | os.W_OK)


class DrmSource:
    name = "drm"

    def __init__(self, files: Files, may_use: Callable[[str], bool] = may_use) -> None:
        self._files, self._may_use = files, may_use

    def find(self) -> tuple[FoundGpu, ...]:
        found = (self._device(address) for address in self._files.names(_DEVICES))
        return tuple(gpu for gpu in found if gpu is not None)

    def _device(self, address: str) -> FoundGpu | None:
        folder = f"{_DEVICES}/{address}"
        if number(self._files.text(f"{folder}/class")) >> 16 != _IS_DISPLAY:
            return None
        facts = fields(self._files.text(f"{folder}/uevent"), "=")
        vendor_id = number(self._files.text(f"{folder}/vendor"))
        device_id = number(self._files.text(f"{folder}/device"))
        vendor = known.VENDORS.get(vendor_id, "")
        if vendor not in _GUEST_VENDORS:  # a virtual machine's or a server board's screen
            return None
        if known.is_too_old(vendor_id, device_id):
            return None
        is_integrated = _is_integrated(vendor, device_id, address)
        total, free = self._memory(folder, is_integrated)
        own, own_used = self._amd_memory(folder, "vram")
        return FoundGpu(
            source="drm",
            name=self._name(vendor_id, device_id, folder),
            vendor=vendor,
            total_bytes=total,
            free_bytes=free,
            pci=address.lower(),
            is_integrated=is_integrated,
            driver=self._driver(facts),
            missing=_missing(vendor, facts) or self._barred(folder),
            own_bytes=own if is_integrated else 0,
            own_free_bytes=max(0, own - own_used) if is_integrated else 0,
        )

    def _memory(self, folder: str, is_integrated: bool) -> tuple[int, int]:
        """(total, free). An integrated one takes ordinary RAM (GTT) once its own is full."""
        total, used = self._amd_memory(folder, "vram")
        if is_integrated and total:
            more, more_used = self._amd_memory(folder, "gtt")
            total, used = total + more, used + more_used
        if total:
            return total, max(0, total - used)
        window = 0 if is_integrated else largest_window(self._files.text(f"{folder}/resource"))
        return window, 0

    def _amd_memory(self, folder: str, kind: str) -> tuple[int, int]:
        files = (f"{folder}/mem_info_{kind}_total", f"{folder}/mem_info_{kind}_used")
        return number(self._files.text(files[0])), number(self._files.text(files[1]))

    def _barred(self, folder: str) -> str:
        """Computing goes through the device's render node, which not everybody may open."""
        nodes = [name for name in self._files.names(f"{folder}/drm") if name.startswith("render")]
        is_barred = any(not self._may_use(f"/dev/dri/{node}") for node in nodes)
        return sentences.GPU_ACCESS if is_barred else ""

    def _driver(self, facts: Mapping[str, str]) -> str:
        name = facts.get("DRIVER", "")
        version = self._files.text(f"/sys/module/{name}/version").strip() if name else ""
        return f"{name} {version}".strip()

    def _name(self, vendor_id: int, device_id: int, folder: str) -> str:
        own = self._files.text(f"{folder}/product_name").strip()
        listed = known.NAMES.get((vendor_id, device_id))
        if vendor_id == 0x1002:
            listed = listed or known.AMD_INTEGRATED.get(device_id)
        maker = known.VENDOR_NAMES[known.VENDORS[vendor_id]]
        short = listed or own or self._listed_name(vendor_id, device_id) or f"GPU {device_id:04x}"
        return short if short.startswith(maker) else f"{maker} {short}"

    def _listed_name(self, vendor_id: int, device_id: int) -> str:
        """From the distribution's list of PCI names: the trade name in brackets, else all."""
        for path in _PCI_IDS:
            if text := self._files.text(path):
                return name_in_pci_ids(text, vendor_id, device_id)
        return ""


def name_in_pci_ids(text: str, vendor_id: int, device_id: int) -> str:
    """The device's line below its vendor's in the format of pci.ids: a tab, the id, the name."""
    is_vendor = False
    for line in text.splitlines():
        if line[:4].strip() and not line.startswith(("#", "\t")):
            is_vendor = line.lower().startswith(f"{vendor_id:04x} ")
        elif is_vendor and line.lower().startswith(f"\t{device_id:04x} "):
            name = line[5:].strip()
            trade = re.search(r"\[(.+)\]", name)
            return trade[1] if trade else name
    return ""


def largest_window(resource: str) -> int:
    """Bytes of the largest of the six windows in sysfs' "resource": start, end, flags each."""
    sizes = []
    for line in resource.splitlines()[:6]:
        words = [number(word) for word in line.split()]
        if len(words) == 3 and words[1] > words[0]:
            sizes.append(words[1] - words[0] + 1)
    largest = max(sizes, default=0)
    return largest if largest >= _LEAST_WINDOW else 0


def _is_integrated(vendor: str, device_id: int, address: str) -> bool:
    if vendor == known.INTEL:  # part of the processor, and there on the first bus
        return address.split(":")[1:2] == ["00"]
    return vendor == known.AMD and device_id in known.AMD_INTEGRATED


def _missing(vendor: str, facts: Mapping[str, str]) -> str:
    driver = facts.get("DRIVER", "")
    if vendor == known.NVIDIA and driver in _DRIVERS_WITHOUT_COMPUTE:
        return sentences.NVIDIA_DRIVER
    return "" if driver else "kernel driver"
