"""Cards that say what went wrong, what is safe and how to go on, beside the trouble's cause."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.jobs.engine import EngineState, Phase
from app.ui.controls import IconButton, IconLabel, Surface, button, label
from app.ui.theme import px
from app.ui.words import translate

_ICONS = {"tight": "tight", "doesNotFit": "does-not-fit"}
_N_DETAIL_LINES = 6
_MAX_CARDS = 3


class TroubleCard(Surface):
    """One trouble: a bold sentence, a hint, buttons that lead on, and the detail on request.

    `severity` is a colour token: "tight" where all goes on, "doesNotFit" where something does not.
    """

    dismissed = Signal()

    def __init__(self, severity: str = "tight", parent: QWidget | None = None) -> None:
        super().__init__("card", parent)
        self._icon = IconLabel(_ICONS[severity], severity, 20)
        self._text = label("", strong=True, wrap=True)
        self._hint = label("", "small", "secondary", wrap=True)
        self._detail_button = button(self.tr("Details"), "link")
        self._detail_button.setCheckable(True)
        self.detail_box = QPlainTextEdit()
        self._close = IconButton("close", self.tr("Dismiss"))
        self._close.hide()
        self._engine_error: AppError | None = None
        self._build()
        self._detail_button.toggled.connect(self._on_detail_toggled)
        self._close.clicked.connect(self._on_close)
        self.hide()

    def _build(self) -> None:
        self.detail_box.setProperty("kind", "field")
        self.detail_box.setReadOnly(True)
        self.detail_box.setTabChangesFocus(True)
        self.detail_box.setAccessibleName(self.tr("Details"))
        self.detail_box.hide()
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._text)
        words.addWidget(self._hint)
        words.addWidget(self._detail_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._row = QHBoxLayout()
        self._row.setSpacing(px(12))
        self._row.addWidget(self._icon)
        self._row.addLayout(words, 1)
        self._row.addWidget(self._close)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(12), px(10), px(12), px(10))
        column.addLayout(self._row)
        column.addWidget(self.detail_box)

    @property
    def text(self) -> str:
        return self._text.text()

    @property
    def hint(self) -> str:
        return self._hint.text()

    def add_button(self, text: str, on_click: Callable[[], None], kind: str = "") -> QPushButton:
        """A way on. The main one is "primary" and comes last."""
        result = button(text, kind)
        result.clicked.connect(lambda: on_click())
        self._row.insertWidget(self._row.count() - 1, result)
        return result

    def make_dismissable(self) -> None:
        self._close.show()

    def show_error(self, error: AppError) -> None:
        hint = translate(error.hint) if error.hint else ""
        self.show_words(translate(error.text), hint, error.detail)

    def follow(self, state: EngineState) -> None:
        """Show the engine's error while it is in force; what else is shown stays."""
        error = state.error if state.phase is Phase.FAILED else None
        if error is self._engine_error:
            return
        self._engine_error = error
        if error is not None:
            self.show_error(error)
        else:
            self.hide()

    def show_words(self, text: str, hint: str = "", detail: str = "") -> None:
        self._text.setText(text)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._detail_button.setChecked(False)
        self._detail_button.setVisible(bool(detail))
        self.detail_box.setPlainText(detail)
        self.setAccessibleName(text)
        self.setAccessibleDescription(hint)
        self.show()

    def _on_detail_toggled(self, shown: bool) -> None:
        height = self.detail_box.fontMetrics().lineSpacing() * _N_DETAIL_LINES
        self.detail_box.setFixedHeight(height)
        self.detail_box.setVisible(shown)

    def _on_close(self) -> None:
        self.hide()
        self.dismissed.emit()


class TroubleStack(QWidget):
    """The troubles that concern the whole window, the latest below; each can be dismissed."""

    def __init__(self) -> None:
        super().__init__()
        self._cards: list[TroubleCard] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(px(16), px(8), px(16), px(8))
        self._column.setSpacing(px(8))
        self.hide()

    @property
    def texts(self) -> list[str]:
        return [card.text for card in self._cards]

    def add(self, error: AppError) -> TroubleCard | None:
        """Show `error`, once, however often it comes; the card, where it is a new one."""
        if translate(error.text) in self.texts:
            return None
        while len(self._cards) >= _MAX_CARDS:
            self._remove(self._cards[0])
        card = TroubleCard()
        card.make_dismissable()
        card.dismissed.connect(lambda: self._remove(card))
        self._cards.append(card)
        self._column.addWidget(card)
        card.show_error(error)
        self.show()
        return card

    def withdraw(self, card: TroubleCard) -> None:
        """Its trouble is over."""
        if card in self._cards:
            self._remove(card)

    def _remove(self, card: TroubleCard) -> None:
        self._cards.remove(card)
        self._column.removeWidget(card)
        card.deleteLater()
        self.setVisible(bool(self._cards))
