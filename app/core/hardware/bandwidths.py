"""How fast graphics processors read their memory, by name, as the makers' data sheets give it.

NVIDIA's driver says it itself where it is asked; this is for the others, and for NVIDIA's through
Vulkan. A name that is missing here is only predicted less well.
"""

from __future__ import annotations

import re

# A piece of the name, and gigabytes per second; the first that is found counts.
_BANDWIDTH = (
    ("RTX 5090", 1792),
    ("RTX 5080", 960),
    ("RTX 5070 Ti", 896),
    ("RTX 5070", 672),
    ("RTX 5060", 448),
    ("RTX 4090", 1008),
    ("RTX 4080 SUPER", 736),
    ("RTX 4080", 717),
    ("RTX 4070 Ti SUPER", 672),
    ("RTX 4070", 504),
    ("RTX 4060 Ti", 288),
    ("RTX 4060", 272),
    ("RTX 3090 Ti", 1008),
    ("RTX 3090", 936),
    ("RTX 3080 Ti", 912),
    ("RTX 3080", 760),
    ("RTX 3070 Ti", 608),
    ("RTX 3070", 448),
    ("RTX 3060 Ti", 448),
    ("RTX 3060", 360),
    ("RTX 3050", 224),
    ("RTX 2080 Ti", 616),
    ("RTX 2080", 448),
    ("RTX 2070", 448),
    ("RTX 2060", 336),
    ("GTX 1080 Ti", 484),
    ("GTX 1080", 320),
    ("GTX 1070", 256),
    ("GTX 1060", 192),
    ("M1 Ultra", 800),
    ("M1 Max", 400),
    ("M1 Pro", 200),
    ("M1", 68),
    ("M2 Ultra", 800),
    ("M2 Max", 400),
    ("M2 Pro", 200),
    ("M2", 100),
    ("M3 Ultra", 819),
    ("M3 Max", 300),  # 400 with 16 processor cores: see `bandwidth_of`
    ("M3 Pro", 150),
    ("M3", 100),
    ("M4 Max", 410),  # 546 with 16 processor cores
    ("M4 Pro", 273),
    ("M4", 120),
    ("M5 Max", 460),  # 614 with 40 graphics cores: all have the same processor
    ("M5 Pro", 307),
    ("M5", 153),
    ("RX 9070", 640),
    ("RX 7900 XTX", 960),
    ("RX 7900 XT", 800),
    ("RX 7900 GRE", 576),
    ("RX 7800 XT", 624),
    ("RX 7700 XT", 432),
    ("RX 7600", 288),
    ("RX 6900", 512),
    ("RX 6800", 512),
    ("RX 6750", 432),
    ("RX 6700 XT", 384),
    ("RX 6600", 224),
    ("RX 6500", 144),
    ("RX 580", 256),
    ("RX 5700", 448),
    ("A770", 560),
    ("A750", 512),
    ("A580", 512),
    ("A380", 186),
    ("B580", 456),
    ("B570", 380),
)
_WITH_16_CORES = {"M3 Max": 400, "M4 Max": 546}


def bandwidth_of(name: str, n_cores: int = 0) -> int:
    """Bytes per second by the processor's name, 0 where not known.

    `n_cores`: of the processor that Apple's graphics are part of; the fuller chip of a name has
    the wider memory.
    """
    for piece, gigabytes in _BANDWIDTH:
        if re.search(rf"\b{re.escape(piece)}\b", name) and not _is_ambiguous(name):
            fuller = _WITH_16_CORES.get(piece, gigabytes) if n_cores >= 16 else gigabytes
            return fuller * 10**9
    return 0


def _is_ambiguous(name: str) -> bool:
    """A name that stands for several boards, or a laptop's, with slower memory."""
    return any(mark in name for mark in ("/", "Laptop", "Mobile", "Max-Q"))
