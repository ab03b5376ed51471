"""Going back in a conversation: what was read is not read again, and nothing else is written.

Models of random weights, so that whatever the cache holds wrongly shows in the next few tokens.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.engine.client import BlockingEngine
from app.engine.protocol import Leave, Left, Load, Stop
from tests.helpers import small_models
from tests.helpers.asking import Answer, ask, request, wait

STORY = "Once there was a lighthouse keeper who counted every ship that went by. " * 4
_LONG = 100  # tokens of an answer that is worth a place
_SEAM = 4  # of a prompt's last tokens, which what follows may join


class Chat:
    """A small model of one kind. Every test has conversations of its own, by `name`.

    One thread, because llama.cpp's wait for each other in a loop.
    """

    def __init__(self, path: Path, states: Path, n_ctx: int = 2048) -> None:
        self.path, self.states, self.n_ctx = path, states, n_ctx
        self.name = "0"
        self.engine = self.start()
        self._cold = BlockingEngine()
        self._cold.load(Load(str(path), n_ctx, 1, lookup=False))

    def start(self) -> BlockingEngine:
        engine = BlockingEngine()
        load = Load(str(self.path), self.n_ctx, 1, lookup=False)
        limit = 10**9
        engine.load(replace(load, states_folder=str(self.states), states_limit_bytes=limit))
        return engine

    def tell(self, *texts: str, n: int = 12, name: str = "") -> Answer:
        command = request(*texts, max_tokens=n, conversation=name or self.name)
        return ask(self.engine, command)

    def cold(self, *texts: str, n: int = 12) -> str:
        """What an engine says that knows nothing of the conversation."""
        ask(self._cold, request("Hello", max_tokens=1))
        answer = ask(self._cold, request(*texts, max_tokens=n))
        assert answer.done.n_cached < 40
        return answer.text

    def leave(self) -> int:
        self.engine.send(Leave())
        left = self.engine.next_event()
        assert isinstance(left, Left)
        return left.kept_bytes

    def close(self) -> None:
        self.engine.client.close()
        self._cold.client.close()


KINDS = {
    "whole": ("Llama-3.2-tiny-Instruct", {}),
    "window": ("c4ai-command-tiny", {"sliding_window": 64, "num_hidden_layers": 4}),
    "convolution": ("LFM2-tiny", {}),
    "state": ("Qwen3-Next-tiny-A1-Instruct", {}),
}


def _made(kind: str, folder: Path) -> Iterator[Chat]:
    name, config = KINDS[kind]
    chat = Chat(small_models.make(folder, name, **config), folder / "states")
    yield chat
    chat.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chat]:
    yield from _made("whole", tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module", params=KINDS)
def any_kind(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chat]:
    yield from _made(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def chat(whole: Chat) -> Chat:
    whole.name = f"{int(whole.name) + 1}"
    return whole


@pytest.fixture
def any_chat(any_kind: Chat) -> Chat:
    any_kind.name = f"{int(any_kind.name) + 1}"
    return any_kind


def test_going_back_and_forth_between_two_questions_reads_nothing_again(chat: Chat) -> None:
    first, second = STORY + "Who was he?" * 20, STORY + "How old was he?" * 20
    one = chat.tell(first)
    other = chat.tell(second)
    assert 100 < other.done.n_cached < one.done.n_prompt - 64
    back = chat.tell(first, one.text, "Why?")
    assert back.done.n_cached >= one.done.n_prompt - _SEAM
    forth = chat.tell(second, other.text, "Why?")
    assert forth.done.n_cached >= other.done.n_prompt - _SEAM
    assert other.text == chat.cold(second)
    assert back.text == chat.cold(first, one.text, "Why?")
    assert forth.text == chat.cold(second, other.text, "Why?")


def test_an_answer_asked_for_anew_leaves_the_old_one_in_place(chat: Chat) -> None:
    old = chat.tell(STORY, n=_LONG)
    new = chat.tell(STORY, n=_LONG)
    assert new.done.n_cached == old.done.n_prompt - 1
    assert new.text == old.text
    chat.tell(STORY + "!" * 80, n=_LONG)
    back = chat.tell(STORY, old.text, "Go on.")
    assert back.done.n_cached >= old.done.n_prompt - _SEAM
    assert back.text == chat.cold(STORY, old.text, "Go on.")


def test_of_more_branches_than_there_is_room_for_the_oldest_are_read_again(chat: Chat) -> None:
    texts = [STORY + word * 30 for word in ("one ", "two ", "three ", "four ", "five ", "six ")]
    answers = {text: chat.tell(text) for text in texts}
    for text in texts[-3:]:
        again = chat.tell(text, answers[text].text, "And?")
        assert again.done.n_cached >= answers[text].done.n_prompt - _SEAM
    oldest = chat.tell(texts[0], answers[texts[0]].text, "And?")
    assert oldest.done.n_cached < answers[texts[0]].done.n_prompt - 64
    assert oldest.text == chat.cold(texts[0], answers[texts[0]].text, "And?")


def test_one_branch_can_have_the_whole_context(chat: Chat) -> None:
    for word in ("one ", "two ", "three "):
        chat.tell(STORY + word * 120, n=100)
    full = chat.tell(STORY + "0" * 1100, n=0)
    assert full.done.n_past == chat.n_ctx
    assert full.done.stop_reason == "context"
    assert chat.tell(STORY).text == chat.cold(STORY)


def test_what_the_conversation_has_moved_past_is_not_kept(chat: Chat) -> None:
    """A model's thoughts are left out of the next prompt: they would only slow it down."""
    first = chat.tell(STORY, n=_LONG)
    chat.tell(STORY, "He was old.", "And then?" * 20, n=_LONG)
    other = chat.tell(STORY, first.text, "And then?")
    answer_begins = first.done.n_prompt + 40  # after "Assistant:" both go on alike for a while
    assert other.done.n_cached <= answer_begins


def test_another_conversation_takes_the_place_of_all_branches(chat: Chat) -> None:
    old = chat.tell(STORY, n=_LONG)
    chat.tell(STORY, n=_LONG)
    chat.tell(STORY + "!" * 80)
    chat.tell("Hello", name="somewhere else")
    back = ask(chat.engine, request(STORY, old.text, "Why?", max_tokens=1))
    assert back.done.n_cached < 40


# --- every kind of cache ----------------------------------------------------------------------


def test_the_next_turn_reads_only_what_is_new(any_chat: Chat) -> None:
    first = any_chat.tell(STORY, n=40)
    again = any_chat.tell(STORY, first.text, "And then?")
    assert again.done.n_cached >= first.done.n_prompt - _SEAM
    assert again.text == any_chat.cold(STORY, first.text, "And then?")


def test_another_answer_begins_where_the_first_did(any_chat: Chat) -> None:
    first = any_chat.tell(STORY, n=300)
    again = any_chat.tell(STORY, n=300)
    assert again.done.n_cached >= first.done.n_prompt - _SEAM
    assert again.text == first.text == any_chat.cold(STORY, n=300)


def test_another_question_is_not_read_from_the_beginning(any_chat: Chat) -> None:
    first = any_chat.tell(STORY, n=40)
    any_chat.tell(STORY, first.text, "And then? " * 20, n=300)
    changed = any_chat.tell(STORY, first.text, "Who was he? " * 20)
    assert changed.done.n_cached >= first.done.n_prompt - _SEAM
    assert changed.text == any_chat.cold(STORY, first.text, "Who was he? " * 20)


def test_another_first_question_is_read_as_if_there_were_none(any_chat: Chat) -> None:
    any_chat.tell(STORY, n=300)
    assert any_chat.tell("Who? " + STORY).text == any_chat.cold("Who? " + STORY)


def test_a_conversation_opened_again_is_not_read_again(any_chat: Chat) -> None:
    """Its last answer is worded otherwise than the model did: the cache must be cut."""
    story = STORY * 4
    first = any_chat.tell(story, n=40)
    assert any_chat.leave()
    assert any_chat.leave() == 0  # it is kept already
    texts = (story, f"{first.text} I think.", "And then?")
    with any_chat.start() as restarted:
        command = request(*texts, max_tokens=12, conversation=any_chat.name)
        again = ask(restarted, command)
    assert again.done.n_cached >= first.done.n_prompt - _SEAM
    assert again.text == any_chat.cold(*texts)


def test_a_stop_at_any_moment_leaves_nothing_wrong_behind(any_chat: Chat) -> None:
    first = any_chat.tell(STORY, n=40)
    texts = (STORY, first.text, "Who was he? " * 60)
    for delay_s in (0.01, 0.05, 0.2):
        command = request(*texts, max_tokens=900, conversation=any_chat.name)
        any_chat.engine.send(command)
        time.sleep(delay_s)
        any_chat.engine.send(Stop(command.request_id))
        wait(any_chat.engine)
        assert any_chat.tell(*texts).text == any_chat.cold(*texts)
