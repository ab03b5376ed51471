"""The parts of the window that think, around a real engine, without the window."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from pytestqt.qtbot import QtBot

from app.core import settings as s
from app.core.chat import ChatMessage, Role
from app.core.settings import Settings
from app.core.store import Store
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob, Phase

PATIENCE_MS = 60_000


class Living:
    """Settings, store, engine and chat of one running program; answers are short and greedy."""

    def __init__(self, qtbot: QtBot, folder: Path, model: Path, n_ctx: int = 2048) -> None:
        self._qtbot = qtbot
        self.model = model
        self._asked = ""
        self.settings = Settings(folder / "settings.json")
        self.settings.set(s.N_CTX, n_ctx)
        self.settings.set(s.MAX_TOKENS, 12)
        self.settings.set(s.TEMPERATURE, 0.0)
        self.store = Store(folder / "conversations.db", folder / "lock")
        self.engine = EngineJob()
        self.chat = ChatJob(self.store, self.settings, self.engine)

    def wait(self, condition: Callable[[], bool]) -> None:
        self._qtbot.waitUntil(condition, timeout=PATIENCE_MS)

    def reach(self, *phases: Phase) -> None:
        self.wait(lambda: self.engine.state.phase in phases)

    def load(self) -> None:
        self.chat.load_model(self.model)
        self.reach(Phase.READY)

    def send(self, text: str) -> None:
        self._asked = text
        self.chat.send(text)

    def answered(self) -> ChatMessage:
        """The answer to what was sent last, once it is whole, stopped or failed."""
        self.wait(self._is_answered)
        return self.messages[-1]

    def _is_answered(self) -> bool:
        last = [(m.role, m.text) for m in self.messages[-2:]]
        asked = (Role.USER, self._asked)
        is_there = last[:1] == [asked] and last[-1][0] is Role.ASSISTANT
        return is_there and not self.chat.is_answering

    @property
    def messages(self) -> tuple[ChatMessage, ...]:
        return self.chat.open.messages if self.chat.open else ()

    @property
    def pid(self) -> int:
        """Of the engine; 0 where there is none."""
        client = self.engine._client
        return int(client.pid) if client is not None else 0  # type: ignore[attr-defined]

    def signal(self, number: int = signal.SIGKILL) -> bool:
        """Send `number` to the engine, where there is one."""
        pid = self.pid
        if pid:
            os.kill(pid, number)
        return bool(pid)
