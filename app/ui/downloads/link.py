"""Between the window and the downloads: settings, the status line, what has arrived, closing."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app import paths
from app.core import settings as s
from app.jobs.downloads import Downloads
from app.jobs.downloadstate import DownloadState, Stage
from app.jobs.network import SentWatch
from app.jobs.tasks import TaskThread
from app.ui import words
from app.ui.downloads.cancelling import cancel_asking
from app.ui.prefs import Prefs


class Downloading(QObject):
    """Made after the window has been painted; it takes up what was not finished."""

    status_changed = Signal(str, str, str)  # icon, the sentence, one word for a narrow window
    arrived = Signal(object)  # tuple[Path, ...]

    def __init__(self, window: QWidget, prefs: Prefs, tasks: TaskThread) -> None:
        super().__init__(window)
        self._window, self._prefs = window, prefs
        self.job = Downloads(tasks, parent=self)
        self._watch = SentWatch(self)
        self._watch.sent.connect(self._show_status)
        self.job.changed.connect(self._on_changed)
        self.job.finished.connect(self._on_finished)
        prefs.changed.connect(self._on_setting)
        for setting in s.DOWNLOADS:
            self._on_setting(setting.key)

    def begin(self) -> None:
        self.job.restore(paths.models_dir())
        self._show_status()

    def cancel(self, download_id: int) -> None:
        cancel_asking(self._window, self.job, download_id)

    def close(self) -> None:
        """What runs ends; what has arrived stays."""
        self._watch.close()
        self.job.close()

    def _on_setting(self, key: str) -> None:
        if key == s.DOWNLOAD_LIMIT.key:
            self.job.set_limit(self._prefs.get(s.DOWNLOAD_LIMIT) * 1e6)
        elif key == s.DOWNLOADS_AT_ONCE.key:
            self.job.set_n_at_once(self._prefs.get(s.DOWNLOADS_AT_ONCE))
        elif key == s.HUB_ENDPOINTS.key:
            self.job.set_endpoints(s.hub_endpoints(self._prefs.get(s.HUB_ENDPOINTS)))

    def _on_finished(self, files: tuple[Path, ...], _state: DownloadState) -> None:
        self.arrived.emit(files)

    def _on_changed(self, _states: tuple[DownloadState, ...]) -> None:
        self._show_status()

    # --- what the status line says ------------------------------------------------------------

    def _show_status(self) -> None:
        self.status_changed.emit(*self._status())

    def _status(self) -> tuple[str, str, str]:
        stages = [state.stage for state in self.job.states]
        n_offline = stages.count(Stage.OFFLINE) + stages.count(Stage.RETRYING)
        n_online = self.job.n_running - stages.count(Stage.RETRYING)
        if n_online:
            text = self.tr("Online: {n} downloads you asked for")
            if n_online == 1:
                text = self.tr("Online: {n} download you asked for")
            return "download", text.format(n=words.count(n_online)), self.tr("Online")
        if n_offline:
            text = self.tr("No connection: {n} downloads wait for it")
            if n_offline == 1:
                text = self.tr("No connection: {n} download waits for it")
            return "offline", text.format(n=words.count(n_offline)), self.tr("No connection")
        if self._watch.has_sent:
            text = self.tr("Only what you asked for has left this computer")
            return "info", text, self.tr("Only what you asked for")
        return "offline", self.tr("Offline: nothing has left this computer"), self.tr("Offline")
