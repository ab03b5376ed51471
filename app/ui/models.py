"""Which models there are and which one is wanted, for the picker and the Models page.

Files are looked at on the task thread. A file that turns out to be no model is refused before the
engine hears of it, so that the model that was there stays loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from app import paths
from app.core import library
from app.core import settings as s
from app.core.errors import QT_TRANSLATE_NOOP, AppError, ModelFileError
from app.core.library import InstalledModel, Notice
from app.engine.protocol import Loaded
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState, Phase
from app.jobs.library import LibraryCheck
from app.jobs.tasks import TaskThread
from app.ui.deleting import ask_to_delete_files
from app.ui.prefs import Prefs

if TYPE_CHECKING:
    from app.core.library import Deletion, Scan

_MAX_RECENT = 12
_WAIT_S = 1.5  # others wait behind the scan; what is found later comes with the next
_AGAIN_MS = 3_000


class Models(QObject):
    """`listed` carries what is installed, `refused` the error of a file that is no model."""

    listed = Signal(object)  # tuple[InstalledModel, ...]
    refused = Signal(object)  # AppError
    accepted = Signal()  # a file is being loaded, so earlier trouble is over
    noticed = Signal(object)  # tuple[Notice, ...]: the folders that could not be looked at
    deleted = Signal(object, object)  # InstalledModel, the bytes that are free now

    def __init__(
        self, chat: ChatJob, prefs: Prefs, tasks: TaskThread, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._chat, self._prefs, self._tasks = chat, prefs, tasks
        self._wanted: Path | None = None
        self._proved: Loaded | None = None
        self.installed: tuple[InstalledModel, ...] = ()
        self.notices: tuple[Notice, ...] = ()
        self.check = LibraryCheck(chat.engine, self)
        self.check.checked.connect(self._on_checked)
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(_AGAIN_MS)
        self._again.timeout.connect(self.scan)
        chat.engine.state_changed.connect(self._on_state)
        prefs.changed.connect(self._on_setting)

    def close(self) -> None:
        """The window closes: no file is read any more."""
        self._again.stop()
        self.check.close()

    # --- what there is ------------------------------------------------------------------------

    def scan(self) -> None:
        """Look again at what is installed."""
        recent, folders = self._recent(), self.folders
        self._tasks.submit(lambda: _look(recent, folders), self._on_scanned)

    def _on_scanned(self, result: tuple[Scan, dict[Path, str]]) -> None:
        scan, to_read = result
        self.notices = scan.notices
        self._on_listed(scan.models)
        self.noticed.emit(scan.notices)
        self.check.want(to_read)
        if scan.is_partial:
            self._again.start()

    def _on_listed(self, models: tuple[InstalledModel, ...]) -> None:
        self.installed = models
        self.listed.emit(models)

    def _on_checked(self, path: Path, _known: object) -> None:
        """Another sum may make a notice or a duplicate; the last of several looks again."""
        self.scan()

    def name_of(self, path: str) -> str:
        """The name of the model in `path`, as far as it is known."""
        found = self.find(path)
        return found.name if found else Path(path).stem

    def find(self, path: str) -> InstalledModel | None:
        return next((m for m in self.installed if str(m.path) == path), None)

    def with_folder(self, show: Callable[[Path], None]) -> None:
        """Call `show` with Nibble's folder for models, made where it is not there yet."""
        self._tasks.submit(_make_folder, show, self.refused.emit)

    # --- loading ------------------------------------------------------------------------------

    def choose(self, path: Path) -> None:
        """Load the model in `path`, if it is one."""
        self._wanted = path
        self._tasks.submit(lambda: library.describe(path), self._load, self._on_refused)

    def try_again(self) -> None:
        if self._wanted is not None:
            self.choose(self._wanted)
        else:
            self._chat.reload_model()

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
            self.remember([Path(loaded.path)])

    # --- the user's folders -------------------------------------------------------------------

    @property
    def folders(self) -> tuple[Path, ...]:
        """Those that the user added."""
        return library.parse_folders(self._prefs.get(s.LIBRARY_FOLDERS))

    def add_folder(self, folder: Path) -> None:
        """Look for models in `folder` too, from now on."""
        self._set_folders((*self.folders, folder.absolute()))

    def remove_folder(self, folder: Path) -> None:
        """Look there no longer. Its files stay."""
        self._set_folders(each for each in self.folders if each != folder)

    def _set_folders(self, folders: Iterable[Path]) -> None:
        names = list(dict.fromkeys(str(folder) for folder in folders))
        self._prefs.set(s.LIBRARY_FOLDERS, json.dumps(names) if names else "")

    def _on_setting(self, key: str) -> None:
        if key == s.LIBRARY_FOLDERS.key:
            self.scan()

    # --- deleting and checking ----------------------------------------------------------------

    def delete(self, model: InstalledModel) -> None:
        """Ask whether `model` may go, then delete its files; `refused` says why not."""
        loaded, models, folders = self._in_use(), self.installed, self.folders
        self._tasks.submit(
            lambda: library.plan_deletion(model, models, folders, loaded),
            self._ask_to_delete,
            self.refused.emit,
        )

    def _ask_to_delete(self, deletion: Deletion) -> QMessageBox:
        parent = self.parent()
        window = parent if isinstance(parent, QWidget) else None
        return ask_to_delete_files(window, deletion, lambda: self._delete(deletion))

    def _delete(self, deletion: Deletion) -> None:
        if deletion.model.path in self._in_use():  # loaded while the question stood there
            self.delete(deletion.model)
            return
        self.check.stop()  # Windows deletes no file that is being read
        self._tasks.submit(
            lambda: library.delete(deletion),
            lambda freed_bytes: self._on_deleted(deletion.model, freed_bytes),
            self._on_not_deleted,
        )

    def _on_deleted(self, model: InstalledModel, freed_bytes: int) -> None:
        self.forget(model)
        self._on_listed(tuple(each for each in self.installed if each.path != model.path))
        self.deleted.emit(model, freed_bytes)
        self.scan()

    def _on_not_deleted(self, error: AppError) -> None:
        self.refused.emit(error)
        self.scan()

    def _in_use(self) -> frozenset[Path]:
        state = self._chat.engine.state
        names = {each.path for each in (state.load, state.loaded) if each is not None}
        idle = (Phase.FAILED, Phase.RESTING)
        return frozenset(Path(name) for name in names if state.phase not in idle)

    def keep(self, model: InstalledModel) -> None:
        """A file that changed is meant to be as it is now."""
        self._tasks.submit(lambda: _accept(model), self._rescan)

    def verify(self, model: InstalledModel) -> None:
        """Read the model's files again now and compare; a notice says when they have changed."""
        expected = model.sha256 if not model.parts else ""
        self.check.want_now(dict.fromkeys(model.files, expected))

    def _rescan(self, _done: object) -> None:
        self.scan()

    # --- files opened by hand -----------------------------------------------------------------

    def _recent(self) -> list[Path]:
        try:
            names = json.loads(self._prefs.get(s.RECENT_MODELS) or "[]")
        except ValueError:
            names = []
        return [Path(str(name)) for name in names] if isinstance(names, list) else []

    def remember(self, files: Sequence[Path]) -> None:
        """List `files` from now on, wherever they lie."""
        recent = self._recent()
        if recent[: len(files)] != list(files):
            kept = [*files, *(other for other in recent if other not in files)][:_MAX_RECENT]
            self._keep_recent(kept)

    def forget(self, model: InstalledModel) -> None:
        """No longer list a file that was opened by hand."""
        gone = (*model.files, *model.also_at)
        self._keep_recent([path for path in self._recent() if path not in gone])

    def _keep_recent(self, files: Sequence[Path]) -> None:
        names = [str(path) for path in files]
        self._prefs.set(s.RECENT_MODELS, json.dumps(names) if names else "")


def _look(recent: list[Path], folders: tuple[Path, ...]) -> tuple[Scan, dict[Path, str]]:
    """What there is, and which files have to be read again, each with its expected sum."""
    from app.core import hashes

    scan = library.scan(recent, folders, _WAIT_S)
    files = {path: model for model in scan.models for path in model.files}
    wanted = (*hashes.outdated(files), *library.unsure(scan.models))
    return scan, dict.fromkeys(wanted, "")


def _accept(model: InstalledModel) -> None:
    from app.core import hashes

    for path in model.files:
        hashes.accept(path)


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
