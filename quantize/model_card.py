"""The head of a checkpoint's README.md: YAML that says who made a model from what.

A card is a courtesy: one that cannot be read says nothing, and nothing fails for it. It is read by
the Python parser, since the one in C has no end for deep nesting.

Source: llama.cpp at 0c1e57098, gguf-py/gguf/metadata.py (load_model_card).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from quantize.errors import CheckpointError
from quantize.jsonfile import check_ordinary_file

_FENCE = "---"
_MAX_BYTES = 64 * 1024


def read_card(folder: Path) -> Mapping[str, Any]:
    """The keys at the head of `folder`'s README.md; empty without one, or beyond 64 KB."""
    text = _front_matter(_head(folder / "README.md"))
    # "no" is a language here, and tabs are no YAML.
    text = text.replace("- no\n", '- "no"\n').replace("\t", "  ")
    try:
        values = yaml.safe_load(text) if text else {}
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {key: value for key, value in values.items() if isinstance(key, str)}


def _head(path: Path) -> str:
    """The file; of a larger one what could hold the fences, its first 64 KB."""
    try:
        check_ordinary_file(path)
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except (CheckpointError, OSError, ValueError):
        return ""
    text = data.decode("utf-8", "ignore")
    return text if len(data) <= _MAX_BYTES or text.count(f"\n{_FENCE}\n") else ""


def _front_matter(head: str) -> str:
    """The lines from the first line, a fence, to the next one; "" where it is no fence."""
    lines = head.splitlines()
    if not lines or lines[0] != _FENCE:
        return ""
    end = lines.index(_FENCE, 1) if _FENCE in lines[1:] else len(lines)
    return "".join(f"{line}\n" for line in lines[1:end])
