"""The `tokenizer.*` keys of a checkpoint's folder, as the official converter writes them.

Reads tokenizer files itself: no Hugging Face package is needed at run time.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from quantize.model import MetadataValue
from quantize.tokenizer.style import VocabStyle

if TYPE_CHECKING:
    from quantize.config import Config

__all__ = ["VocabStyle", "vocabulary"]


def vocabulary(folder: Path, config: Config, style: VocabStyle) -> dict[str, MetadataValue]:
    """The `tokenizer.*` keys in the official writer's order.

    Raises CheckpointError where the tokenizer is missing, damaged or contradicts `config`, and
    UnsupportedError where its kind or its pre-tokenizer is unknown.
    """
    raise NotImplementedError
