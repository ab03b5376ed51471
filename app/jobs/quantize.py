"""Planning and making quantized files for the window. Knows no widgets.

A plan is a dry run in a child and may be dropped for another at any time; a run goes on until its
files are whole, and makes way while the chat answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, QTimer, Signal

from app.core import hardware
from app.core.errors import QT_TRANSLATE_NOOP, AppError
from app.core.files import write_atomic
from app.jobs.lookinside import look_inside
from app.jobs.quantizelink import ClientFactory, QuantizeLink
from app.jobs.quantizerun import Run, changes_by, error_of
from app.jobs.tasks import OnFailed, TaskThread
from app.quantizer import Died, QuantizerClient
from quantize.inspect import Inspection
from quantize.job import (
    AnyEvent,
    Cancelled,
    Failed,
    Finished,
    Job,
    MatrixProgress,
    Plan,
    Progress,
    TensorDone,
)

PROGRESS_MS = 100


class QuantizeJob(QObject):
    """Signals come on the thread this object lives on."""

    planned = Signal(object)  # Plan
    plan_failed = Signal(object)  # AppError
    run_changed = Signal(object)  # Run
    run_finished = Signal(object)  # Run
    run_cancelled = Signal()
    run_failed = Signal(object)  # AppError
    running_changed = Signal(bool)
    measured = Signal(object)  # Hardware
    copied = Signal(object)  # Path of a plan or matrix that was saved
    copy_failed = Signal(object)  # AppError

    def __init__(
        self, make_client: ClientFactory = QuantizerClient, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.tasks = TaskThread("quantize", self)
        self._planner = QuantizeLink(self.tasks, make_client, self)
        self._runner = QuantizeLink(self.tasks, make_client, self)
        self._planner.said.connect(self._on_planner)
        self._runner.said.connect(self._on_runner)
        self._chat_is_busy = False
        self._is_closed = False
        self._plan: Plan | None = None
        self.run: Run | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PROGRESS_MS)
        self._timer.timeout.connect(self._publish)

    @property
    def is_planning(self) -> bool:
        return self._planner.is_busy

    @property
    def is_running(self) -> bool:
        return self.run is not None

    def close(self) -> None:
        """End all that runs; returns when the children are gone. Once is enough."""
        if self._is_closed:
            return
        self._is_closed = True
        self._timer.stop()
        self._planner.close()
        self._runner.close()
        self.tasks.close()

    # --- before -------------------------------------------------------------------------------

    def plan(self, job: Job) -> None:
        """Find out what `job` would take; an older plan that is not there yet is dropped."""
        self._plan = None
        self._planner.start(msgspec.structs.replace(job, dry_run=True))

    def cancel_plan(self) -> None:
        self._planner.drop()

    def measure(self, folder: Path) -> None:
        """Look at memory, cores, and the disk that holds `folder`."""
        self.tasks.submit(lambda: hardware.measure(folder), self.measured.emit)

    def save_plan(self, plan: Plan, path: Path) -> None:
        data = msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"
        self._write(path, lambda: data)

    def save_matrix(self, source: Path, path: Path) -> None:
        self._write(path, source.read_bytes)

    def inspect(
        self, path: Path, on_done: Callable[[Inspection], None], on_failed: OnFailed
    ) -> None:
        """Look into the model file at `path`."""
        self.tasks.submit(lambda: look_inside(path), on_done, on_failed)

    def _write(self, path: Path, read: Callable[[], bytes]) -> None:
        def copy() -> Path:
            try:
                write_atomic(path, read())
            except OSError as error:
                text = QT_TRANSLATE_NOOP("quantizejob", "{name} could not be saved.")
                hint = QT_TRANSLATE_NOOP("quantizejob", "Choose a folder that can be written.")
                raise AppError(text.fill(name=path.name), hint, str(error)) from error
            return path

        self.tasks.submit(copy, self.copied.emit, self.copy_failed.emit)

    # --- the run ------------------------------------------------------------------------------

    def start(self, job: Job, plan: Plan | None = None) -> None:
        """Make the files of `job`. `plan`: what is known of them until the child has its own."""
        self._planner.drop()
        self.run = Run(job, plan, paused_by_chat=self._chat_is_busy)
        self._runner.start(job)
        if self.run.is_paused:
            self._runner.set_paused(True)
        self.running_changed.emit(True)
        self._publish()

    def cancel(self) -> None:
        if self.run is not None and not self.run.is_cancelling:
            self._set(is_cancelling=True)
            self._runner.cancel()
            self._publish()

    def set_paused(self, paused: bool) -> None:
        """The user's wish."""
        self._pause(paused_by_user=paused)

    def set_chat_busy(self, busy: bool) -> None:
        """While the chat answers, the cores are its."""
        self._chat_is_busy = busy
        self._pause(paused_by_chat=busy)

    def _pause(self, **reason: bool) -> None:
        if self.run is None or self.run.is_cancelling:
            return
        was_paused = self.run.is_paused
        self._set(**reason)
        if self.run.is_paused != was_paused:
            self._runner.set_paused(self.run.is_paused)
        self._publish()

    def _set(self, **changes: object) -> None:
        assert self.run is not None
        self.run = replace(self.run, **changes)  # type: ignore[arg-type]

    def _publish_soon(self) -> None:
        """Progress is shown as often as an eye can follow it."""
        if not self._timer.isActive():
            self._timer.start()

    def _publish(self) -> None:
        self._timer.stop()
        if self.run is not None:
            self.run_changed.emit(self.run)

    # --- what the children say ----------------------------------------------------------------

    def _on_planner(self, event: AnyEvent | Died) -> None:
        if isinstance(event, Plan):
            self._plan = event
        elif isinstance(event, Finished) and self._plan is not None:
            self.planned.emit(self._plan)
        elif isinstance(event, (Failed, Died)):
            self.plan_failed.emit(error_of(event))

    def _on_runner(self, event: AnyEvent | Died) -> None:
        if self.run is None:
            return
        changes = changes_by(self.run, event)
        if changes:
            self._set(**changes)
            if isinstance(event, (TensorDone, Progress, MatrixProgress)):
                self._publish_soon()
            else:
                self._publish()
        elif isinstance(event, (Finished, Cancelled, Failed, Died)):
            self._end(self.run, event)

    def _end(self, run: Run, event: Finished | Cancelled | Failed | Died) -> None:
        self._publish()
        self.run = None
        self.running_changed.emit(False)
        if isinstance(event, Finished):
            self.run_finished.emit(run)
        elif isinstance(event, Cancelled):
            self.run_cancelled.emit()
        else:
            self.run_failed.emit(error_of(event))
