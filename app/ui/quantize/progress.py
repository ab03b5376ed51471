"""What a run's figures say, in words: pure functions, no widgets."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from app.jobs.quantizerun import Run
from app.ui import words
from quantize.job import FileDone, PlannedFile

translate = QCoreApplication.translate


@dataclass(frozen=True, slots=True)
class FileProgress:
    """`written_bytes` of `file`, whose end came with `done`."""

    file: PlannedFile
    written_bytes: int
    done: FileDone | None

    @property
    def share(self) -> float:
        return 1.0 if self.done else self.written_bytes / max(1, self.file.size_bytes)


@dataclass(frozen=True, slots=True)
class Progress:
    headline: str
    sentence: str
    share: float
    token: str
    doing: str
    count: str
    speed: str
    n_done: int
    files: tuple[FileProgress, ...]


def progress_of(run: Run) -> Progress:
    n_done = run.tensor.index + 1 if run.tensor else 0
    making_matrix = run.matrix is not None
    latest = run.latest
    return Progress(
        headline=_headline(run),
        sentence=_sentence(run),
        share=_share(run),
        token="memoryWork" if run.is_paused else "memoryModel",
        doing=latest.name if latest and not making_matrix else "",
        count=_count(run, n_done),
        speed=_speed(run),
        n_done=n_done,
        files=_files(run, n_done),
    )


def _count(run: Run, n_done: int) -> str:
    """What is counted at the moment."""
    if run.matrix is not None and run.matrix.step == "copy":
        return translate(
            "QuantizeProgress", "First a working copy, from which the importance matrix is made"
        )
    if run.matrix is not None:
        return translate(
            "QuantizeProgress", "Importance matrix, part {n} of {total} of the text"
        ).format(n=words.count(run.matrix.n_done), total=words.count(run.matrix.n_total))
    if run.tensor is None:
        return ""
    return translate("QuantizeProgress", "tensor {n} of {total}").format(
        n=words.count(n_done), total=words.count(run.tensor.n_tensors)
    )


def _headline(run: Run) -> str:
    if run.is_cancelling:
        return translate("QuantizeProgress", "Cancelling…")
    if run.paused_by_user:
        return translate("QuantizeProgress", "Paused")
    if run.paused_by_chat:
        return translate("QuantizeProgress", "Paused while the chat answers")
    seconds = seconds_left(run)
    if seconds is None:
        return translate("QuantizeProgress", "Starting…")
    return (
        translate("QuantizeProgress", "{time} left").format(time=words.duration(seconds))
        if seconds >= 1
        else translate("QuantizeProgress", "Finishing…")
    )


def _sentence(run: Run) -> str:
    if run.is_cancelling:
        return translate("QuantizeProgress", "Nothing half-written stays.")
    if run.paused_by_user:
        return translate("QuantizeProgress", "What is done is kept. Resume whenever you like.")
    if run.paused_by_chat:
        return translate("QuantizeProgress", "It goes on by itself.")
    n = len(run.plan.files) if run.plan else len(run.job.types)
    text = translate(
        "QuantizeProgress",
        "Each tensor is read once and goes into all {n} files. You can go on chatting.",
    )
    if n == 1:
        text = translate(
            "QuantizeProgress",
            "Each tensor is read, made smaller and written. You can go on chatting.",
        )
    return text.format(n=words.count(n))


def seconds_left(run: Run) -> float | None:
    """None until something is known. While the matrix is made, the files come after it."""
    if run.matrix is not None:
        files = sum(file.seconds for file in run.plan.files) if run.plan else 0.0
        return run.matrix.eta_s + files
    if run.latest is not None:
        return run.latest.eta_s
    return run.plan.seconds if run.plan is not None and run.plan.seconds > 0 else None


def _share(run: Run) -> float:
    """Of the predicted time where a matrix comes first, else of what was read."""
    latest = run.latest
    read = latest.read_bytes / latest.total_bytes if latest and latest.total_bytes else 0.0
    plan = run.plan
    if plan is None or plan.imatrix_seconds <= 0:
        return read
    part = plan.imatrix_seconds / max(plan.imatrix_seconds, _whole_seconds(plan.seconds, run))
    if run.matrix is not None:
        made = run.matrix.n_done / max(1, run.matrix.n_total)
        return part * made
    return part + (1 - part) * read if run.matrix_done else 0.0


def _whole_seconds(planned: float, run: Run) -> float:
    assert run.plan is not None
    return max(planned, run.plan.imatrix_seconds + sum(f.seconds for f in run.plan.files))


def _speed(run: Run) -> str:
    if run.latest is None or run.matrix is not None or run.is_paused:
        return ""
    return translate("QuantizeProgress", "{n} MB/s read").format(
        n=words.decimal(run.latest.mb_per_s, 0)
    )


def _files(run: Run, n_done: int) -> tuple[FileProgress, ...]:
    """A file that was finished before the pass (the matrix's working copy) is not part of it."""
    done = {file.type: file for file in run.done}
    return tuple(
        FileProgress(
            file,
            sum(tensor.size_bytes for tensor in file.tensors[:n_done]),
            done.get(file.type),
        )
        for file in (run.plan.files if run.plan else ())
    )
