"""Puts the window together: settings, store, engine, chat; and takes it apart again in order."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QSocketNotifier, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import QApplication, QWidget

import resources
from app import paths
from app.core import library
from app.core import settings as s
from app.core.errors import ModelFileError, StoreError
from app.core.settings import Settings
from app.core.store import Store
from app.engine.requests import load_command
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineJob
from app.jobs.instance import Instance, Summons, summon_first
from app.jobs.tasks import TaskThread
from app.ui.garbage import Garbage
from app.ui.theme import theme

if TYPE_CHECKING:
    from app.jobs.memory import MemoryWatch
    from app.ui.window import MainWindow

_BEGIN_MS = 700  # after the first paint: what can wait leaves the cores to the model until then
_UNPAINTED_MS = 2000


class Application(QObject):
    """Everything one running window needs. `store` holds the lock that makes it the only one."""

    def __init__(self, store: Store, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._engine = EngineJob()
        self._engine.start()  # imports llama.cpp while the window is being built
        self._load_first_model()
        self._instance = Instance(paths.data_dir())
        self._instance.summoned.connect(self._on_summoned)
        self._tasks = TaskThread("tasks", waits=True)
        self._chat = ChatJob(store, settings, self._engine)
        self._memory: MemoryWatch | None = None
        self.window = self._make_window()

    def _make_window(self) -> MainWindow:
        """Imported here: the engine's process has started, and imports meanwhile."""
        from app.ui.window import MainWindow

        return MainWindow(self._chat, self._settings, self._tasks)

    def show(self) -> None:
        self._painted = _FirstPaint(self.window)
        self._painted.happened.connect(self._after_first_paint)
        self.window.show()
        self._chat.start()

    def _after_first_paint(self) -> None:
        self._tasks.begin()
        self._instance.listen()
        self._garbage = Garbage(self)
        QTimer.singleShot(_BEGIN_MS, self._begin_the_rest)

    def _begin_the_rest(self) -> None:
        from app.jobs.memory import MemoryWatch

        self._memory = MemoryWatch(self._engine)
        self.window.follow_memory(self._memory)
        self.window.begin()

    def open_files(self, files: Sequence[Path]) -> None:
        for file in files[:1]:
            self.window.models.choose(file)

    def close(self) -> None:
        self._instance.close()
        self._chat.close()
        self._tasks.close()

    def _load_first_model(self) -> None:
        """The model used last, where it is still there; else the starter."""
        last = Path(self._settings.get(s.MODEL))
        try:
            path = last if last.is_file() else library.starter()
        except ModelFileError as error:
            self._engine.refuse(error)
            return
        self._engine.load(load_command(self._settings, path))

    def _on_summoned(self, summons: Summons) -> None:
        if summons.activation_token:
            os.environ["XDG_ACTIVATION_TOKEN"] = summons.activation_token
        window = self.window
        window.setWindowState(window.windowState() & ~Qt.WindowState.WindowMinimized)
        window.show()
        window.raise_()
        window.activateWindow()
        self.open_files([Path(file) for file in summons.files])


def run_window(file_names: Sequence[str]) -> int:
    """Show the window and run until it is closed; returns the exit code.

    Raises AppError when it cannot be shown, or when another instance holds the store but does not
    answer.
    """
    application = _make_qt_application()
    files = [Path(name) for name in file_names]
    try:
        store = Store(paths.database_file(), paths.lock_file())
    except StoreError:
        if summon_first(paths.data_dir(), files):
            return 0
        raise
    running = Application(store, Settings(paths.settings_file()))
    _QuitOnSignals(application, running.window)
    running.show()
    running.open_files(files)
    code = application.exec()
    running.close()
    return code


def _make_qt_application() -> QApplication:
    QCoreApplication.setApplicationName("Nibble")
    QGuiApplication.setDesktopFileName("io.github.nibble_chat.Nibble")
    application = QApplication([sys.argv[0]])
    application.setStyle("Fusion")
    application.setWindowIcon(QIcon(str(resources.path("icons/nibble.svg"))))
    application.styleHints().colorSchemeChanged.connect(lambda _scheme: theme().refresh())
    return application


class _FirstPaint(QObject):
    """Says once that the window has been painted, or that it is not going to be: one that starts
    minimized gets no paint."""

    happened = Signal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.happened)
        self._timer.start(_UNPAINTED_MS)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            watched.removeEventFilter(self)
            self._timer.start(0)  # after the paint
        return False


class _QuitOnSignals(QObject):
    """Ctrl+C in a terminal and a polite kill close the window without asking.

    Python's handlers run only between bytecodes, and an idle event loop runs none; so the signal's
    number is written to a socket that Qt watches.
    """

    def __init__(self, application: QApplication, window: MainWindow) -> None:
        super().__init__(application)
        if sys.platform == "win32":
            return
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        signal.set_wakeup_fd(self._sender.fileno())
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        notifier = QSocketNotifier(self._receiver.fileno(), QSocketNotifier.Type.Read, self)
        notifier.activated.connect(lambda *_: window.leave())
