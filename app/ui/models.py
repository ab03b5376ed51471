"""Which models there are and which one is wanted, for the picker and the Models page.

Files are looked at on the task thread. A file that turns out to be no model is refused before the
engine hears of it, so that the model that was there stays loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app import paths
from app.core import library
from app.core import settings as s
from app.core.errors import QT_TRANSLATE_NOOP, AppError, ModelFileError
from app.core.library import InstalledModel
from app.engine.protocol import Loaded
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState, Phase
from app.jobs.tasks import TaskThread
from app.ui.prefs import Prefs

_MAX_RECENT = 12


class Models(QObject):
    """`listed` carries what is installed, `refused` the error of a file that is no model."""

    listed = Signal(object)  # tuple[InstalledModel, ...]
    refused = Signal(object)  # AppError
    accepted = Signal()  # a file is being loaded, so earlier trouble is over

    def __init__(
        self, chat: ChatJob, prefs: Prefs, tasks: TaskThread, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._chat, self._prefs, self._tasks = chat, prefs, tasks
        self._wanted: Path | None = None
        self._proved: Loaded | None = None
        self.installed: tuple[InstalledModel, ...] = ()
        chat.engine.state_changed.connect(self._on_state)

    def scan(self) -> None:
        """Look again at what is installed."""
        recent = self._recent()
        self._tasks.submit(lambda: library.installed(recent), self._on_listed)

    def _on_listed(self, models: tuple[InstalledModel, ...]) -> None:
        self.installed = models
        self.listed.emit(models)

    def choose(self, path: Path) -> None:
        """Load the model in `path`, if it is one."""
        self._wanted = path
        self._tasks.submit(lambda: library.describe(path), self._load, self._on_refused)

    def with_folder(self, show: Callable[[Path], None]) -> None:
        """Call `show` with Nibble's folder for models, made where it is not there yet."""
        self._tasks.submit(_make_folder, show, self.refused.emit)

    def try_again(self) -> None:
        if self._wanted is not None:
            self.choose(self._wanted)
        else:
            self._chat.reload_model()

    def name_of(self, path: str) -> str:
        """The name of the model in `path`, as far as it is known."""
        found = self.find(path)
        return found.name if found else Path(path).stem

    def find(self, path: str) -> InstalledModel | None:
        return next((m for m in self.installed if str(m.path) == path), None)

    def _load(self, model: InstalledModel) -> None:
        if model.path not in [known.path for known in self.installed]:
            self._on_listed((*self.installed, model))
        self._prefs.flush()
        self._wanted = None
        self.accepted.emit()
        self._chat.load_model(model.path)

    def _on_refused(self, error: AppError) -> None:
        self.refused.emit(error)

    def _on_state(self, state: EngineState) -> None:
        """A model that has proved itself is taken again next time."""
        loaded = state.loaded
        if state.phase is Phase.READY and loaded is not None and loaded is not self._proved:
            self._proved = loaded
            self._prefs.set(s.MODEL, loaded.path)
            self._remember(Path(loaded.path))

    def _recent(self) -> list[Path]:
        try:
            names = json.loads(self._prefs.get(s.RECENT_MODELS) or "[]")
        except ValueError:
            names = []
        return [Path(str(name)) for name in names] if isinstance(names, list) else []

    def _remember(self, path: Path) -> None:
        recent = self._recent()
        if recent[:1] != [path]:
            kept = [path, *(other for other in recent if other != path)][:_MAX_RECENT]
            self._prefs.set(s.RECENT_MODELS, json.dumps([str(each) for each in kept]))


def _make_folder() -> Path:
    folder = paths.models_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelFileError(
            QT_TRANSLATE_NOOP("models", "The folder {folder} could not be made.").fill(
                folder=str(folder)
            ),
            QT_TRANSLATE_NOOP("models", "Check that the disk has room and can be written."),
            str(error),
        ) from error
    return folder
