"""Conversations longer than the context, with a real model: what goes and what stays."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core import settings as s
from app.core.chat import Role
from app.core.errors import PromptError
from app.core.seen import start_of_memory
from app.core.settings import Settings
from app.core.store import Store
from app.engine.client import BlockingEngine
from app.engine.protocol import Generate, Load, PromptMessage, Sampling
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob, Phase
from app.jobs.summary import SummaryJob, Work
from tests.helpers.asking import Answer, ask

_TURN = "Tell me about the lighthouse on the northern cliff and about the ships it saved. " * 2


@pytest.fixture(scope="module")
def small(starter_path: Path) -> Iterator[BlockingEngine]:
    with BlockingEngine() as engine:
        engine.load(Load(str(starter_path), n_ctx=512, n_threads=1))
        yield engine


def _generate(messages: list[PromptMessage], max_tokens: int = 4, **more: object) -> Generate:
    greedy = Sampling(temperature=0.0)
    return Generate(0, tuple(messages), greedy, max_tokens, **more)  # type: ignore[arg-type]


def test_a_full_context_is_read_anew_now_and_then_only(small: BlockingEngine) -> None:
    """After turns were dropped, the next ones find their beginning in the cache."""
    messages = [PromptMessage("system", "You are a patient storyteller.")]
    answers: list[Answer] = []
    for n in range(14):
        messages.append(PromptMessage("user", f"{n}. {_TURN}"))
        n_dropped = answers[-1].done.n_dropped if answers else 0
        more = {"n_dropped": n_dropped, "conversation": "1"}
        answers.append(ask(small, _generate(messages, **more)))
        messages.append(PromptMessage("assistant", answers[-1].text))
    starts = [answer.done.n_dropped for answer in answers]
    assert starts == sorted(starts)
    assert starts[-1] > 0
    kept = [
        later.done.n_cached / later.done.n_prompt
        for earlier, later in itertools.pairwise(answers)
        if earlier.done.n_dropped == later.done.n_dropped
    ]
    assert len(kept) >= 11  # of 13: so often nothing had to go
    assert min(kept) > 0.5
    assert kept[-1] > 0.6
    assert all(answer.done.n_prompt <= 512 - 4 for answer in answers)


def test_two_hundred_turns_and_a_megabyte(small: BlockingEngine) -> None:
    turns = [PromptMessage(("user", "assistant")[n % 2], _TURN) for n in range(400)]
    huge = PromptMessage("user", "All of it again. " * 62_000)
    answer = ask(small, _generate([*turns[:200], huge, *turns[201:], PromptMessage("user", "So?")]))
    assert answer.done.n_dropped > 390
    with pytest.raises(PromptError, match=r"This message has ~26\d,\d\d\d tokens; 508 fit\."):
        ask(small, _generate([*turns, huge]))
    assert ask(small, _generate([PromptMessage("user", "Hi")])).done.n_prompt > 0  # it lives


def test_a_system_prompt_larger_than_the_context(small: BlockingEngine) -> None:
    messages = [PromptMessage("system", _TURN * 45), PromptMessage("user", "Hi")]
    with pytest.raises(PromptError, match=r"The system prompt has ~?1,\d\d\d tokens; 508 fit\."):
        ask(small, _generate(messages))


def test_empty_messages(small: BlockingEngine) -> None:
    empty = [PromptMessage(("user", "assistant")[n % 2], "") for n in range(5)]
    assert ask(small, _generate(empty)).done.n_dropped == 0
    with pytest.raises(PromptError, match=r"There is no message to answer\."):
        ask(small, _generate([]))


def test_stop_refuses_and_the_engine_goes_on(small: BlockingEngine) -> None:
    turns = [PromptMessage(("user", "assistant")[n % 2], _TURN) for n in range(101)]
    with pytest.raises(PromptError, match=r"This conversation has ~?\d,\d\d\d tokens"):
        ask(small, _generate(turns, overflow="stop"))
    assert ask(small, _generate(turns[:1], overflow="stop")).done.n_dropped == 0


def test_an_answer_goes_on_from_where_it_ended(small: BlockingEngine) -> None:
    """The same tokens come as in one go, and what was written is not read again."""
    question = [PromptMessage("user", "Write a story about a lighthouse.")]
    whole = ask(small, _generate(question, max_tokens=24))
    half = ask(small, _generate(question, max_tokens=12))
    rest = ask(small, _generate(question, max_tokens=12, begun=half.text))
    assert half.done.stop_reason == "length"
    assert half.text + rest.text == whole.text
    assert rest.done.n_cached >= half.done.n_prompt


class _Window:
    """What the window runs, without widgets."""

    def __init__(self, qtbot: QtBot, folder: Path, model: Path, n_ctx: int) -> None:
        self._qtbot = qtbot
        self.settings = Settings(folder / "settings.json")
        self.settings.set(s.N_CTX, n_ctx)
        self.settings.set(s.MAX_TOKENS, 8)
        self.settings.set(s.N_THREADS, 1)
        self.settings.set(s.TEMPERATURE, 0.0)
        self.store = Store(folder / "conversations.db", folder / "lock")
        self.chat = ChatJob(self.store, self.settings, EngineJob())
        self.summary = SummaryJob(self.chat)
        self.chat.load_model(model)
        self.wait_ready()

    def wait(self, condition: object) -> None:
        self._qtbot.waitUntil(condition, timeout=60_000)

    def wait_ready(self) -> None:
        self.wait(lambda: self.chat.engine.state.phase is Phase.READY)

    def talked(self, n_turns: int) -> None:
        """A conversation that went on for so long is open."""
        conversation, parent = self.store.create_conversation("Rufus", ""), None
        for n in range(n_turns):
            question = self.store.add_message(
                conversation.id, parent, Role.USER, f"{n}. My dog is called Rufus. {_TURN}"
            )
            answer = "It was a good dog, and every ship came home."
            parent = self.store.add_message(conversation.id, question.id, Role.ASSISTANT, answer).id
        self.chat.open_conversation(conversation.id)
        self.wait(lambda: len(self.messages) == 2 * n_turns)

    def ask(self, text: str) -> None:
        before = len(self.messages)
        self.chat.send(text)
        self.wait(lambda: len(self.messages) == before + 2 and not self.chat.is_answering)

    @property
    def messages(self) -> tuple:
        return self.chat.open.messages if self.chat.open else ()

    @property
    def memory_begins(self) -> int | None:
        loaded = self.chat.engine.state.loaded
        summary = self.chat.open.summary
        start = start_of_memory(self.messages, "", summary, loaded.n_ctx, 8)
        return start.message_id if start else None


@pytest.fixture
def window(qtbot: QtBot, tmp_path: Path, home: Path, starter_path: Path) -> Iterator[_Window]:
    made = _Window(qtbot, tmp_path, starter_path, 512)
    yield made
    made.chat.close()


def test_the_model_summarises_the_older_part_and_goes_on_from_it(window: _Window) -> None:
    window.talked(9)
    window.ask("And then?")
    began = window.memory_begins
    assert began is not None
    transcript = window.messages
    part = window.summary.older_part
    window.summary.start()
    window.wait(lambda: window.chat.open.summary is not None)
    summary = window.chat.open.summary
    assert window.summary.state.work is Work.NONE
    assert summary.up_to_message_id == part[-1].id
    assert summary.n_messages == len(part)
    assert len(summary.text) > 20
    assert window.messages == transcript
    assert window.memory_begins == began
    window.ask("What is my dog called?")
    stats = window.messages[-1].stats
    assert stats.n_summarised == len(part)
    assert stats.n_prompt <= 512 - 8


def test_another_context_size_keeps_the_conversation_and_its_cache(window: _Window) -> None:
    window.talked(9)
    window.ask("And then?")
    dropped = window.messages[-1].stats.n_dropped
    assert dropped > 0
    began, transcript = window.memory_begins, window.messages
    window.settings.set(s.N_CTX, 2048)
    window.chat.reload_model()
    window.wait_ready()
    assert window.messages == transcript
    assert window.memory_begins is None  # predicted: all of it will fit
    assert began is not None
    window.ask("Go on.")
    stats = window.messages[-1].stats
    assert (stats.n_dropped, stats.n_ctx) == (0, 2048)
    window.settings.set(s.N_CTX, 1024)
    window.chat.reload_model()
    window.wait_ready()
    window.ask("And after that?")
    again = window.messages[-1].stats
    assert again.n_ctx == 1024
    assert again.n_cached > 0.8 * stats.n_prompt  # it fits still, and was not read again
