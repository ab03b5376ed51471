"""The eleven computers that the recommendation is judged by, through the real parsers."""

from __future__ import annotations

from app.core.hardware import Hardware
from tests.helpers.recording import Recording

NAMES = (
    "macbook-air-m1-8",
    "mac-m3-max-64",
    "laptop-16-no-gpu",
    "rtx-3050-4",
    "rtx-4060-8",
    "rtx-4090-24",
    "two-gpus",
    "radeon-vulkan",
    "intel-arc",
    "old-4gb-no-avx2",
    "container-2gib",
)
MACHINES: dict[str, Hardware] = {name: Recording.named(name).hardware() for name in NAMES}
