"""Errors a person can act on, kept apart from bugs.

`AppError` is the environment's doing (a bad file, a full disk, no memory): it always carries one
plain sentence. Anything else that escapes is a bug and keeps its traceback. Sentences are
`Message`s, never f-strings, so that the window can translate them and the command line print them;
they are defined in `quantize.messages`, the lowest package that speaks to people.
"""

from __future__ import annotations

from quantize.messages import QT_TRANSLATE_NOOP, Arg, Message

__all__ = [
    "QT_TRANSLATE_NOOP",
    "AppError",
    "Arg",
    "EngineError",
    "EngineLostError",
    "Message",
    "ModelFileError",
    "PromptError",
    "SettingsError",
    "StoreError",
]


class AppError(Exception):
    """Something outside the program went wrong, and the user can do something about it.

    `text` says what happened, `hint` the way on, `detail` what a developer wants to see.
    """

    def __init__(self, text: Message, hint: Message | None = None, detail: str = "") -> None:
        super().__init__(str(text))
        self.text = text
        self.hint = hint
        self.detail = detail


class ModelFileError(AppError):
    """The model file is missing, damaged, or of a kind that cannot be loaded."""


class EngineError(AppError):
    """The engine child could not do what was asked, or died."""


class EngineLostError(EngineError):
    """The engine lives but can compute no more, as after a graphics driver was reset."""


class PromptError(AppError):
    """The messages cannot be made into a prompt: template trouble, or too long."""


class StoreError(AppError):
    """The conversations could not be read or written."""


class SettingsError(AppError):
    """The settings file or a value in it cannot be used."""
