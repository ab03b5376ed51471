"""Between the benchmarks' job, the inspector's section and the dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.jobs.benchmark import Benchmarks, BenchmarkState
from app.jobs.chat import ChatJob
from app.jobs.tasks import TaskThread
from app.ui.benchmark.choosing import latest_of
from app.ui.benchmark.section import BenchmarkSection

if TYPE_CHECKING:
    from app.ui.benchmark.dialog import BenchmarkDialog


class BenchmarkLink(QObject):
    def __init__(
        self, chat: ChatJob, tasks: TaskThread, section: BenchmarkSection, page: QWidget
    ) -> None:
        super().__init__(page)
        self._page, self._section = page, section
        self.dialog: BenchmarkDialog | None = None
        self._is_wanted = False  # as soon as it is known that there is no result yet
        self.job = Benchmarks(chat, tasks, self)
        self.job.changed.connect(self._show)
        chat.engine.state_changed.connect(lambda _state: self._show_dialog())
        section.opened.connect(self.open)
        self._show(self.job.state)

    def open(self) -> None:
        """Show what there is; where that is nothing, measure."""
        if self.dialog is None:
            self.dialog = self._make_dialog()
        self._show_dialog()
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()
        self._is_wanted = True
        self._start_if_new()

    def _start_if_new(self) -> None:
        state = self.job.state
        if self._is_wanted and state.records is not None:
            self._is_wanted = False
            if latest_of(state.loaded, state.records) is None:
                self.job.start()

    def _make_dialog(self) -> BenchmarkDialog:
        from app.ui.benchmark.dialog import BenchmarkDialog

        dialog = BenchmarkDialog(self._page.window())
        dialog.start_requested.connect(self.job.start)
        dialog.cancel_requested.connect(self.job.cancel)
        dialog.finished.connect(self._on_closed)
        return dialog

    def _on_closed(self) -> None:
        self.dialog, self._is_wanted = None, False

    def _show(self, state: BenchmarkState) -> None:
        self._section.show_state(state)
        self._show_dialog()
        self._start_if_new()

    def _show_dialog(self) -> None:
        if self.dialog is not None:
            self.dialog.show_state(self.job.state, self.job.can_start)
