"""What came of a run: a card for each file, with what to do with it now."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.jobs.quantizerun import Run
from app.ui import words
from app.ui.controls import ElidedLabel, IconButton, IconLabel, Surface, button, label
from app.ui.quantize.flow import Flow
from app.ui.quantize.scrolled import Margin, Scrolled, empty
from app.ui.quantize.swatches import TypeBar, type_legend
from app.ui.theme import CODE, font, px, theme
from quantize.job import FileDone

_N_SHOWN = 12  # of a checksum's 64 letters


class ResultCard(Surface):
    """`compare_requested` is for the Lab."""

    chat_requested = Signal(object)  # Path
    compare_requested = Signal(object)  # Path
    inspect_requested = Signal(object)  # Path

    def __init__(self, done: FileDone, *, is_first: bool) -> None:
        super().__init__("card")
        self._is_first = is_first
        self.done = done
        self._path = Path(done.path)
        self._name = label(done.type, strong=True)
        self.bar = TypeBar(self.tr("Bytes by type of {name}").format(name=done.type))
        self._legend = Flow()
        self._column = QVBoxLayout(self)
        self._rows = [QHBoxLayout(), QHBoxLayout()]
        self._buttons = Flow(8)
        self._column.addLayout(self._rows[0])
        self._column.addWidget(self.bar)
        self._column.addWidget(self._legend)
        self._column.addLayout(self._rows[1])
        self._fill_head()
        self._fill_sum()
        self._add_buttons()
        self.bar.show_types(done.composition)
        type_legend(self._legend, done.composition)
        theme().changed.connect(self._place)
        self._place()

    def _fill_head(self) -> None:
        row, done = self._rows[0], self.done
        name = ElidedLabel(self._path.name, Qt.TextElideMode.ElideMiddle)
        name.setProperty("tone", "secondary")
        row.addWidget(IconLabel("fits", "fits", 18))
        row.addWidget(self._name)
        row.addWidget(name, 1)
        row.addWidget(label(words.size(done.size_bytes), strong=True))
        bits = self.tr("{n} bits per weight").format(n=words.decimal(done.bpw, 2))
        row.addWidget(label(bits, tone="secondary"))

    def _fill_sum(self) -> None:
        row, digest = self._rows[1], self.done.sha256
        shown = label(f"SHA-256 {digest[:_N_SHOWN]}…", "small", "secondary")
        shown.setToolTip(digest)
        shown.setAccessibleName(f"SHA-256 {digest}")
        self.copy_button = IconButton(
            "copy", self.tr("Copy the checksum of {name}").format(name=self.done.type)
        )
        self.copy_button.clicked.connect(self._copy)
        row.addWidget(self._buttons, 1)
        row.addWidget(shown)
        row.addWidget(self.copy_button)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.done.sha256)
        self.copy_button.rename(self.tr("Copied"))

    def _add_buttons(self) -> None:
        acts = (
            (
                self.tr("Chat with it"),
                "primary" if self._is_first else "",
                lambda: self.chat_requested.emit(self._path),
            ),
            (self.tr("Compare"), "", lambda: self.compare_requested.emit(self._path)),
            (self.tr("Show in folder"), "", self._show_folder),
            (self.tr("Inspect"), "", lambda: self.inspect_requested.emit(self._path)),
        )
        for text, kind, act in acts:
            result = button(text, kind, small=True)
            result.setAccessibleName(f"{text}: {self.done.type}")
            result.clicked.connect(lambda _=False, act=act: act())
            self._buttons.add(result)
        self.chat_button = self._buttons.items[0]

    def _show_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._path.parent)))

    def _place(self) -> None:
        self._column.setContentsMargins(px(16), px(14), px(16), px(14))
        self._column.setSpacing(px(10))
        for row in self._rows:
            row.setSpacing(px(8))
        self._rows[0].setSpacing(px(12))
        self._name.setFont(font(CODE, 600))


class Results(Scrolled):
    chat_requested = Signal(object)
    compare_requested = Signal(object)
    inspect_requested = Signal(object)

    def __init__(self) -> None:
        super().__init__(Results.tr("Results"))
        self.headline = label("", "title")
        self.note = label("", tone="secondary", wrap=True)
        self.cards: list[ResultCard] = []
        head = QWidget()
        texts = QVBoxLayout(head)
        texts.setContentsMargins(0, 0, 0, 0)
        texts.setSpacing(px(4))
        texts.addWidget(self.headline)
        texts.addWidget(self.note)
        self._cards = QVBoxLayout()
        self._cards.setSpacing(0)
        self.column.addWidget(Margin(head))
        self.column.addLayout(self._cards)
        self.column.addStretch(1)
        self.column.setContentsMargins(0, 0, 0, px(16))

    def show_run(self, run: Run, seconds: float) -> None:
        """`seconds` from the start to the end, as measured."""
        empty(self._cards)
        self.cards = [ResultCard(done, is_first=not n) for n, done in enumerate(run.done)]
        for card in self.cards:
            card.chat_requested.connect(self.chat_requested)
            card.compare_requested.connect(self.compare_requested)
            card.inspect_requested.connect(self.inspect_requested)
            self._cards.addWidget(Margin(card))
        n = len(run.done)
        text = self.tr("{n} files are ready") if n != 1 else self.tr("{n} file is ready")
        self.headline.setText(text.format(n=words.count(n)))
        self.note.setText(self._note(run, seconds))

    def _note(self, run: Run, seconds: float) -> str:
        folder = run.job.out_dir
        predicted = run.plan.seconds if run.plan else 0.0
        if predicted <= 0:
            return self.tr("Made in {time}, in {folder}.").format(
                time=words.duration(seconds), folder=folder
            )
        return self.tr("Made in {time} ({predicted} predicted), in {folder}.").format(
            time=words.duration(seconds), predicted=words.duration(predicted), folder=folder
        )

    def focus_first(self) -> None:
        if self.cards:
            self.cards[0].chat_button.setFocus()
