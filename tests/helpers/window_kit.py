"""A real window on a real store, with an engine that says what the test tells it to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QTextEdit, QWidget
from pytestqt.qtbot import QtBot

from app.core.chat import ChatMessage
from app.core.errors import AppError
from app.core.settings import Settings
from app.core.store import Store
from app.engine.protocol import Load
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob, Phase
from app.jobs.tasks import TaskThread
from app.ui.window import MainWindow
from tests.helpers.fake_engine import FakeEngine
from tests.helpers.fake_quantizer import FakeQuantizer

MODEL = "/models/smollm2.gguf"


class WindowKit:
    """`folder` keeps the settings and conversations; give the same one twice to start again."""

    def __init__(
        self,
        qtbot: QtBot,
        folder: Path,
        fake: FakeEngine,
        *,
        size: tuple[int, int] = (1280, 800),
        refused: AppError | None = None,
    ) -> None:
        self.qtbot, self.fake, self.folder = qtbot, fake, folder
        self._is_open = True
        self.settings = Settings(folder / "settings.json")
        self.store = Store(folder / "conversations.db", folder / "lock")
        self.engine = EngineJob(fake.make_client)
        self.tasks = TaskThread("tasks")
        if refused is not None:
            self.engine.refuse(refused)
        else:
            self.engine.start()
            self.engine.load(Load(MODEL))
        self.chat = ChatJob(self.store, self.settings, self.engine)
        self.quantizer = FakeQuantizer()
        make_quantizer = self.quantizer.make_client
        self.window = MainWindow(self.chat, self.settings, self.tasks, make_quantizer)
        qtbot.addWidget(self.window)
        self.page = self.window.chat_page
        self.column = self.page.column
        self.composer = self.column.composer
        self.window.resize(*size)
        self._show()

    def _show(self) -> None:
        with self.qtbot.waitExposed(self.window):
            self.window.show()
        with self.qtbot.waitSignal(self.chat.conversations_changed):
            self.chat.start()
        self.window.begin()
        self.window.activateWindow()
        self.composer.focus()
        self.wait(lambda: self.engine.state.phase is not Phase.LOADING or not self.loads)

    def close(self) -> None:
        """As the application does it."""
        if not self._is_open:
            return
        self._is_open = False
        self.window.close()
        self.chat.close()
        self.tasks.close()

    # --- waiting ------------------------------------------------------------------------------

    @property
    def loads(self) -> bool:
        return self.fake.loads_by_itself

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=5000)

    def wait_for_tasks(self) -> None:
        """Until all that was given to the task thread before has been answered."""
        answers: list[None] = []
        self.tasks.submit(lambda: None, answers.append)
        self.wait(lambda: bool(answers))

    # --- doing --------------------------------------------------------------------------------

    def type(self, text: str) -> None:
        QTest.keyClicks(self.composer.editor, text)

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier | None = None) -> None:
        QTest.keyClick(self.composer.editor, key, modifiers or Qt.KeyboardModifier.NoModifier)

    def ask(self, text: str) -> None:
        """Type and send; returns when the engine has the request."""
        n_before = len(self.fake.requests)
        self.type(text)
        self.press(Qt.Key.Key_Return)
        self.wait(lambda: len(self.fake.requests) > n_before)

    def answer(self, *pieces: str) -> ChatMessage:
        """Let the engine answer the last request; returns the finished message."""
        with self.qtbot.waitSignal(self.chat.answer_finished) as blocker:
            for piece in pieces:
                self.fake.say(piece)
            self.fake.finish()
        return blocker.args[0]

    # --- seeing -------------------------------------------------------------------------------

    def transcript_texts(self) -> list[str]:
        """What the transcript's live widgets say."""
        views = self.column.transcript.findChildren(QTextEdit)
        return [view.toPlainText().strip() for view in views if view.isVisible()]

    def titles(self) -> list[str]:
        """The conversations in the list, headers left out."""
        model = self.page.list.view.model()
        indexes = [model.index(row, 0) for row in range(model.rowCount())]
        return [index.data() for index in indexes if index.flags() & Qt.ItemFlag.ItemIsEnabled]

    def dialog(self) -> QDialog:
        """The dialog that asks something."""
        self.wait(lambda: any(d.isVisible() for d in self.window.findChildren(QDialog)))
        return next(d for d in self.window.findChildren(QDialog) if d.isVisible())


def named(root: QWidget, kind: type[QWidget], name: str) -> QWidget:
    """The visible widget of this kind with that accessible name or text."""
    for widget in root.findChildren(kind):
        text = widget.text() if hasattr(widget, "text") else ""
        if widget.isVisible() and name in (widget.accessibleName(), text):
            return widget
    raise AssertionError(f"no {kind.__name__} called {name!r}")
