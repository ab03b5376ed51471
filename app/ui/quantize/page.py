"""The Quantize page: choosing, running, results; what each leads to."""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QStackedWidget, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.core.selection import narrowed
from app.jobs.quantize import QuantizeJob
from app.jobs.quantizerun import Run
from app.ui import words
from app.ui.controls import Hairline, button
from app.ui.quantize.choosing import Choosing
from app.ui.quantize.dialogs import ask_where_to_save
from app.ui.quantize.draft import Draft
from app.ui.quantize.explain import Explain
from app.ui.quantize.head import PageHead
from app.ui.quantize.results import Results
from app.ui.quantize.running import Running
from app.ui.quantize.tensors import TensorDialog
from quantize.job import Plan, PlannedFile

_PARTS = (".safetensors", ".json")  # of a folder of weights: the folder is meant


class QuantizePage(QWidget):
    chat_requested = Signal(object)  # Path
    compare_requested = Signal(object)  # Path
    inspect_requested = Signal(object)  # Path

    def __init__(self, job: QuantizeJob, out_dir: Path, n_ctx: int) -> None:
        super().__init__()
        self._job = job
        self._began = 0.0
        self.draft = Draft(job, out_dir, n_ctx)
        self.head = PageHead(self.tr("Quantize"))
        self.explain = Explain()
        self.choosing = Choosing(self.draft)
        self.running = Running()
        self.results = Results()
        self._stack = QStackedWidget()
        self._add_buttons()
        self._lay_out()
        self._connect_job()
        self._connect_views()
        self.setAcceptDrops(True)
        job.measure(out_dir)
        self._show(self.choosing)

    def _add_buttons(self) -> None:
        self.explain_button = button(self.tr("What is this?"), "quiet", small=True)
        self.explain_button.setCheckable(True)
        self.explain_button.toggled.connect(self.explain.setVisible)
        self.pause_button = button(self.tr("Pause"))
        self.cancel_button = button(self.tr("Cancel"), "danger")
        self.more_button = button(self.tr("Make more files"))
        self.head.add(self.explain_button, "info")
        self.head.add(self.pause_button, "pause")
        self.head.add(self.cancel_button, "close", "doesNotFit")
        self.head.add(self.more_button, "quantize")
        self.pause_button.clicked.connect(self._turn_pause)
        self.cancel_button.clicked.connect(self._job.cancel)
        self.more_button.clicked.connect(self._choose_more)

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.head)
        column.addWidget(Hairline())
        column.addWidget(self.explain)
        column.addWidget(self._stack, 1)
        for view in (self.choosing, self.running, self.results):
            self._stack.addWidget(view)

    def _connect_job(self) -> None:
        job, draft = self._job, self.draft
        job.plan_failed.connect(self._on_plan_failed)
        job.planned.connect(lambda _plan: self.choosing.trouble.hide())
        job.run_changed.connect(self._on_run)
        job.run_finished.connect(self._on_finished)
        job.run_cancelled.connect(self._on_cancelled)
        job.run_failed.connect(self._on_failed)
        job.measured.connect(lambda found: self.choosing.cards.show_disk(found.disk_free_bytes))
        job.copy_failed.connect(self._show_trouble)
        draft.changed.connect(self._show_note)

    def _connect_views(self) -> None:
        choosing, results = self.choosing, self.results
        choosing.source_chosen.connect(self.take_source)
        choosing.make_requested.connect(self._make)
        choosing.save_requested.connect(self._job.save_plan)
        choosing.tensors_requested.connect(self._show_tensors)
        self.running.matrix_save_requested.connect(self._ask_where_matrix)
        self.running.bits.tensors_requested.connect(self._show_running_tensors)
        results.chat_requested.connect(self.chat_requested)
        results.compare_requested.connect(self.compare_requested)
        results.inspect_requested.connect(self.inspect_requested)

    # --- what the user does -------------------------------------------------------------------

    def take_source(self, path: Path) -> None:
        """Begin with these weights: a folder, a GGUF file, or a file of a folder of weights."""
        if self._job.is_running:
            return
        self.choosing.trouble.hide()
        self._show(self.choosing)
        self.draft.set_source(path.parent if path.suffix in _PARTS else path)
        self.choosing.focus_first()

    def _make(self) -> None:
        chosen, plan = self.draft.chosen, self.draft.plan
        if plan is not None and chosen and not self._job.is_running:
            self.choosing.trouble.hide()
            self._began = time.monotonic()
            self._job.start(self.draft.job_for(chosen), narrowed(plan, chosen))
            self._show(self.running)

    def _turn_pause(self) -> None:
        if self._job.run is not None:
            self._job.set_paused(not self._job.run.paused_by_user)

    def _choose_more(self) -> None:
        """The same weights again; what was just made exists now, and the plan says so."""
        self._show(self.choosing)
        self.draft.replan()

    def _show_tensors(self) -> None:
        if self.draft.plan is not None:
            files = [file for file in self.draft.plan.files if file.tensors]
            chosen = self.draft.chosen
            first = next((n for n, file in enumerate(files) if file.type in chosen[-1:]), 0)
            self.show_tensors(files, first)

    def _show_running_tensors(self, number: int) -> None:
        run = self._job.run
        if run is not None and run.plan is not None:
            self.show_tensors(list(run.plan.files), number)

    def show_tensors(self, files: list[PlannedFile], first: int) -> None:
        TensorDialog(self.window(), files, first).open()

    def _ask_where_matrix(self, path: str) -> None:
        ask_where_to_save(
            self,
            self.tr("Save the importance matrix"),
            Path(path).name,
            lambda to: self._job.save_matrix(Path(path), to),
        )

    # --- what the job says --------------------------------------------------------------------

    def _on_run(self, run: Run) -> None:
        self.running.show_run(run)
        paused = run.paused_by_user
        text = self.tr("Resume") if paused else self.tr("Pause")
        if text != self.pause_button.text():
            self.pause_button.setText(text)
            self.head.change_icon(self.pause_button, "chevron-right" if paused else "pause")
        for widget in (self.pause_button, self.cancel_button):
            widget.setDisabled(run.is_cancelling)

    def _on_finished(self, run: Run) -> None:
        self.results.show_run(run, time.monotonic() - self._began)
        self._show(self.results)

    def _on_cancelled(self) -> None:
        self._show(self.choosing)

    def _on_failed(self, error: AppError) -> None:
        self._show(self.choosing)
        self._show_trouble(error)

    def _on_plan_failed(self, error: AppError) -> None:
        self._show_trouble(error)

    def _show_trouble(self, error: AppError) -> None:
        self.choosing.trouble.show_error(error)
        self.choosing.scroll.verticalScrollBar().setValue(0)

    # --- what is shown ------------------------------------------------------------------------

    def _show(self, view: QWidget) -> None:
        focused = QApplication.focusWidget()
        has_focus = focused is not None and self.isAncestorOf(focused)
        self._stack.setCurrentWidget(view)
        running, results = view is self.running, view is self.results
        self.explain_button.setVisible(not running and not results)
        self.explain.setVisible(self.explain_button.isChecked() and view is self.choosing)
        self.pause_button.setVisible(running)
        self.cancel_button.setVisible(running)
        self.more_button.setVisible(results)
        self._show_note()
        if has_focus:
            self._focus_view()

    def _focus_view(self) -> None:
        """What had the focus is gone: the next step takes it."""
        first = {
            self.choosing: self.choosing.focus_first,
            self.running: self.pause_button.setFocus,
            self.results: self.results.focus_first,
        }
        first[self.view]()

    @property
    def view(self) -> QWidget:
        return self._stack.currentWidget()

    def _show_note(self) -> None:
        plan: Plan | None = self.draft.plan
        if plan is None or self.view is self.choosing:
            self.head.note.setText("")
            return
        parts = (plan.name, plan.source_type, words.size(plan.source_bytes))
        self.head.note.setText(", ".join(part for part in parts if part))

    # --- dropping -----------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _local_path(event) is not None and not self._job.is_running:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.choosing.empty.show_dropping(True)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.choosing.empty.show_dropping(False)

    def dropEvent(self, event: QDropEvent) -> None:
        self.choosing.empty.show_dropping(False)
        path = _local_path(event)
        if path is not None:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.take_source(path)


def _local_path(event: QDropEvent) -> Path | None:
    """The one file or folder that is dragged."""
    urls = event.mimeData().urls()
    return Path(urls[0].toLocalFile()) if len(urls) == 1 and urls[0].isLocalFile() else None
