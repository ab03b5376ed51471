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
