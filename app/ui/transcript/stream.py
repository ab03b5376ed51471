"""What is known of an answer only while it is written: the text so far, what is new, the clock."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(eq=False, slots=True)
class Stream:
    """Gathers pieces of text until they are taken, and measures how long the model thinks."""

    parts: list[str] = field(default_factory=list)
    thought_parts: list[str] = field(default_factory=list)
    thought_ms: float = 0
    _taken: int = 0
    _thoughts_taken: int = 0
    _thinking_since: float = 0

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def thoughts(self) -> str:
        return "".join(self.thought_parts)

    def add(self, text: str) -> None:
        self.parts.append(text)
        if self._thinking_since:
            self.thought_ms += 1000 * (time.monotonic() - self._thinking_since)
            self._thinking_since = 0

    def add_thought(self, text: str) -> None:
        self.thought_parts.append(text)
        self._thinking_since = self._thinking_since or time.monotonic()

    def take(self) -> str:
        """The text that came since it was last taken."""
        new = "".join(self.parts[self._taken :])
        self._taken = len(self.parts)
        return new

    def take_thoughts(self) -> str:
        new = "".join(self.thought_parts[self._thoughts_taken :])
        self._thoughts_taken = len(self.thought_parts)
        return new
