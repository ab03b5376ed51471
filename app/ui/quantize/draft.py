"""What the user has chosen so far, and the plan that belongs to it. No widgets."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.core.fit import Fit, MemoryPlan
from app.core.fit.planned import plan_files, suggest
from app.jobs.quantize import QuantizeJob
from app.ui.quantize.ladder import LADDER
from quantize.job import Job, Plan, PlannedFile, Recipe

AUTO, NONE = "auto", "none"


class Draft(QObject):
    """Asks the job for a plan whenever a choice changes it. Ticks outlive plans and failures."""

    changed = Signal()  # what is chosen, planned or ticked

    def __init__(self, job: QuantizeJob, out_dir: Path, n_ctx: int) -> None:
        super().__init__()
        self._job = job
        self._n_ctx = n_ctx
        self._plans: dict[str, MemoryPlan] = {}  # by type
        self._ticked: set[str] | None = None  # None: as recommended
        self.source: Path | None = None
        self.out_dir = self.usual_dir = out_dir
        self.imatrix = NONE
        self.types: tuple[str, ...] = LADDER
        self.plan: Plan | None = None
        self.is_planning = False
        job.planned.connect(self._on_planned)
        job.plan_failed.connect(self._on_failed)

    # --- choosing -----------------------------------------------------------------------------

    def set_source(self, source: Path) -> None:
        self.source, self.plan, self._ticked = source, None, None
        self.replan()

    def set_out_dir(self, folder: Path) -> None:
        self.out_dir = folder
        self.replan()

    def set_imatrix(self, imatrix: str) -> None:
        """ "none", "auto", or a file."""
        self.imatrix = imatrix
        self.replan()

    def show_types(self, types: tuple[str, ...]) -> None:
        self.types = types
        self.replan()

    def set_ticked(self, type_name: str, ticked: bool) -> None:
        chosen = self.ticked
        self._ticked = chosen | {type_name} if ticked else chosen - {type_name}
        self.changed.emit()

    def clear(self) -> None:
        """Back to no source; the other choices stay."""
        self._job.cancel_plan()
        self.source, self.plan, self._ticked, self.is_planning = None, None, None, False
        self.changed.emit()

    def replan(self) -> None:
        if self.source is None:
            self.changed.emit()
            return
        self.is_planning = True
        self._job.plan(self.job_for(self.types))
        self.changed.emit()

    def cancel_plan(self) -> None:
        """Back to the plan there was; without one there is nothing to show of the source."""
        if self.plan is None:
            self.clear()
            return
        self._job.cancel_plan()
        self.is_planning = False
        self.types = tuple(file.type for file in self.plan.files)
        self.imatrix, self.out_dir = self.plan.imatrix, Path(self.plan.out_dir)
        self.changed.emit()

    # --- what it comes to ---------------------------------------------------------------------

    @property
    def ticked(self) -> set[str]:
        return set(self.recommended) if self._ticked is None else self._ticked

    @property
    def chosen(self) -> tuple[str, ...]:
        """The types to make: ticked, planned and without a problem; in the plan's order."""
        files = self.plan.files if self.plan else ()
        return tuple(f.type for f in files if f.type in self.ticked and self.can_make(f))

    @property
    def recommended(self) -> tuple[str, ...]:
        files = (
            [f for f in self.plan.files if f.type in LADDER and self.can_make(f)]
            if self.plan
            else []
        )
        files.sort(key=lambda file: -file.size_bytes)
        return suggest({file.type: self.fit_of(file) for file in files})

    def job_for(self, types: tuple[str, ...]) -> Job:
        """Of a quantized source the page says what it costs; so it may be taken."""
        return Job(
            source=str(self.source),
            types=types,
            out_dir=str(self.out_dir),
            imatrix=self.imatrix,
            recipe=Recipe(allow_requantize=True),
        )

    def can_make(self, file: PlannedFile) -> bool:
        return file.problem is None and not self.exceeds_disk(file)

    def exceeds_disk(self, file: PlannedFile) -> bool:
        return self.plan is not None and file.size_bytes > self.plan.disk_free_bytes

    def need_of(self, file: PlannedFile) -> MemoryPlan:
        return self._plans[file.type]

    def fit_of(self, file: PlannedFile) -> Fit:
        return self.need_of(file).fit

    # --- what the job says --------------------------------------------------------------------

    def _on_planned(self, plan: Plan) -> None:
        self.plan, self.is_planning = plan, False
        self._plans = plan_files(plan, self._n_ctx)
        self.changed.emit()

    def _on_failed(self, _error: object) -> None:
        self.plan, self.is_planning = None, False
        self.changed.emit()
