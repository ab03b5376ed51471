"""What came of a download: a sentence, the way on, and the detail where it is asked for."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.ui.controls import button, label, set_text
from app.ui.theme import px, theme

_N_DETAIL_LINES = 3


class Outcome(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self._text = label("", tone="secondary", wrap=True)
        self._hint = label("", "small", "secondary", wrap=True)
        self._more = button(self.tr("Details"), "link")
        self._more.setCheckable(True)
        self.detail = QPlainTextEdit()
        self.detail.setProperty("kind", "field")
        self.detail.setReadOnly(True)
        self.detail.setTabChangesFocus(True)
        self.detail.setAccessibleName(self.tr("Details"))
        self._more.toggled.connect(self.detail.setVisible)
        self._line = QHBoxLayout()
        self._line.addWidget(self._hint, 1)
        self._line.addWidget(self._more, 0, Qt.AlignmentFlag.AlignTop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._text)
        column.addLayout(self._line)
        column.addWidget(self.detail)
        theme().changed.connect(self._place)
        self._place()

    @property
    def text(self) -> str:
        return self._text.text()

    @property
    def hint(self) -> str:
        return self._hint.text()

    def show_words(self, text: str, hint: str, detail: str, *, is_trouble: bool) -> None:
        set_text(self._text, text)
        set_text(self._hint, hint)
        self._text.setProperty("tone", "" if is_trouble else "secondary")
        self._text.style().unpolish(self._text)
        self._text.style().polish(self._text)
        self._hint.setVisible(bool(hint))
        self._more.setChecked(False)
        self._more.setVisible(bool(detail))
        self.detail.setPlainText(detail)
        self.detail.hide()

    def _place(self) -> None:
        self._line.setSpacing(px(12))
        self.detail.setFixedHeight(self.detail.fontMetrics().lineSpacing() * _N_DETAIL_LINES)
