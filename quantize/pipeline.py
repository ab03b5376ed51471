"""A whole job, from its source to finished files: plan, importance matrix, one pass.

Decides the order of things and what is left when one of them fails: nothing. Reading, deciding
types and encoding are others' work.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from quantize import imatrix_collect, onepass
from quantize.control import Control
from quantize.errors import OutputError
from quantize.gguf_writer import OutputFile
from quantize.imatrix import Imatrix, check_fits, read_imatrix
from quantize.job import (
    Event,
    FileDone,
    Finished,
    Job,
    MatrixJob,
    MatrixProgress,
    Plan,
    Progress,
    TensorDone,
)
from quantize.onepass import Target, choice_bytes
from quantize.origin import history
from quantize.plan import default_threads, make_plan, matrix_path, working_path, working_type
from quantize.recipe import Choice, choose_types, output_metadata
from quantize.sources import open_source
from quantize.types import FileType
from quantize.variants import parse_type

Emit = Callable[[Event], None]


def run(job: Job, emit: Emit, control: Control) -> None:
    """Do `job`; the last event is Finished. Raises QuantizeError, Cancelled."""
    with tempfile.TemporaryDirectory(prefix="nibble-", ignore_cleanup_errors=True) as temporary:
        work = _Work(job, emit, control, Path(temporary))
        plan = work.plan()
        emit(plan)
        if not job.dry_run:
            _refuse(plan)
            work.make_files()
    emit(Finished())


def make_matrix(job: MatrixJob, emit: Emit, control: Control) -> None:
    """Collect an importance matrix; the last event is Finished. Raises QuantizeError, Cancelled."""
    imatrix_collect.make_matrix(
        Path(job.model),
        Path(job.out),
        text_path=Path(job.text) if job.text else None,
        n_threads=job.n_threads or default_threads(),
        emit=emit,
        control=control,
    )
    emit(Finished())


def _refuse(plan: Plan) -> None:
    """Raises QuantizeError for what the plan found in the way."""
    for file in plan.files:
        if file.problem is not None:
            raise OutputError(Path(file.path), file.problem, file.hint)
    if plan.problems:
        raise OutputError(Path(plan.out_dir), plan.problems[0])


@dataclass(frozen=True)
class _Product:
    """A file of the pass, and what its FileDone says of it."""

    file_type: FileType
    target: Target

    @property
    def composition(self) -> Counter[str]:
        n_bytes: Counter[str] = Counter()
        for choice in self.target.choices:
            n_bytes[choice.type.name] += choice_bytes(choice)
        return n_bytes

    @property
    def bpw(self) -> float:
        n_elements = sum(choice.weight.n_elements for choice in self.target.choices)
        return self.composition.total() * 8 / n_elements


class _Work:
    """The state of one job while it runs."""

    def __init__(self, job: Job, emit: Emit, control: Control, temporary: Path) -> None:
        self._job = job
        self._emit = emit
        self._control = control
        self._temporary = temporary
        self._model = open_source(Path(job.source), temporary, lambda: control.cancelled)
        self._imatrix = self._given_matrix()
        self._n_threads = 0

    def plan(self) -> Plan:
        plan = make_plan(self._model, self._job, self._imatrix, self._temporary)
        self._paths = {parse_type(file.type): Path(file.path) for file in plan.files}
        self._n_threads = plan.n_threads
        return plan

    def make_files(self) -> None:
        types = tuple(self._paths)
        if self._job.imatrix == "auto":
            types = self._make_matrix()
        self._make(types)

    def _given_matrix(self) -> Imatrix | None:
        """The matrix the job names, or one that an earlier job made beside its files."""
        made = matrix_path(self._model, self._job)
        if self._job.imatrix == "auto" and made.exists():
            self._job = msgspec.structs.replace(self._job, imatrix=str(made))
        if self._job.imatrix in ("none", "auto"):
            return None
        imatrix = read_imatrix(Path(self._job.imatrix))
        check_fits(imatrix, self._model.weights)
        return imatrix

    def _make_matrix(self) -> tuple[FileType, ...]:
        """Collect the matrix from a working copy; returns the types that are still to be made.

        Where the working copy's type was asked for, it becomes that file: its bytes do not depend
        on a matrix.
        """
        kind = working_type(self._job)
        wanted = kind in self._paths
        path = self._paths[kind] if wanted else working_path(self._model, self._job)
        with self._writing((kind,), {kind: path}, "copy") as products:
            partial = products[0].target.output.partial_path
            self._imatrix = self._collect(partial)
            if wanted:
                self._finish(products[0])
        return tuple(t for t in self._paths if t is not kind)

    def _collect(self, copy: Path) -> Imatrix:
        out = matrix_path(self._model, self._job)
        imatrix = imatrix_collect.make_matrix(
            copy, out, n_threads=self._n_threads, emit=self._emit, control=self._control
        )
        check_fits(imatrix, self._model.weights)
        return imatrix

    def _make(self, types: tuple[FileType, ...]) -> None:
        if not types:
            return
        with self._writing(types, self._paths, "") as products:
            for product in products:
                self._finish(product)

    @contextmanager
    def _writing(
        self, types: tuple[FileType, ...], paths: dict[FileType, Path], step: str
    ) -> Iterator[list[_Product]]:
        """Files with all their bytes, not yet under their names; discarded if they stay so."""
        self._began = time.monotonic()
        products: list[_Product] = []
        try:
            for kind in types:
                products.append(self._begin(kind, paths[kind]))
            onepass.write_files(
                self._model.path,
                [product.target for product in products],
                self._imatrix,
                self._n_threads,
                self._control,
                self._copy_progress if step else self._emit,
            )
            self._control.check()
            yield products
        finally:
            for product in products:
                product.target.output.discard()

    def _copy_progress(self, event: Progress | TensorDone) -> None:
        self._emit(MatrixProgress("copy", event.read_bytes, event.total_bytes, event.eta_s))

    def _begin(self, kind: FileType, path: Path) -> _Product:
        choices = self._choices(kind)
        metadata = output_metadata(self._model, kind, self._job.recipe)
        metadata |= history(self._model.path, self._imatrix)
        return _Product(kind, Target(OutputFile(path), choices, metadata))

    def _choices(self, kind: FileType) -> tuple[Choice, ...]:
        has_imatrix = self._imatrix is not None
        return choose_types(self._model, kind, self._job.recipe, has_imatrix, self._temporary)

    def _finish(self, product: _Product) -> None:
        output = product.target.output
        output.finish()
        self._emit(
            FileDone(
                path=str(output.path),
                type=product.file_type.name,
                size_bytes=output.size_bytes,
                bpw=product.bpw,
                sha256=output.sha256,
                seconds=time.monotonic() - self._began,
                composition=dict(product.composition),
            )
        )
