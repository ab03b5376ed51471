"""The summary of the older part, with a real store and a scripted engine: whole, or not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core import settings as s
from app.core.errors import PromptError
from app.core.settings import Settings
from app.core.store import Store
from app.engine.protocol import Load
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob, Phase
from app.jobs.summary import SummaryJob, Work
from tests.helpers.fake_engine import FakeEngine


class _Kit:
    """A conversation of three turns, whose first turn the model no longer sees."""

    def __init__(self, qtbot: QtBot, folder: Path, fake: FakeEngine) -> None:
        self.qtbot, self.fake = qtbot, fake
        self.store = Store(folder / "conversations.db", folder / "lock")
        self.settings = Settings(folder / "settings.json")
        engine = EngineJob(fake.make_client)
        self.chat = ChatJob(self.store, self.settings, engine)
        self.job = SummaryJob(self.chat)
        engine.load(Load("/models/smollm2.gguf"))
        self.wait(lambda: engine.state.phase is Phase.READY)
        for n, question in enumerate(("one", "two", "three")):
            fake.n_dropped = 2 if n == 2 else 0
            self.ask(question)

    def wait(self, condition: object) -> None:
        self.qtbot.waitUntil(condition, timeout=5000)

    def ask(self, question: str) -> None:
        n = len(self.fake.requests)
        self.chat.send(question)
        self.wait(lambda: len(self.fake.requests) == n + 1)
        self.fake.say(f"answer to {question}")
        self.fake.finish()
        self.wait(lambda: not self.chat.is_answering)
        self.wait_for_disk()

    def wait_for_disk(self) -> None:
        """Until all that was to be written before is."""
        answers: list[None] = []
        self.chat.read_store(lambda _store: None, answers.append)
        self.wait(lambda: bool(answers))

    def begin(self) -> str:
        """Start; returns what the model is asked."""
        n = len(self.fake.requests)
        self.job.start()
        self.wait(lambda: len(self.fake.requests) > n)
        return self.fake.requests[-1].messages[-1].text

    def finish(self, text: str = "They counted.") -> None:
        self.fake.say(text)
        self.fake.finish()
        self.wait(lambda: not self.job.is_running)

    @property
    def kept(self) -> list[tuple[int, str, int]]:
        found = self.store.summaries(1)
        return [(each.up_to_message_id, each.text, each.n_messages) for each in found]


@pytest.fixture
def kit(qtbot: QtBot, tmp_path: Path) -> Iterator[_Kit]:
    made = _Kit(qtbot, tmp_path, FakeEngine())
    yield made
    made.chat.close()


def test_what_the_model_no_longer_sees_is_summarised(kit: _Kit) -> None:
    question = kit.begin()
    assert "User: one" in question
    assert "Assistant: answer to one" in question
    assert "two" not in question
    request = kit.fake.requests[-1]
    assert (request.conversation, request.max_tokens, request.overflow) == ("", 400, "stop")
    kit.finish()
    assert kit.kept == [(2, "They counted.", 2)]
    assert [m.text for m in kit.store.open_conversation(1).messages[:2]] == ["one", "answer to one"]
    kit.ask("four")
    sent = kit.fake.requests[-1].messages
    assert sent[0].role == "system"
    assert "They counted." in sent[0].text
    assert [m.text for m in sent[1:]] == [
        *("two", "answer to two", "three", "answer to three", "four")
    ]
    last = kit.store.open_conversation(1).messages[-1].stats
    assert last is not None
    assert (last.n_summarised, last.n_dropped, last.n_ctx) == (2, 2, 4096)


def test_where_all_is_seen_the_older_half_is_summarised_and_the_last_turn_stays(kit: _Kit) -> None:
    kit.chat.new_conversation()
    kit.fake.n_dropped = 0
    assert kit.job.older_part == ()
    kit.ask("only")
    assert kit.job.older_part == ()
    kit.ask("more")
    assert [m.text for m in kit.job.older_part] == ["only", "answer to only"]


def test_a_summary_goes_into_the_next_one(kit: _Kit) -> None:
    kit.begin()
    kit.finish("They counted to one.")
    kit.fake.n_dropped = 2
    kit.ask("four")
    assert "Earlier: They counted to one." in kit.begin()
    kit.finish("They counted to two.")
    assert kit.kept[-1] == (4, "They counted to two.", 4)
    assert kit.chat.open is not None
    assert kit.chat.open.summary is not None
    kit.chat.remove_summary(kit.chat.open.summary)
    kit.wait(lambda: kit.chat.open.summary.text == "They counted to one.")


def test_it_can_be_edited_and_removed(kit: _Kit) -> None:
    kit.begin()
    kit.finish()
    kit.chat.edit_summary(kit.chat.open.summary, " They counted sheep. ")
    kit.wait(lambda: kit.chat.open.summary.text == "They counted sheep.")
    kit.chat.edit_summary(kit.chat.open.summary, "  ")
    kit.chat.remove_summary(kit.chat.open.summary)
    kit.wait(lambda: kit.chat.open.summary is None)
    kit.ask("four")
    assert kit.fake.requests[-1].messages[0].text == "one"


def test_cancelled_nothing_is_kept(kit: _Kit) -> None:
    kit.begin()
    kit.fake.say("They")
    kit.wait(lambda: kit.job.state.text == "They")
    kit.job.cancel()
    assert kit.job.state.work is Work.NONE
    kit.wait(lambda: kit.chat.engine.state.phase is Phase.READY)
    assert kit.kept == []
    assert kit.chat.open.summary is None


def test_an_engine_that_dies_leaves_nothing_half_written(kit: _Kit) -> None:
    kit.begin()
    kit.fake.say("They")
    kit.fake.die()
    kit.wait(lambda: kit.job.state.work is Work.FAILED)
    assert "ran out of memory" in str(kit.job.state.error.text)
    assert kit.kept == []
    kit.wait(lambda: kit.chat.engine.state.phase is Phase.READY)
    kit.begin()  # again
    kit.finish()
    assert kit.kept == [(2, "They counted.", 2)]


def test_a_part_that_is_longer_than_thought_is_cut_smaller(kit: _Kit) -> None:
    n = len(kit.fake.requests)
    kit.begin()
    for n_tries in (2, 3, 4):
        kit.fake.fail("This message has 5,000 tokens; 3,584 fit.")
        kit.wait(lambda n_tries=n_tries: len(kit.fake.requests) == n + n_tries)
    kit.fake.fail("This message has 5,000 tokens; 3,584 fit.")
    kit.wait(lambda: kit.job.state.work is Work.FAILED)
    assert isinstance(kit.job.state.error, PromptError)
    assert len(kit.fake.requests) == n + 4
    assert kit.kept == []


def test_a_long_part_takes_several_steps(kit: _Kit) -> None:
    kit.fake.n_dropped = 0
    for n in range(4):
        kit.ask(f"{n} " + "word " * 3000)
    kit.fake.n_dropped = 12
    kit.ask("and now?")
    kit.begin()
    steps = [kit.job.state]
    while kit.job.is_running:
        n = len(kit.fake.requests)
        kit.fake.say("A part.")
        kit.fake.finish()
        kit.wait(lambda n=n: len(kit.fake.requests) > n or not kit.job.is_running)
        steps.append(kit.job.state)
    assert steps[0].n_steps >= 3
    assert [each.n for each in steps[: steps[0].n_steps]] == list(range(1, steps[0].n_steps + 1))
    assert any(each.joins for each in steps)
    assert kit.kept[-1][:2] == (12, "A part.")


def test_the_conversation_is_deleted_meanwhile(kit: _Kit) -> None:
    kit.begin()
    kit.fake.say("They")
    kit.chat.delete_conversation(1)
    kit.wait(lambda: not kit.job.is_running)
    assert kit.job.state.work is Work.NONE
    kit.ask("new")
    assert kit.kept == []


def test_it_is_deleted_while_the_summary_is_being_saved(kit: _Kit) -> None:
    kit.begin()
    kit.fake.say("They counted.")
    saving = []
    kit.job.changed.connect(lambda state: saving.append(state.work))
    kit.job.changed.connect(
        lambda state: state.work is Work.SAVING and kit.chat.delete_conversation(1)
    )
    kit.fake.finish()
    kit.wait(lambda: Work.SAVING in saving and not kit.job.is_running)
    kit.ask("new")
    assert kit.kept == []
    assert kit.job.state.work is Work.NONE


def test_another_branch_without_the_part_ends_it(kit: _Kit) -> None:
    other = kit.store.add_message(1, None, kit.chat.open.messages[0].role, "uno")
    kit.store.set_head(1, 6)
    kit.begin()
    kit.chat.show_branch(other.id)
    kit.wait(lambda: not kit.job.is_running)
    assert kit.chat.open.summary is None
    kit.chat.show_branch(1)
    kit.wait(lambda: len(kit.chat.open.messages) == 6)
    assert kit.kept == []


def test_a_branch_that_has_the_part_lets_it_go_on(kit: _Kit) -> None:
    answer = kit.chat.open.messages[-1]
    other = kit.store.add_message(1, answer.parent_id, answer.role, "another answer")
    kit.begin()
    kit.chat.show_branch(other.id)
    kit.wait(lambda: kit.chat.open.messages[-1].id == other.id)
    assert kit.job.is_running
    kit.finish()
    assert kit.kept == [(2, "They counted.", 2)]
    assert kit.chat.open.summary.text == "They counted."


def test_another_context_is_loaded_meanwhile(kit: _Kit) -> None:
    kit.begin()
    n = len(kit.fake.requests)
    kit.settings.set(s.N_CTX, 8192)
    kit.chat.reload_model()
    kit.wait(lambda: len(kit.fake.requests) == n + 1)
    kit.finish()
    assert kit.kept == [(2, "They counted.", 2)]


def test_an_answer_that_says_nothing_is_no_summary(kit: _Kit) -> None:
    kit.begin()
    kit.fake.finish()
    kit.wait(lambda: kit.job.state.work is Work.FAILED)
    assert str(kit.job.state.error.text) == "The model wrote no summary."
    kit.job.dismiss()
    assert kit.job.state.work is Work.NONE
