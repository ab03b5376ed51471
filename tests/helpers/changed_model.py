"""The starter with another chat template, or none: its other bytes stay where they are."""

from __future__ import annotations

import struct
from pathlib import Path

_KEY = b"tokenizer.chat_template"


def with_template(starter: Path, path: Path, template: str) -> Path:
    """`template` in place of the starter's, which is longer; the rest is a comment."""
    data = starter.read_bytes()
    at = data.index(struct.pack("<Q", len(_KEY)) + _KEY) + 8 + len(_KEY) + 4
    (length,) = struct.unpack_from("<Q", data, at)
    padded = template.encode() + b"{#" + b" " * (length - len(template.encode()) - 4) + b"#}"
    assert len(padded) == length
    path.write_bytes(data[: at + 8] + padded + data[at + 8 + length :])
    return path


def without_template(starter: Path, path: Path) -> Path:
    """The template under a key that nobody looks for."""
    path.write_bytes(starter.read_bytes().replace(_KEY, b"tokenizer.ch_t_template", 1))
    return path
