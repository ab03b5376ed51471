"""A run as it goes: how long still, each file's bar, and where the bits go."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.jobs.quantizerun import Run
from app.ui import words
from app.ui.bars import SegmentBar
from app.ui.controls import ElidedLabel, Hairline, button, label, set_text
from app.ui.quantize.bits import WhereTheBitsGo
from app.ui.quantize.filerow import FileRow
from app.ui.quantize.notes import NoteLine
from app.ui.quantize.progress import Progress, progress_of
from app.ui.quantize.scrolled import Margin, Scrolled, empty
from app.ui.theme import CODE, font, px, theme


class Running(Scrolled):
    matrix_save_requested = Signal(str)  # the path of the matrix

    def __init__(self) -> None:
        super().__init__(Running.tr("Progress"))
        self._run: Run | None = None
        self.headline = label("", "title")
        self._sentence = label("", tone="secondary", wrap=True)
        self._percent = label("", strong=True)
        self.bar = SegmentBar(self.tr("Progress of all files"))
        self._tensor = ElidedLabel()
        self._count = label("", "small", "secondary")
        self._speed = label("", "small", "secondary")
        self.save_matrix = button(self.tr("Save a copy…"), small=True)
        self._rows = QVBoxLayout()
        self.matrix_row = FileRow(self.tr("Matrix"), is_code=False)
        self.file_rows: list[FileRow] = []
        self.bits = WhereTheBitsGo()
        self._lay_out()
        self.save_matrix.clicked.connect(self._ask_for_matrix)
        theme().changed.connect(self._place)
        self._place()

    def _lay_out(self) -> None:
        top, below = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.headline)
        top.addWidget(self._sentence, 1)
        top.addWidget(self._percent)
        below.addWidget(self._tensor)
        below.addWidget(self._count)
        below.addStretch(1)
        below.addWidget(self._speed)
        self._top, self._below = top, below
        head = QWidget()
        self._head = QVBoxLayout(head)
        self._head.setContentsMargins(0, 0, 0, 0)
        self._head.addLayout(top)
        self._head.addWidget(self.bar)
        self._head.addLayout(below)
        self.matrix_row.add_button(self.save_matrix)
        self._rows.setSpacing(0)
        promise = self.tr(
            "A file appears under its name only when it is whole and checked. If you cancel, "
            "nothing is left behind."
        )
        self.column.addWidget(Margin(head, bottom_px=16))
        self.column.addWidget(Hairline())
        self.column.addWidget(self.matrix_row)
        self.column.addLayout(self._rows)
        self.column.addWidget(Margin(self.bits))
        self.column.addWidget(Margin(NoteLine("info", "textSecondary", promise), bottom_px=16))
        self.column.addStretch(1)

    def show_run(self, run: Run) -> None:
        if self._run is None or run.plan is not self._run.plan or run.job is not self._run.job:
            self._begin(run)
        self._run = run
        progress = progress_of(run)
        self._show_head(progress)
        self._show_matrix(run)
        for row, file in zip(self.file_rows, progress.files, strict=True):
            row.show_file(file)
        self.bits.show_done(progress.n_done)

    def _begin(self, run: Run) -> None:
        empty(self._rows)
        files = run.plan.files if run.plan else ()
        self.file_rows = [FileRow(file.type) for file in files]
        for row in self.file_rows:
            self._rows.addWidget(row)
        self.bits.show_files(files)
        self.bits.setVisible(bool(files))

    def _show_head(self, progress: Progress) -> None:
        set_text(self.headline, progress.headline)
        set_text(self._sentence, progress.sentence)
        share = round(progress.share * 100)
        set_text(self._percent, f"{share} %" if progress.share else "")
        text = self.tr("{n} %, {left}").format(n=share, left=progress.headline)
        self.bar.show_segments([(progress.share, progress.token)], 1.0, text)
        set_text(self._tensor, progress.doing)
        set_text(self._count, progress.count)
        set_text(self._speed, progress.speed)

    def _show_matrix(self, run: Run) -> None:
        done, going = run.matrix_done, run.matrix
        self.matrix_row.setVisible(run.job.imatrix == "auto")
        self.save_matrix.setVisible(done is not None)
        if done is not None:
            text = self.tr("Made from {n} tokens of text in several domains, in {time}")
            self.matrix_row.show_words(
                text.format(n=words.count(done.n_tokens), time=words.duration(done.seconds)),
                "fits",
            )
        elif going is not None and going.n_total:
            self.matrix_row.show_share(going.n_done / going.n_total, self._step(going.step))
        else:
            self.matrix_row.show_share(0.0, self.tr("waiting"))

    def _step(self, step: str) -> str:
        return self.tr("a working copy first") if step == "copy" else self.tr("reading the text")

    def _ask_for_matrix(self) -> None:
        if self._run is not None and self._run.matrix_done is not None:
            self.matrix_save_requested.emit(self._run.matrix_done.path)

    def _place(self) -> None:
        self._head.setSpacing(px(8))
        self._top.setSpacing(px(12))
        self._below.setSpacing(px(8))
        self.bar.setFixedHeight(px(8))
        code = font(CODE, 400)
        code.setPixelSize(px(12))
        self._tensor.setFont(code)
