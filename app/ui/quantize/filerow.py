"""One row of a run: what is made, its bar, how much of it there is."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.ui import words
from app.ui.bars import SegmentBar
from app.ui.controls import ElidedLabel, Hairline, IconLabel, label, set_text
from app.ui.quantize.progress import FileProgress
from app.ui.theme import CODE, font, px, theme

_NARROW_PX = 760


class FileRow(QWidget):
    """An icon, a name, a bar or words, figures at the right."""

    def __init__(self, name: str, *, is_code: bool = True) -> None:
        super().__init__()
        self._is_code = is_code
        self._icon = IconLabel("quantize", "accentText", 18)
        self._name = label(name, strong=True)
        self.bar = SegmentBar(self.tr("Progress of {name}").format(name=name))
        self._words = ElidedLabel()
        self._words.setProperty("tone", "secondary")
        self._size = label("")
        self._bits = label("", tone="secondary")
        self._middle = QStackedWidget()
        self._lay_out()
        theme().changed.connect(self._place)
        self._place()

    def _lay_out(self) -> None:
        holder = QWidget()
        within = QVBoxLayout(holder)
        within.setContentsMargins(0, 0, 0, 0)
        within.addWidget(self.bar, 0, Qt.AlignmentFlag.AlignVCenter)
        self._middle.addWidget(holder)
        self._middle.addWidget(self._words)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        for figure in (self._size, self._bits):
            figure.setAlignment(right)
        self._row = QHBoxLayout()
        for widget in (self._icon, self._name):
            self._row.addWidget(widget)
        self._row.addWidget(self._middle, 1)
        self._row.addWidget(self._size)
        self._row.addWidget(self._bits)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._row, 1)
        column.addWidget(Hairline())

    @property
    def texts(self) -> tuple[str, str]:
        return self._size.text(), self._bits.text()

    def add_button(self, button: QPushButton) -> None:
        self._row.addWidget(button)

    def show_file(self, progress: FileProgress) -> None:
        file, done = progress.file, progress.done
        icon, token = ("fits", "fits") if done else ("quantize", "accentText")
        self._icon.show_icon(icon, token)
        size = done.size_bytes if done else file.size_bytes
        text = (
            words.size(size)
            if done
            else self.tr("{part} of {size}").format(
                part=words.part_of(progress.written_bytes, size), size=words.size(size)
            )
        )
        set_text(self._size, text)
        bits = self.tr("{n} bits per weight").format(n=words.decimal(file.bpw, 2))
        set_text(self._bits, bits)
        self._show_bar(progress.share, text)

    def show_share(self, share: float, text: str) -> None:
        """A bar with words at the right."""
        self._icon.show_icon("quantize", "accentText")
        set_text(self._size, text)
        self._bits.hide()
        self._show_bar(share, text)

    def show_words(self, text: str, state: str = "") -> None:
        """No bar any more: what came of it."""
        self._icon.show_icon("fits" if state else "info", state or "textSecondary")
        set_text(self._words, text)
        set_text(self._size, "")
        self._middle.setCurrentIndex(1)

    def _show_bar(self, share: float, text: str) -> None:
        self._middle.setCurrentIndex(0)
        self.bar.show_segments([(share, "memoryModel")], 1.0, text)

    def _place(self) -> None:
        self.setFixedHeight(px(44))
        self._row.setContentsMargins(px(24), 0, px(24), 0)
        self._row.setSpacing(px(16))
        self.bar.setFixedHeight(px(6))
        self._name.setFixedWidth(px(80))
        if self._is_code:
            self._name.setFont(font(CODE, 600))
        self._arrange()

    def _arrange(self) -> None:
        narrow = self.width() < px(_NARROW_PX)
        self._bits.setVisible(not narrow and bool(self._bits.text()))
        self._bits.setFixedWidth(px(150))

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self._arrange()
