"""Who made which graphics processor, and what it is called: by PCI id, or by what it says.

A processor that is missing here is named by the system.
"""

from __future__ import annotations

import re

AMD, INTEL, NVIDIA, APPLE = "amd", "intel", "nvidia", "apple"
_LONGEST_NAME = 120
VENDORS = {0x1002: AMD, 0x1022: AMD, 0x8086: INTEL, 0x10DE: NVIDIA, 0x106B: APPLE}
VENDOR_NAMES = {AMD: "AMD", INTEL: "Intel", NVIDIA: "NVIDIA", APPLE: "Apple"}

# (vendor, device): name. From the kernel's amdgpu_drv.c and i915_pciids.h / xe_pciids.h, and the
# makers' lists. One id often stands for several boards; the name then says so.
NAMES = {
    (0x1002, 0x73BF): "AMD Radeon RX 6800/6800 XT/6900 XT",
    (0x1002, 0x73DF): "AMD Radeon RX 6700/6700 XT/6750 XT",
    (0x1002, 0x73FF): "AMD Radeon RX 6600/6600 XT",
    (0x1002, 0x743F): "AMD Radeon RX 6400/6500 XT",
    (0x1002, 0x744C): "AMD Radeon RX 7900 XT/XTX/GRE",
    (0x1002, 0x747E): "AMD Radeon RX 7700 XT/7800 XT",
    (0x1002, 0x7480): "AMD Radeon RX 7600/7600 XT",
    (0x1002, 0x7550): "AMD Radeon RX 9070/9070 XT",
    (0x1002, 0x7590): "AMD Radeon RX 9060 XT",
    (0x1002, 0x67DF): "AMD Radeon RX 470/480/570/580",
    (0x1002, 0x731F): "AMD Radeon RX 5700/5700 XT",
    (0x8086, 0x56A0): "Intel Arc A770",
    (0x8086, 0x56A1): "Intel Arc A750",
    (0x8086, 0x56A2): "Intel Arc A580",
    (0x8086, 0x56A5): "Intel Arc A380",
    (0x8086, 0xE20B): "Intel Arc B580",
    (0x8086, 0xE20C): "Intel Arc B570",
    (0x8086, 0x7D55): "Intel Arc Graphics",
    (0x8086, 0x64A0): "Intel Arc Graphics 130V/140V",
    (0x8086, 0x9A49): "Intel Iris Xe Graphics",
    (0x8086, 0x46A6): "Intel Iris Xe Graphics",
    (0x8086, 0xA7A0): "Intel Iris Xe Graphics",
    (0x8086, 0x4680): "Intel UHD Graphics 770",
    (0x8086, 0xA780): "Intel UHD Graphics 770",
}

# AMD's processors with graphics inside; all of Intel's on bus 0 are such.
AMD_INTEGRATED = {
    0x15DD: "AMD Radeon Vega Graphics",
    0x15D8: "AMD Radeon Vega Graphics",
    0x1636: "AMD Radeon Graphics",
    0x1638: "AMD Radeon Graphics",
    0x164C: "AMD Radeon Graphics",
    0x15E7: "AMD Radeon Graphics",
    0x163F: "AMD Custom GPU 0405",
    0x1506: "AMD Radeon 610M",
    0x164E: "AMD Radeon Graphics",
    0x13C0: "AMD Radeon Graphics",
    0x1681: "AMD Radeon 680M",
    0x15BF: "AMD Radeon 780M",
    0x15C8: "AMD Radeon 740M",
    0x1900: "AMD Radeon 780M",
    0x1901: "AMD Radeon 740M",
    0x150E: "AMD Radeon 880M/890M",
    0x1114: "AMD Radeon 840M/860M",
    0x1586: "AMD Radeon 8050S/8060S",
}


def is_too_old(vendor_id: int, device_id: int) -> bool:
    """Intel's graphics before Skylake: no backend of llama.cpp computes on them."""
    return vendor_id == 0x8086 and (device_id < 0x1900 or 0x2200 <= device_id < 0x2300)


def backend_of(registry: str) -> str:
    """Our word for a ggml backend by its registry's name: "MTL" is "metal", the others as is."""
    lower = registry.lower()
    return "metal" if lower == "mtl" else lower


def tidy(name: str) -> str:
    """Without the marks and the padding that makers put in; one line of a length to show."""
    for mark in ("(R)", "(r)", "(TM)", "(tm)", "®", "™"):
        name = name.replace(mark, "")
    printable = "".join(c if c.isprintable() else " " for c in name)
    return " ".join(printable.split())[:_LONGEST_NAME]


def plain_name(description: str) -> str:
    """Vulkan's "Intel(R) Arc(tm) A770 Graphics (DG2)" without the driver's code name."""
    return re.sub(r"\s*\([^()]*\)$", "", tidy(description))


def vendor_of(name: str, backend: str = "") -> str:
    """Who made the device that calls itself `name`; "" where it does not say."""
    lower = name.lower()
    words = {
        NVIDIA: ("nvidia", "geforce", "quadro", "rtx ", "tesla"),
        AMD: ("amd", "radeon", "gfx"),
        INTEL: ("intel", " arc "),
        APPLE: ("apple",),
    }
    for vendor, marks in words.items():
        if any(mark in lower for mark in marks):
            return vendor
    return {"cuda": NVIDIA, "metal": APPLE, "rocm": AMD}.get(backend, "")
