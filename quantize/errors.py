"""Errors of the quantizer that a person can act on, kept apart from bugs.

The same shape as `app.core.errors.AppError` (text, hint, detail), which this package must not
import; callers in `app` wrap them.
"""

from __future__ import annotations

from pathlib import Path

from quantize.messages import Message


class QuantizeError(Exception):
    """Something outside the program went wrong with `path`, and the user can do something about it.

    `text` says what happened, `hint` the way on, `detail` what a developer wants to see.
    """

    def __init__(
        self, path: Path, text: Message, hint: Message | None = None, detail: str = ""
    ) -> None:
        super().__init__(str(text))
        self.path = path
        self.text = text
        self.hint = hint
        self.detail = detail


class GgufError(QuantizeError):
    """The file is not a GGUF that can be used: missing, cut short, damaged, or something else."""


class CheckpointError(QuantizeError):
    """A source (weights, config, tokenizer) that is missing, damaged or contradicts itself.

    Where one tensor is to blame, its name is in `text`.
    """


class UnsupportedError(QuantizeError):
    """A sound source or a fair request that Nibble cannot serve: an unknown model family, a type
    that needs an importance matrix, an unknown pre-tokenizer."""


class OutputError(QuantizeError):
    """The result cannot be written: it exists, the disk is full, it is the source itself."""


class Cancelled(Exception):  # noqa: N818 - an outcome, not an error
    """The user ended the work; nothing half-written is left."""
