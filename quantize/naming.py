"""What a model is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from quantize.config import Config
from quantize.model import MetadataValue, Typed, Weight
from quantize.types import GgufType


def general(folder: Path, config: Config, weights: Sequence[Weight]) -> dict[str, MetadataValue]:
    del config, weights
    return {"general.name": Typed(GgufType.STRING, folder.name)}
