"""A day of chatting in minutes: what is done is drawn from a seed, what must hold is checked.

The first half of the day is rough: the engine is killed at any moment, models change during an
answer and twice in a row. In the second half one engine lives through everything, so that what it
leaks adds up.
"""

from __future__ import annotations

import os
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pytestqt.qtbot import QtBot

from app.core import settings as s
from app.core.chat import ChatMessage, Status
from app.core.store import Store
from app.jobs.engine import Phase
from tests.helpers.living import Living

_THINGS = ("a colour", "an animal", "a river", "a fruit", "a planet", "an instrument", "a tree")


@dataclass(frozen=True, slots=True)
class Plan:
    """How much happens. `seed` decides when."""

    seed: int
    n_chats: int
    n_switches: int
    n_kills: int


@dataclass(slots=True)
class Seen:
    """What was seen. Sizes in bytes; `engine` per model, after each load of the long life."""

    questions: dict[str, int] = field(default_factory=dict)  # text: conversation
    answers: dict[int, ChatMessage] = field(default_factory=dict)
    pids: set[int] = field(default_factory=set)
    window: list[int] = field(default_factory=list)
    engine: dict[str, list[int]] = field(default_factory=dict)
    n_kills: int = 0
    n_switches: int = 0
    n_branches: int = 0


def memory_of(pid: int) -> int:
    """What belongs to the process alone, without the pages of files it looks at."""
    if sys.platform == "linux":
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return int(psutil.Process(pid).memory_full_info().uss)


class Soak:
    def __init__(self, qtbot: QtBot, folder: Path, models: Sequence[Path], plan: Plan) -> None:
        self._qtbot, self._folder, self._models, self._plan = qtbot, folder, models, plan
        self._random = random.Random(plan.seed)
        self.living = Living(qtbot, folder, models[0])
        self.seen = Seen()
        self._model = 0
        self.living.chat.answer_finished.connect(self._on_finished)

    def _on_finished(self, answer: ChatMessage) -> None:
        self.seen.answers[answer.id] = answer

    def run(self) -> None:
        plan, draw = self._plan, self._random
        half = plan.n_chats // 2
        kills = set(draw.sample(range(half), plan.n_kills))
        switches = sorted(draw.sample(range(plan.n_chats), plan.n_switches))
        self.living.load()
        for number in range(plan.n_chats):
            is_rough = number < half
            if number in switches:
                self._switch(is_rough)
            self._chat(number, kill=number in kills, is_rough=is_rough)
            self.seen.window.append(memory_of(os.getpid()))

    # --- what is done -------------------------------------------------------------------------

    def _chat(self, number: int, *, kill: bool, is_rough: bool) -> None:
        living, draw = self.living, self._random
        self._turn_to_some_conversation()
        living.settings.set(s.MAX_TOKENS, draw.choice((4, 8, 12, 48)) if kill else 8)
        text = f"Question {number}: name {draw.choice(_THINGS)}."
        if kill and draw.random() < 0.2:
            self._kill()  # at rest, or while the last conversation's cache is kept
            kill = False
        living.send(text)
        living.wait(lambda: any(m.text == text for m in living.messages))
        self.seen.questions[text] = living.messages[0].conversation_id
        if kill:
            self._kill_somewhen()
        elif is_rough and draw.random() < 0.1:
            self._qtbot.wait(draw.randrange(200))
            living.chat.stop()
        elif is_rough and draw.random() < 0.05:
            living.answered()
            living.engine.unload()
            if draw.random() < 0.5:
                living.reach(Phase.RESTING)
        answer = living.answered()
        assert answer.status in (Status.DONE, Status.STOPPED), answer
        assert len(living.messages) % 2 == 0
        self.seen.pids.add(living.pid)

    def _turn_to_some_conversation(self) -> None:
        known = sorted(set(self.seen.questions.values()))
        if not known or self._random.random() < 0.15:
            self.living.chat.new_conversation()
            return
        wanted = self._random.choice(known)
        with self._qtbot.waitSignal(self.living.chat.conversation_opened):
            self.living.chat.open_conversation(wanted)

    def _kill(self) -> None:
        self.seen.pids.add(self.living.pid)
        self.seen.n_kills += self.living.signal()

    def _kill_somewhen(self) -> None:
        """While the answer is on its way: loading, reading, writing."""
        phase = self._random.choice((Phase.READING, Phase.WRITING))
        state = self.living.engine
        self.living.wait(lambda: state.state.phase is phase or not self.living.chat.is_answering)
        if self.living.chat.is_answering:
            self._qtbot.wait(self._random.randrange(60))
        self._kill()

    def _switch(self, is_rough: bool) -> None:
        living = self.living
        how = self._random.choice(("calm", "twice", "busy")) if is_rough else "calm"
        if how == "busy":
            living.chat.new_conversation()
            living.settings.set(s.MAX_TOKENS, 400)
            text = f"A long story, please. ({self.seen.n_switches})"
            living.send(text)
            living.reach(Phase.WRITING)
            self.seen.questions[text] = living.messages[0].conversation_id
        if how == "twice":
            living.chat.load_model(self._models[self._model])
        self._model = (self._model + 1) % len(self._models)
        living.chat.load_model(self._models[self._model])
        living.reach(Phase.READY)
        self.seen.n_switches += 1
        # The first load of a life is not like the later ones, which come after another model.
        is_first = living.pid not in self.seen.pids
        self.seen.pids.add(living.pid)
        if not is_rough and not is_first:
            name = self._models[self._model].name
            self.seen.engine.setdefault(name, []).append(memory_of(living.pid))

    # --- what must hold -----------------------------------------------------------------------

    def finish(self) -> None:
        """End the program and look at what is left of it. Raises AssertionError."""
        self.living.chat.close()
        left = [pid for pid in self.seen.pids if pid and psutil.pid_exists(pid)]
        assert not left, f"engines that are still there: {left}"
        store = Store(self._folder / "conversations.db", self._folder / "lock")
        try:
            self._check(store)
        finally:
            store.close()

    def _check(self, store: Store) -> None:
        asked: list[str] = []
        for conversation in set(self.seen.questions.values()):
            asked += [m.text for m in store.open_conversation(conversation).messages]
        for text in self.seen.questions:
            assert asked.count(text) == 1, f"{text!r} is there {asked.count(text)} times"
        for number, answer in self.seen.answers.items():
            kept = store.message(number)
            assert (kept.text, kept.status) == (answer.text, answer.status), number
            self.seen.n_branches += answer.status is Status.FAILED


def growth(sizes: Sequence[int]) -> float:
    """How much the last sixth is above the sixth after the first third, as a share."""
    n = len(sizes)
    before, after = sizes[n // 3 : max(n // 2, n // 3 + 1)], sizes[-max(1, n // 6) :]
    return statistics.median(after) / statistics.median(before) - 1
