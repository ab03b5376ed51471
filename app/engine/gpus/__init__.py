"""Graphics processors as the platform knows them, whether or not llama.cpp can use them.

Runs in the child "probe" only: these sources load drivers' libraries. Knows nothing of ggml;
`app.core.hardware.merge` puts both views together.
"""

from __future__ import annotations

import sys
from typing import Protocol

from app.core.hardware.files import SystemFiles
from app.core.hardware.types import FoundGpu


class GpuSource(Protocol):
    """One way to ask. `name` is that of a stage of the probe."""

    @property
    def name(self) -> str: ...

    def find(self) -> tuple[FoundGpu, ...]:
        """What there is; empty where this source has nothing to say. May raise anything."""
        ...


def sources() -> tuple[GpuSource, ...]:
    """This platform's sources, the one that knows most first."""
    if sys.platform == "darwin":
        from app.engine.gpus.apple import AppleSource

        return (AppleSource(),)
    from app.engine.gpus.nvidia import NvidiaSource

    if sys.platform == "win32":
        from app.engine.gpus.dxgi import DxgiSource

        return NvidiaSource(), DxgiSource()
    from app.engine.gpus.drm import DrmSource

    return NvidiaSource(), DrmSource(SystemFiles())
