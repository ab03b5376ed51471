"""Conversations on disk: SQLite, one connection, every commit durable.

WAL with synchronous=FULL: what has been committed survives a kill and a power cut. One process
writes, held by a lock file. A database from a newer Nibble is opened read-only; a corrupt one is
kept aside and a new one started. Knows nothing of windows, models or threads: the caller keeps a
Store on one thread.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import msgspec

from app.core.benchmarks import BenchRecord
from app.core.chat import (
    AnswerStats,
    ChatMessage,
    Conversation,
    OpenConversation,
    Role,
    Status,
    Summary,
    furthest,
    latest_leaf,
    path_to,
    siblings,
)
from app.core.errors import QT_TRANSLATE_NOOP, StoreError
from app.core.files import set_aside
from app.core.measured import SPEEDS_SQL, LoadRecord, SpeedRecord, Taken
from app.core.migrations import STEPS
from app.core.tuned import TUNED_SQL, TuneKey, TuneRecord, unpacked

SCHEMA_VERSION = len(STEPS)
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Store:
    """Opens the database at `path`, making it where there is none.

    `notice` is set when something was not as it should be but work can go on. Raises StoreError
    when another process writes, or the folder or file cannot be used.
    """

    def __init__(self, path: Path, lock_path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.notice: StoreError | None = None
        self.read_only = False
        self._lock = _acquire(lock_path)
        try:
            with _native_errors():
                self._connection = self._open(path)
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        self._connection.close()
        self._lock.release()

    # --- opening ------------------------------------------------------------------------------

    def _open(self, path: Path) -> sqlite3.Connection:
        try:
            return self._open_checked(path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF not in _DAMAGED:
                raise
        kept = set_aside(path, "damaged")
        self.notice = StoreError(
            QT_TRANSLATE_NOOP("store", "The conversations could not be read: the file is damaged."),
            QT_TRANSLATE_NOOP("store", "It is kept as {path}. A new list has been started.").fill(
                path=str(kept)
            ),
        )
        return self._open_checked(path)

    def _open_checked(self, path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > SCHEMA_VERSION:
                connection.close()
                return self._open_read_only(path)
            result = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if result != "ok":
                raise _damage(result)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=ON")
            _migrate(connection, version)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_read_only(self, path: Path) -> sqlite3.Connection:
        self.read_only = True
        self.notice = StoreError(
            QT_TRANSLATE_NOOP("store", "These conversations come from a newer Nibble."),
            QT_TRANSLATE_NOOP("store", "You can read them here, but not change them."),
        )
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False
        )

    # --- reading ------------------------------------------------------------------------------

    def conversations(self) -> tuple[Conversation, ...]:
        """All of them, the latest first."""
        sql = f"SELECT {_CONVERSATION} FROM conversations ORDER BY updated_at DESC, id DESC"
        with _native_errors():
            return tuple(Conversation(*row) for row in self._connection.execute(sql))

    def conversation(self, conversation_id: int) -> Conversation:
        sql = f"SELECT {_CONVERSATION} FROM conversations WHERE id = ?"
        with _native_errors():
            row = self._connection.execute(sql, (conversation_id,)).fetchone()
        if row is None:
            raise StoreError(QT_TRANSLATE_NOOP("store", "This conversation is no longer there."))
        return Conversation(*row)

    def open_conversation(self, conversation_id: int) -> OpenConversation:
        """The branch that was read last."""
        conversation = self.conversation(conversation_id)
        messages = self._messages(conversation_id)
        path = path_to(conversation.head_id, messages)
        summary = furthest(self.summaries(conversation_id), path)
        return OpenConversation(conversation, path, siblings(messages.values()), summary)

    def summaries(self, conversation_id: int) -> tuple[Summary, ...]:
        """All of a conversation, of whichever branch, the oldest first."""
        sql = f"SELECT {_SUMMARY} FROM summaries WHERE conversation_id = ? ORDER BY id"
        with _native_errors():
            rows = self._connection.execute(sql, (conversation_id,))
            return tuple(Summary(*row) for row in rows)

    def _messages(self, conversation_id: int) -> dict[int, ChatMessage]:
        sql = f"SELECT {_MESSAGE} FROM messages WHERE conversation_id = ?"
        with _native_errors():
            rows = self._connection.execute(sql, (conversation_id,)).fetchall()
        return {row[0]: _message(row) for row in rows}

    def message(self, message_id: int) -> ChatMessage:
        sql = f"SELECT {_MESSAGE} FROM messages WHERE id = ?"
        with _native_errors():
            row = self._connection.execute(sql, (message_id,)).fetchone()
        if row is None:
            raise StoreError(QT_TRANSLATE_NOOP("store", "This message is no longer there."))
        return _message(row)

    def sibling_ids(self, message_id: int) -> tuple[int, ...]:
        """The ids of `message_id` and its siblings, oldest first."""
        sql = (
            "SELECT s.id FROM messages m JOIN messages s ON s.conversation_id = m.conversation_id"
            " AND s.parent_id IS m.parent_id WHERE m.id = ? ORDER BY s.id"
        )
        with _native_errors():
            return tuple(row[0] for row in self._connection.execute(sql, (message_id,)))

    # --- writing ------------------------------------------------------------------------------

    def create_conversation(self, title: str, system_prompt: str) -> Conversation:
        now = self._clock()
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO conversations (title, system_prompt, created_at, updated_at)"
                " VALUES (?, ?, ?, ?)",
                (title, system_prompt, now, now),
            )
        return self.conversation(int(cursor.lastrowid or 0))

    def add_message(
        self,
        conversation_id: int,
        parent_id: int | None,
        role: Role,
        text: str,
        *,
        status: Status = Status.DONE,
        model_name: str = "",
        variant: str = "",
    ) -> ChatMessage:
        """Add a message under `parent_id` and make it the head. Committed when this returns."""
        now = self._clock()
        with self._transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO messages (conversation_id, parent_id, role, text, status,"
                " model_name, variant, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (conversation_id, parent_id, role, text, status, model_name, variant, now),
            )
            connection.execute(
                "UPDATE conversations SET head_id = ?, updated_at = ? WHERE id = ?",
                (cursor.lastrowid, now, conversation_id),
            )
        return self.message(int(cursor.lastrowid or 0))

    def name_model(self, message_id: int, model_name: str, variant: str) -> None:
        """The model that answers, where it was not known yet when the row was made."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE messages SET model_name = ?, variant = ? WHERE id = ?",
                (model_name, variant, message_id),
            )

    def keep_partial(self, message_id: int, text: str, reasoning: str) -> None:
        """The answer so far."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE messages SET text = ?, reasoning = ? WHERE id = ?",
                (text, reasoning, message_id),
            )

    def finish_answer(
        self,
        message_id: int,
        text: str,
        reasoning: str,
        status: Status,
        error: str,
        stats: AnswerStats | None,
    ) -> ChatMessage:
        packed = msgspec.json.encode(stats).decode() if stats else None
        with self._transaction() as connection:
            connection.execute(
                "UPDATE messages SET text = ?, reasoning = ?, status = ?, error = ?, stats = ?"
                " WHERE id = ?",
                (text, reasoning, status, error, packed, message_id),
            )
        return self.message(message_id)

    def show_branch(self, message_id: int) -> OpenConversation:
        """Read on from `message_id`: the head becomes the newest leaf under it."""
        conversation_id = self.message(message_id).conversation_id
        head_id = latest_leaf(message_id, self._messages(conversation_id).values())
        return self.set_head(conversation_id, head_id)

    def set_head(self, conversation_id: int, head_id: int | None) -> OpenConversation:
        with self._transaction() as connection:
            connection.execute(
                "UPDATE conversations SET head_id = ? WHERE id = ?", (head_id, conversation_id)
            )
        return self.open_conversation(conversation_id)

    def rename(self, conversation_id: int, title: str) -> None:
        self._update(conversation_id, "title", title)

    def set_system_prompt(self, conversation_id: int, system_prompt: str) -> None:
        self._update(conversation_id, "system_prompt", system_prompt)

    def delete_conversation(self, conversation_id: int) -> None:
        with self._transaction() as connection:
            connection.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))

    def add_summary(
        self, conversation_id: int, up_to_message_id: int, text: str, n_messages: int
    ) -> Summary:
        """Keep a summary of `n_messages` messages. Raises StoreError where the last of them is
        gone, with its conversation perhaps."""
        now = self._clock()
        values = (conversation_id, up_to_message_id, text, n_messages, now)
        with self._transaction() as connection:
            there = "SELECT 1 FROM messages WHERE id = ? AND conversation_id = ?"
            if not connection.execute(there, (up_to_message_id, conversation_id)).fetchone():
                raise StoreError(QT_TRANSLATE_NOOP("store", "This message is no longer there."))
            cursor = connection.execute(
                "INSERT INTO summaries (conversation_id, up_to_message_id, text, n_messages,"
                " created_at) VALUES (?, ?, ?, ?, ?)",
                values,
            )
        return Summary(int(cursor.lastrowid or 0), *values)

    def edit_summary(self, summary_id: int, text: str) -> None:
        with self._transaction() as connection:
            connection.execute("UPDATE summaries SET text = ? WHERE id = ?", (text, summary_id))

    def delete_summary(self, summary_id: int) -> None:
        """The messages it stood for count again, or an earlier summary of them does."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM summaries WHERE id = ?", (summary_id,))

    # --- measurements -------------------------------------------------------------------------

    def record_load(self, record: LoadRecord) -> None:
        """Keep what a load took, against what was predicted."""
        values = (
            *(record.model, record.variant, record.device, record.n_ctx, record.kv_type),
            record.n_gpu_layers,
            *(record.predicted.weights_bytes, record.predicted.kv_bytes),
            record.predicted.compute_bytes,
            *(record.actual.weights_bytes, record.actual.kv_bytes, record.actual.compute_bytes),
            *(record.host_bytes, record.rss_bytes, self._clock()),
        )
        self._insert("loads", _LOAD, values)

    def loads(self) -> tuple[LoadRecord, ...]:
        """The newest first."""
        with _native_errors():
            rows = self._connection.execute(f"SELECT {_LOAD} FROM loads ORDER BY id DESC")
            return tuple(_load_record(row) for row in rows)

    def record_speed(self, record: SpeedRecord, model: str = "", variant: str = "") -> None:
        """Keep how fast an answer was written, against what was predicted."""
        measured = (record.device, record.predicted_tps, record.measured_tps)
        self._insert("speeds", _SPEED, (model, variant, *measured, self._clock()))

    def speeds(self) -> tuple[SpeedRecord, ...]:
        """The newest first, as many as a prediction looks at."""
        with _native_errors():
            return tuple(SpeedRecord(*row) for row in self._connection.execute(SPEEDS_SQL))

    def record_tuned(self, key: TuneKey, record: TuneRecord) -> None:
        """Keep how a model is run best, in place of what was known of it."""
        packed = msgspec.json.encode(record).decode()
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO tuned (model, machine, record, created_at)"
                " VALUES (?, ?, ?, ?)",
                (key.model, key.machine, packed, self._clock()),
            )

    def tuned(self, key: TuneKey) -> TuneRecord | None:
        with _native_errors():
            row = self._connection.execute(TUNED_SQL, (key.model, key.machine)).fetchone()
        return unpacked(row[0]) if row else None

    def record_benchmark(self, machine: str, record: BenchRecord) -> BenchRecord:
        """Keep what a benchmark came to on `machine`; returns it with its time."""
        now = self._clock()
        kept = replace(record, created_at=now)
        packed = msgspec.json.encode(kept).decode()
        columns = "machine, model, variant, record, created_at"
        self._insert("benchmarks", columns, (machine, kept.model, kept.variant, packed, now))
        return kept

    def benchmarks(self, machine: str) -> tuple[BenchRecord, ...]:
        """Those of `machine`, the newest first. One that this version cannot read is left out."""
        sql = "SELECT record FROM benchmarks WHERE machine = ? ORDER BY id DESC"
        with _native_errors():
            rows = self._connection.execute(sql, (machine,)).fetchall()
        found = (_benchmark(row[0]) for row in rows)
        return tuple(record for record in found if record is not None)

    def _insert(self, table: str, columns: str, values: tuple[object, ...]) -> None:
        """Only so many rows stay: the oldest go."""
        places = ", ".join("?" * len(values))
        with self._transaction() as connection:
            cursor = connection.execute(
                f"INSERT INTO {table} ({columns}) VALUES ({places})", values
            )
            connection.execute(
                f"DELETE FROM {table} WHERE id <= ?", (int(cursor.lastrowid or 0) - _N_MEASURED,)
            )

    def _update(self, conversation_id: int, column: str, value: str) -> None:
        with self._transaction() as connection:
            connection.execute(
                f"UPDATE conversations SET {column} = ? WHERE id = ?", (value, conversation_id)
            )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Raises StoreError, with nothing changed."""
        with _native_errors():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


_CONVERSATION = "id, title, created_at, updated_at, head_id, system_prompt"
_MESSAGE = (
    "id, conversation_id, parent_id, role, text, created_at, "
    "reasoning, status, error, model_name, variant, stats"
)
_SUMMARY = "id, conversation_id, up_to_message_id, text, n_messages, created_at"

_LOAD = (
    "model, variant, device, n_ctx, kv_type, n_gpu_layers,"
    " predicted_weights, predicted_kv, predicted_compute,"
    " actual_weights, actual_kv, actual_compute, predicted_host, rss, created_at"
)
_SPEED = "model, variant, device, predicted_tps, measured_tps, created_at"
_N_MEASURED = 1000  # rows of each kind that are kept


def _load_record(row: tuple[Any, ...]) -> LoadRecord:
    model, variant, device, n_ctx, kv_type, n_gpu_layers, *sizes = row
    predicted, actual = Taken(*sizes[:3]), Taken(*sizes[3:6])
    where = (model, variant, device, n_ctx, kv_type, n_gpu_layers)
    return LoadRecord(*where, predicted, actual, host_bytes=sizes[6], rss_bytes=sizes[7])


def _benchmark(packed: str) -> BenchRecord | None:
    try:
        record = msgspec.json.decode(packed, type=BenchRecord)
    except msgspec.MsgspecError:
        return None
    return record if record.depths else None


def _message(row: tuple[Any, ...]) -> ChatMessage:
    stats = msgspec.json.decode(row[11], type=AnswerStats) if row[11] else None
    columns = dict(zip(_MESSAGE.split(", "), row, strict=True))
    columns |= {"role": Role(row[3]), "status": Status(row[7]), "stats": stats}
    return ChatMessage(**columns)


def _acquire(lock_path: Path) -> filelock.BaseFileLock:
    try:
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(lock_path, thread_local=False)
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise StoreError(
            QT_TRANSLATE_NOOP("store", "Nibble is open already."),
            QT_TRANSLATE_NOOP("store", "Close the other window first."),
        ) from error
    except OSError as error:
        raise _unusable(str(lock_path.parent), error) from error
    return lock


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    """Take the schema from `version` to SCHEMA_VERSION, each step whole or not at all."""
    for number, sql in enumerate(STEPS[version:], start=version + 1):
        connection.executescript(f"BEGIN;{sql}PRAGMA user_version={number};COMMIT;")


def _damage(result: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(result)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


@contextmanager
def _native_errors() -> Iterator[None]:
    """SQLite's and the system's errors become StoreError here and nowhere else."""
    try:
        yield
    except sqlite3.Error as error:
        raise _store_error(error) from error
    except OSError as error:
        raise _unusable("", error) from error


def _store_error(error: sqlite3.Error) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) or 0
    name = getattr(error, "sqlite_errorname", "") or ""
    detail = f"{name}: {error}"
    if code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_WRITE:
        return StoreError(
            QT_TRANSLATE_NOOP("store", "The disk is full, so this could not be saved."),
            QT_TRANSLATE_NOOP("store", "Free some space, then try again. Nothing saved is lost."),
            detail,
        )
    if code & 0xFF == sqlite3.SQLITE_READONLY:
        return StoreError(
            QT_TRANSLATE_NOOP("store", "These conversations can be read here, but not changed."),
            QT_TRANSLATE_NOOP("store", "Copy what you need, or update Nibble."),
            detail,
        )
    if code & 0xFF in _DAMAGED:
        return StoreError(
            QT_TRANSLATE_NOOP("store", "A part of the conversations is damaged."),
            QT_TRANSLATE_NOOP("store", "Start Nibble again: it keeps the file and begins anew."),
            detail,
        )
    return StoreError(
        QT_TRANSLATE_NOOP("store", "The conversations could not be read or written."),
        QT_TRANSLATE_NOOP("store", "Check that the disk is there and can be written."),
        detail,
    )


def _unusable(folder: str, error: OSError) -> StoreError:
    return StoreError(
        QT_TRANSLATE_NOOP("store", "The conversations cannot be kept in {folder}.").fill(
            folder=folder or str(error.filename)
        ),
        QT_TRANSLATE_NOOP("store", "Check that the disk has room and the folder can be written."),
        str(error),
    )
