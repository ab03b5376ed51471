"""Sentences for people, in English with named places, translatable later.

They live here because `quantize` is the lowest package that speaks to people: it works alone and
must not import `app`, while `app.core.errors` may import from here. No Qt: the window translates a
`Message`, the command line prints it.
"""

from __future__ import annotations

from dataclasses import dataclass

Arg = str | int | float


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence in English with named places, translatable by `context`."""

    context: str
    template: str
    args: tuple[tuple[str, Arg], ...] = ()

    def fill(self, **args: Arg) -> Message:
        """The same sentence with its places filled: `"{size} free"` and `size="3.8 GB"`."""
        return Message(self.context, self.template, tuple(args.items()))

    def __str__(self) -> str:
        return self.template.format(**dict(self.args)) if self.args else self.template


def QT_TRANSLATE_NOOP(context: str, template: str) -> Message:  # noqa: N802
    """A Message. Qt's lupdate looks for this name with two literals, so places come by `fill`."""
    return Message(context, template)
