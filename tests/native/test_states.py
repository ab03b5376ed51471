"""The cache of a conversation, kept on disk and taken back, or dropped where it does not match."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.engine.client import BlockingEngine
from app.engine.protocol import Forget, Leave, Left, Load, Stop
from app.engine.states import MIN_TOKENS
from tests.helpers.asking import Answer, ask, request, wait

STORY = "Once there was a lighthouse keeper who counted every ship that went by. " * 12
KV_BYTES_A_TOKEN = 30 * 2 * 3 * 64 * 2  # layers, keys and values, heads, their size, F16


class Reopened:
    """An engine over a folder of states; `restart` is the app's next start."""

    def __init__(self, model: Path, folder: Path) -> None:
        self.model, self.folder = model, folder
        self.limit_bytes = 10**9
        self.engine = BlockingEngine()
        self.load()

    def load(self, **changes: object) -> None:
        settings = {"n_ctx": 2048, "n_threads": 1, "states_folder": str(self.folder), **changes}
        self.engine.load(
            Load(str(self.model), states_limit_bytes=self.limit_bytes, **settings)  # type: ignore[arg-type]
        )

    def restart(self, **changes: object) -> None:
        self.engine.client.close()
        self.engine = BlockingEngine()
        self.load(**changes)

    def tell(self, *texts: str, conversation: str = "7") -> Answer:
        return ask(self.engine, request(*texts, max_tokens=12, conversation=conversation))

    def leave(self) -> int:
        self.engine.send(Leave())
        event = self.engine.next_event()
        assert isinstance(event, Left)
        return event.kept_bytes

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.kv"))


@pytest.fixture
def app(starter_path: Path, tmp_path: Path) -> Iterator[Reopened]:
    made = Reopened(starter_path, tmp_path / "states")
    yield made
    made.engine.client.close()


def test_a_reopened_conversation_is_not_read_again(app: Reopened) -> None:
    first = app.tell(STORY)
    size = app.leave()
    n_tokens = first.done.n_past
    assert KV_BYTES_A_TOKEN * n_tokens <= size <= 1.2 * KV_BYTES_A_TOKEN * n_tokens
    app.restart()
    again = app.tell(STORY, first.text, "And then?")
    assert again.done.n_cached >= first.done.n_prompt
    cold = app.tell(STORY, first.text, "And then?", conversation="")
    assert again.text == cold.text


def test_only_its_owner_may_read_it(app: Reopened) -> None:
    app.tell(STORY)
    app.leave()
    assert app.files()[0].stat().st_mode & 0o777 == 0o600


def test_it_is_kept_when_the_parent_is_gone(app: Reopened) -> None:
    """Closing the window, and its death: the child sees the end of its input either way."""
    app.tell(STORY)
    app.engine.client.close()
    assert len(app.files()) == 1
    app.restart()
    assert app.tell(STORY).done.n_cached > MIN_TOKENS


def test_asking_elsewhere_and_loading_keep_it_too(app: Reopened) -> None:
    app.tell(STORY)
    app.tell("Something else. " * 60, conversation="8")
    assert [file.name[0] for file in app.files()] == ["7"]
    app.load()
    assert [file.name[0] for file in app.files()] == ["7", "8"]


def test_a_short_conversation_is_not_kept(app: Reopened) -> None:
    app.tell("Hello")
    assert app.leave() == 0
    assert not app.files()


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _claim(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8:12] = (2**31).to_bytes(4, "little")
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage",
    [_flip, _truncate, _claim, lambda p: p.write_bytes(b""), lambda p: p.write_bytes(b"x" * 5000)],
)
def test_a_damaged_file_is_refused_and_all_is_read_again(
    app: Reopened, damage: Callable[[Path], object]
) -> None:
    expected = app.tell(STORY).text
    app.leave()
    damage(app.files()[0])
    app.restart()
    again = app.tell(STORY)
    assert again.done.n_cached == 0
    assert again.text == expected


def test_another_conversations_file_is_refused(app: Reopened) -> None:
    app.tell(STORY)
    app.leave()
    path = app.files()[0]
    shutil.copy(path, path.with_name(path.name.replace("7-", "9-")))
    app.restart()
    assert app.tell(STORY, conversation="9").done.n_cached == 0


def test_other_settings_or_another_file_of_the_model_find_nothing(
    app: Reopened, tmp_path: Path
) -> None:
    app.tell(STORY)
    app.leave()
    app.restart(kv_type="q8_0")
    assert app.tell(STORY).done.n_cached == 0
    app.model = Path(shutil.copy(app.model, tmp_path / "copy.gguf"))
    os.utime(app.model, (1, 1))
    app.restart()
    assert app.tell(STORY).done.n_cached == 0


def test_those_used_least_lately_make_room(app: Reopened) -> None:
    app.tell(STORY, conversation="1")
    size = app.leave()
    app.limit_bytes = int(size * 2.5)
    app.restart()
    for conversation in ("2", "3"):
        app.tell(STORY + conversation, conversation=conversation)
        app.leave()
    assert [file.name[0] for file in app.files()] == ["2", "3"]


def test_a_full_disk_keeps_nothing_and_answers_on(app: Reopened, small_disk: Path) -> None:
    app.folder = small_disk / "states"
    app.restart()
    app.tell(STORY)
    assert app.leave() == 0
    assert not app.files()
    assert not list(app.folder.iterdir())
    again = app.tell(STORY)
    assert again.text
    assert again.done.n_cached >= again.done.n_prompt - 1


def test_a_deleted_conversation_leaves_no_file(app: Reopened) -> None:
    app.tell(STORY)
    app.tell(STORY, conversation="77")
    app.leave()
    assert [file.name.partition("-")[0] for file in app.files()] == ["7", "77"]
    app.engine.send(Forget("7"))
    app.engine.send(Forget("77"))  # whose cache the engine holds still
    assert app.leave() == 0
    assert not app.files()
    app.engine.client.close()
    assert not app.files()


def test_what_a_killed_engine_left_half_written_is_deleted_once_it_is_old(app: Reopened) -> None:
    app.tell(STORY)
    app.leave()
    for pid in (1, 2):
        shutil.copy(app.files()[0], app.folder / f".{app.files()[0].name}.{pid}")
    os.utime(app.folder / f".{app.files()[0].name}.1", (1, 1))
    app.restart()
    left = [path.name[-1] for path in app.folder.iterdir() if path.name.startswith(".")]
    assert left == ["2"]


def test_an_engine_killed_after_an_answer_finds_what_was_kept_before(app: Reopened) -> None:
    first = app.tell(STORY)
    app.leave()
    app.tell(STORY, first.text, "And then?")
    os.kill(app.engine.client.pid, signal.SIGKILL)
    app.restart()
    again = app.tell(STORY, first.text, "And then?")
    assert again.done.n_cached >= first.done.n_prompt - 1


def test_a_state_that_is_larger_than_all_may_be_leaves_the_others(app: Reopened) -> None:
    app.tell(STORY, conversation="1")
    app.limit_bytes = app.leave()
    app.restart()
    app.tell(STORY * 2, conversation="2")
    assert app.leave() == 0
    assert [file.name[0] for file in app.files()] == ["1"]


def test_a_stop_while_it_is_saved_leaves_it_whole(app: Reopened) -> None:
    first = app.tell(STORY)
    command = request(STORY[:-3], max_tokens=4, conversation="8")
    app.engine.send(command)
    app.engine.send(Stop(command.request_id))
    assert wait(app.engine).done.stop_reason in ("cancelled", "length", "stop")
    app.restart()
    assert app.tell(STORY).done.n_cached >= first.done.n_prompt - 1
