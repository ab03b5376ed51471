"""Conversations on disk, and what happens when the disk or the file is bad."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.chat import AnswerStats, Role, Status
from app.core.errors import StoreError
from app.core.migrations import STEPS
from app.core.store import SCHEMA_VERSION, Store

STATS = AnswerStats(12, 4, 30, 18.4, 70.5, 0.0, "stop", 1207)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path) -> Iterator[Store]:
    opened = _open(folder)
    yield opened
    opened.close()


def _open(folder: Path) -> Store:
    return Store(folder / "conversations.db", folder / "nibble.lock")


def _ask(store: Store, text: str = "Hello") -> tuple[int, int]:
    conversation = store.create_conversation("Hello", "Be brief.")
    return conversation.id, store.add_message(conversation.id, None, Role.USER, text).id


def test_what_was_written_is_read_back(store: Store) -> None:
    conversation_id, question = _ask(store)
    answer = store.add_message(
        conversation_id,
        question,
        Role.ASSISTANT,
        "",
        status=Status.PARTIAL,
        model_name="SmolLM2 135M",
        variant="Q4_1",
    )
    store.keep_partial(answer.id, "Hi", "greeting")
    assert store.message(answer.id).status is Status.PARTIAL
    finished = store.finish_answer(answer.id, "Hi there", "greeting", Status.DONE, "", STATS)
    opened = store.open_conversation(conversation_id)
    assert opened.conversation.system_prompt == "Be brief."
    assert [m.text for m in opened.messages] == ["Hello", "Hi there"]
    assert opened.messages[1] == finished
    assert finished.stats == STATS


def test_branches_are_kept_and_can_be_walked(store: Store) -> None:
    conversation_id, question = _ask(store)
    first = store.add_message(conversation_id, question, Role.ASSISTANT, "one")
    store.set_head(conversation_id, question)
    second = store.add_message(conversation_id, question, Role.ASSISTANT, "two")
    assert store.sibling_ids(second.id) == (first.id, second.id)
    assert store.open_conversation(conversation_id).branches[second.id] == (first.id, second.id)
    assert store.show_branch(first.id).messages[-1].text == "one"


def test_the_list_has_the_latest_first(tmp_path: Path) -> None:
    times = iter(float(n) for n in range(100))
    store = Store(tmp_path / "c.db", tmp_path / "lock", clock=lambda: next(times))
    a, b = (store.create_conversation(title, "").id for title in "ab")
    store.add_message(a, None, Role.USER, "again")
    assert [c.id for c in store.conversations()] == [a, b]
    store.close()


def test_rename_and_delete(store: Store) -> None:
    conversation_id, question = _ask(store)
    store.rename(conversation_id, "Greetings")
    assert store.conversation(conversation_id).title == "Greetings"
    store.delete_conversation(conversation_id)
    assert store.conversations() == ()
    with pytest.raises(StoreError, match="no longer there"):
        store.message(question)


def test_a_second_writer_is_refused(store: Store, folder: Path) -> None:
    with pytest.raises(StoreError, match="open already"):
        _open(folder)


def test_commits_are_durable(store: Store) -> None:
    pragma = store._connection.execute
    assert pragma("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert pragma("PRAGMA synchronous").fetchone()[0] == 2  # FULL
    assert pragma("PRAGMA foreign_keys").fetchone()[0] == 1


def test_a_full_database_says_so_and_loses_nothing(store: Store) -> None:
    conversation_id, question = _ask(store)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="The disk is full"):
        store.add_message(conversation_id, question, Role.USER, "x" * 100_000)
    assert [m.text for m in store.open_conversation(conversation_id).messages] == ["Hello"]
    store._connection.execute("PRAGMA max_page_count=100000")
    store.add_message(conversation_id, question, Role.USER, "x" * 100_000)


def _fill(store: Store, conversation_id: int, question: int) -> None:
    for _ in range(50):
        store.add_message(conversation_id, question, Role.USER, "x" * 50_000)


def test_a_really_full_disk_says_so_and_loses_nothing(small_disk: Path) -> None:
    store = _open(small_disk)
    conversation_id, question = _ask(store)
    with pytest.raises(StoreError, match="The disk is full"):
        _fill(store, conversation_id, question)
    n_kept = len(store.open_conversation(conversation_id).messages)
    store.close()
    store = _open(small_disk)
    assert store.notice is None
    assert len(store.open_conversation(conversation_id).messages) == n_kept
    store.close()


def test_a_newer_database_is_read_but_not_changed(folder: Path) -> None:
    store = _open(folder)
    conversation_id, question = _ask(store)
    store._connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    store.close()
    before = (folder / "conversations.db").read_bytes()
    store = _open(folder)
    assert store.read_only
    assert store.notice is not None
    assert "newer Nibble" in str(store.notice.text)
    assert store.open_conversation(conversation_id).messages[0].text == "Hello"
    with pytest.raises(StoreError, match="not changed"):
        store.add_message(conversation_id, question, Role.USER, "more")
    store.close()
    assert (folder / "conversations.db").read_bytes() == before


def _damage_start(file: Path) -> None:
    file.write_bytes(b"not a database at all" * 1000)


def _damage_middle(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    file.write_bytes(bytes(data))


def _damage_end(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize("damage", [_damage_start, _damage_middle, _damage_end])
def test_a_damaged_database_is_kept_aside_and_a_new_one_begun(folder: Path, damage: object) -> None:
    store = _open(folder)
    _ask(store)
    store.close()
    file = folder / "conversations.db"
    damage(file)  # type: ignore[operator]
    damaged = file.read_bytes()
    store = _open(folder)
    assert store.notice is not None
    kept = folder / "conversations.db.damaged-1"
    assert kept.read_bytes() == damaged
    assert str(kept) in str(store.notice.hint)
    assert store.conversations() == ()
    _ask(store)
    store.close()


def test_an_empty_file_is_a_new_database(folder: Path) -> None:
    folder.mkdir()
    (folder / "conversations.db").touch()
    store = _open(folder)
    assert store.notice is None
    _ask(store)
    store.close()


def test_a_folder_in_the_way_is_a_sentence(folder: Path) -> None:
    (folder / "conversations.db").mkdir(parents=True)
    with pytest.raises(StoreError):
        _open(folder)


def test_a_data_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(StoreError, match="cannot be kept"):
        _open(tmp_path / "data")


_WRITER = """
import sys
from pathlib import Path
from app.core.chat import Role
from app.core.store import Store
store = Store(Path(sys.argv[1]) / "conversations.db", Path(sys.argv[1]) / "nibble.lock")
conversation = store.create_conversation("Hello", "")
parent = None
while True:
    parent = store.add_message(conversation.id, parent, Role.USER, "x" * 500).id
    print(parent, flush=True)
"""


def test_a_kill_loses_nothing_that_was_committed(folder: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    committed = [int(writer.stdout.readline()) for _ in range(30)]
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    store = _open(folder)
    assert store.notice is None
    ids = {m.id for m in store.open_conversation(1).messages}
    assert set(committed) <= ids
    store.close()


def test_a_step_that_fails_leaves_the_old_schema(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _open(folder).close()
    broken = "CREATE TABLE half (a); CREATE TABLE broken (;"
    monkeypatch.setattr("app.core.store.STEPS", (*STEPS, broken))
    monkeypatch.setattr("app.core.store.SCHEMA_VERSION", len(STEPS) + 1)
    with pytest.raises(StoreError):
        _open(folder)
    connection = sqlite3.connect(folder / "conversations.db")
    assert connection.execute("PRAGMA user_version").fetchone()[0] == len(STEPS)
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "half" not in tables


def test_the_summary_that_reaches_furthest_is_in_force(store: Store) -> None:
    conversation = store.create_conversation("Bread", "")
    parent, ids = None, []
    for n in range(6):
        role = Role.ASSISTANT if n % 2 else Role.USER
        parent = store.add_message(conversation.id, parent, role, str(n)).id
        ids.append(parent)
    first = store.add_summary(conversation.id, ids[1], "They began.", 2)
    second = store.add_summary(conversation.id, ids[3], "They went on.", 4)
    assert store.open_conversation(conversation.id).summary == second
    store.add_message(conversation.id, ids[1], Role.USER, "another way")
    assert store.open_conversation(conversation.id).summary == first
    store.edit_summary(first.id, "They began well.")
    opened = store.open_conversation(conversation.id)
    assert opened.summary is not None
    assert opened.summary.text == "They began well."
    store.delete_summary(first.id)
    assert store.open_conversation(conversation.id).summary is None
    assert store.summaries(conversation.id) == (second,)


def test_a_summary_of_what_is_gone_is_refused_and_goes_with_its_conversation(store: Store) -> None:
    conversation = store.create_conversation("Bread", "")
    message = store.add_message(conversation.id, None, Role.USER, "Hi")
    other = store.create_conversation("Rye", "")
    with pytest.raises(StoreError, match="no longer there"):
        store.add_summary(other.id, message.id, "text", 1)
    store.add_summary(conversation.id, message.id, "text", 1)
    store.delete_conversation(conversation.id)
    assert store.summaries(conversation.id) == ()
    with pytest.raises(StoreError, match="no longer there"):
        store.add_summary(conversation.id, message.id, "text", 1)
