"""What the catalogue says of a model and of its files. Knows not where it says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.errors import QT_TRANSLATE_NOOP, Message
from app.core.fit.geometry import Geometry


class FileKind(StrEnum):
    QUANTIZED = "quantized"
    QAT = "qat"  # trained to be used at 4 bits: its Q4_0 loses next to nothing
    ORIGINAL = "original"  # published like this (MXFP4): there is nothing better to take


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """One variant at one commit. `files`: its parts in order, (path, bytes, SHA-256 or "").

    `commit` "": not pinned yet, and then sizes may be as listed, to a tenth of a gigabyte; a
    download asks the hub which commit and which bytes it is to be.
    """

    repo: str
    commit: str
    variant: str
    kind: FileKind
    files: tuple[tuple[str, int, str], ...]

    @property
    def size_bytes(self) -> int:
        return sum(size for _, size, _ in self.files)


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """`repo` holds the original weights. `files` from the largest to the smallest.

    `n_params_active`: those that one token uses, fewer in a mixture of experts. `is_gated`: the
    originals ask for a token, `files` never do. `thinks`: it may write down its thoughts first,
    `always_thinks`: it cannot be told not to. `rank`: among the models to begin with, the higher
    the better; 0: not one of them.
    """

    id: str
    name: str
    repo: str
    architecture: str
    n_params: int
    n_params_active: int
    n_ctx_train: int
    license: str
    is_gated: bool
    good_for: Message
    released: str
    files: tuple[CatalogFile, ...]
    mmproj: CatalogFile | None
    geometry: Geometry
    thinks: bool = False
    sees: bool = False
    always_thinks: bool = False
    rank: int = 0


# What models are for, in few words; the catalogue may say nothing else.
GOOD_FOR = (
    QT_TRANSLATE_NOOP("catalog", "chat"),
    QT_TRANSLATE_NOOP("catalog", "chat, code"),
    QT_TRANSLATE_NOOP("catalog", "chat, long texts"),
    QT_TRANSLATE_NOOP("catalog", "chat, pictures"),
    QT_TRANSLATE_NOOP("catalog", "chat, pictures, sound"),
    QT_TRANSLATE_NOOP("catalog", "chat, reasoning"),
    QT_TRANSLATE_NOOP("catalog", "chat, reasoning, code"),
    QT_TRANSLATE_NOOP("catalog", "chat, reasoning, pictures"),
    QT_TRANSLATE_NOOP("catalog", "chat, reasoning, tools"),
    QT_TRANSLATE_NOOP("catalog", "chat, tools, pictures"),
    QT_TRANSLATE_NOOP("catalog", "code, agents, pictures"),
    QT_TRANSLATE_NOOP("catalog", "code, reasoning, pictures"),
    QT_TRANSLATE_NOOP("catalog", "everyday text"),
    QT_TRANSLATE_NOOP("catalog", "many languages, pictures"),
    QT_TRANSLATE_NOOP("catalog", "maths, reasoning"),
    QT_TRANSLATE_NOOP("catalog", "quick short tasks"),
    QT_TRANSLATE_NOOP("catalog", "quick short tasks, pictures"),
    QT_TRANSLATE_NOOP("catalog", "reasoning, tools"),
    QT_TRANSLATE_NOOP("catalog", "summaries, rewriting"),
    QT_TRANSLATE_NOOP("catalog", "trying things out"),
    QT_TRANSLATE_NOOP("catalog", "writing, role play"),
    QT_TRANSLATE_NOOP("catalog", "writing, translation, pictures"),
)
