"""Between the window and the quantizer: the page, the chat that comes first, and closing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from app import paths
from app.core import settings as s
from app.core.hardware import Hardware
from app.jobs.engine import EngineJob, EngineState
from app.jobs.quantize import QuantizeJob
from app.jobs.quantizelink import ClientFactory
from app.jobs.quantizerun import Run
from app.quantizer import QuantizerClient
from app.ui import words
from app.ui.prefs import Prefs
from app.ui.quantize.inspect import InspectDialog
from app.ui.quantize.page import QuantizePage
from app.ui.questions import ask_to_stop_quantizing


class Quantizing(QObject):
    """Made when the page, or a look into a file, is first asked for."""

    status_changed = Signal(str)  # what the status line says of it, "" for nothing
    files_made = Signal()

    def __init__(
        self,
        window: QWidget,
        engine: EngineJob,
        prefs: Prefs,
        make_client: ClientFactory = QuantizerClient,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._n_cores = 0
        self._may_close = False
        self.job = QuantizeJob(make_client, self)
        self.page = QuantizePage(self.job, paths.models_dir(), prefs.get(s.N_CTX))
        self.job.measured.connect(self._on_measured)
        self.job.run_changed.connect(self._on_run)
        self.job.running_changed.connect(self._on_running)
        engine.state_changed.connect(self._on_engine)
        self._on_engine(engine.state)

    def inspect(self, path: Path) -> InspectDialog:
        """Open a window on the model file at `path`; it may be closed before it is filled."""
        dialog = InspectDialog(self._window, path)
        self.job.inspect(
            path,
            lambda facts: isValid(dialog) and dialog.show_facts(facts),
            lambda error: isValid(dialog) and dialog.show_error(error),
        )
        dialog.open()
        return dialog

    # --- closing ------------------------------------------------------------------------------

    def may_close(self, close: Callable[[], object]) -> bool:
        """Whether nothing is lost by closing; else it is asked, and `close` called on yes."""
        if self._may_close or not self.job.is_running:
            return True
        ask_to_stop_quantizing(self._window, lambda: self._leave(close))
        return False

    def let_close(self) -> None:
        """From now on nothing is asked."""
        self._may_close = True

    def _leave(self, close: Callable[[], object]) -> None:
        self.let_close()
        close()

    def close(self) -> None:
        """Cancel what runs; returns when nothing is left of it."""
        self.job.close()

    # --- what happens -------------------------------------------------------------------------

    def _on_engine(self, state: EngineState) -> None:
        self.job.set_chat_busy(state.is_busy)

    def _on_measured(self, found: Hardware) -> None:
        self._n_cores = found.cpu.n_cores
        if self.job.run is not None:
            self._on_run(self.job.run)

    def _on_running(self, running: bool) -> None:
        if not running:
            self.status_changed.emit("")
            self.files_made.emit()

    def _on_run(self, run: Run) -> None:
        self.status_changed.emit(self._status(run))

    def _status(self, run: Run) -> str:
        if run.is_paused:
            return self.tr("Quantizing is paused")
        n = run.plan.n_threads if run.plan else 0
        if not n or not self._n_cores:
            return self.tr("Quantizing, low priority")
        return self.tr("Quantizing, {n} of {total} cores, low priority").format(
            n=words.count(n), total=words.count(self._n_cores)
        )
