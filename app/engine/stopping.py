"""Stop strings: where an answer ends although the model would go on. Pure text, no tokens."""

from __future__ import annotations

from collections.abc import Sequence


class StopStrings:
    """Holds back text that may be the beginning of a stop string, across any cut of the pieces."""

    def __init__(self, strings: Sequence[str]) -> None:
        self._strings = tuple(string for string in strings if string)
        self._held = ""
        self.hit = False

    def feed(self, piece: str) -> str:
        """What of the text so far is certain to be shown; after a hit, nothing more."""
        if self.hit or not self._strings:
            return "" if self.hit else piece
        self._held += piece
        found = [at for string in self._strings if (at := self._held.find(string)) >= 0]
        if found:
            self.hit = True
            text, self._held = self._held[: min(found)], ""
            return text
        keep = max(_overlap(self._held, string) for string in self._strings)
        cut = len(self._held) - keep
        text, self._held = self._held[:cut], self._held[cut:]
        return text

    def finish(self) -> str:
        """What is still held back when the answer ends by itself."""
        text, self._held = self._held, ""
        return text


def _overlap(text: str, string: str) -> int:
    """How many characters at the end of `text` could be the beginning of `string`."""
    longest = min(len(text), len(string) - 1)
    return next((n for n in range(longest, 0, -1) if string.startswith(text[-n:])), 0)
