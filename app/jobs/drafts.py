"""Which installed models can guess ahead for the loaded one: small ones with the same tokens.

Headers are read on the task thread. Whether every token agrees, the engine checks when it loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.core.errors import AppError
from app.core.library import InstalledModel
from app.jobs.tasks import TaskThread

MOST_SHARE = 0.4  # of the loaded model's size: a larger one guesses too slowly to help
_MOST_MORE_TOKENS = 128  # as the engine allows: vocabularies are padded differently


@dataclass(frozen=True, slots=True)
class DraftChoice:
    path: str
    name: str
    size_bytes: int


class Drafts(QObject):
    """`found` comes after `look`: tuple[DraftChoice, ...], the smallest first."""

    found = Signal(object)

    def __init__(self, tasks: TaskThread, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tasks = tasks
        self._asked: object = None

    def look(self, path: str, size_bytes: int, installed: Sequence[InstalledModel]) -> None:
        """Find those for the model of `size_bytes` in `path`."""
        small = [
            model
            for model in installed
            if model.is_usable
            and str(model.path) != path
            and model.size_bytes <= MOST_SHARE * size_bytes
        ]
        asked = (path, tuple(model.path for model in small))
        if asked == self._asked:
            return
        self._asked = asked

        def done(choices: tuple[DraftChoice, ...]) -> None:
            if asked == self._asked:
                self.found.emit(choices)

        if small:
            self._tasks.submit(lambda: _fitting(Path(path), small), done, _is_missing)
        else:
            self.found.emit(())


def _fitting(path: Path, small: Sequence[InstalledModel]) -> tuple[DraftChoice, ...]:
    own = _vocabulary(path)
    if own is None:
        return ()
    fitting = [model for model in small if _agree(own, _vocabulary(model.path))]
    fitting.sort(key=lambda model: (model.size_bytes, model.name))
    return tuple(
        DraftChoice(str(model.path), f"{model.name} {model.variant}".strip(), model.size_bytes)
        for model in fitting
    )


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    kind: tuple[object, ...]
    n_tokens: int


def _vocabulary(path: Path) -> _Vocabulary | None:
    """What a header tells of the tokens; None where it cannot be read."""
    from quantize.errors import GgufError
    from quantize.gguf_header import ArrayRef
    from quantize.gguf_split import read_model

    try:
        metadata = read_model(path).metadata
    except (GgufError, OSError):
        return None
    names = ("model", "pre", "bos_token_id", "eos_token_id")
    tokens = metadata.get("tokenizer.ggml.tokens")
    n_tokens = tokens.count if isinstance(tokens, ArrayRef) else 0
    return _Vocabulary(tuple(metadata.get(f"tokenizer.ggml.{n}") for n in names), n_tokens)


def _agree(one: _Vocabulary, other: _Vocabulary | None) -> bool:
    if other is None or one.kind != other.kind:
        return False
    return bool(one.n_tokens) and abs(one.n_tokens - other.n_tokens) <= _MOST_MORE_TOKENS


def _is_missing(_error: AppError) -> None:
    """Then nothing can be chosen."""
