"""The head of the right side: the model's name, its licence, what it is, and what to do with it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.jobs.subjects import Origin, Subject, download_saved
from app.ui import words
from app.ui.controls import ElidedLabel, button, label, set_icon, set_text, tag
from app.ui.models_page import wording
from app.ui.theme import px, theme

_NAME_PX = 320  # of a name that is cut rather than given more room


class Head(QWidget):
    card_requested = Signal()
    quantize_requested = Signal()
    back_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.back_button = button(self.tr("All models"), small=True)
        self.name = ElidedLabel()
        self.name.setProperty("step", "title")
        self.name.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.license = tag("")
        self.facts = label("", "small", "secondary", wrap=True)
        self.card_button = button(self.tr("Model card"))
        self.quantize_button = button(self.tr("Quantize it yourself"))
        self._icons: tuple[tuple[QPushButton, str], ...] = (
            (self.back_button, "chevron-left"),
            (self.card_button, "file"),
            (self.quantize_button, "quantize"),
        )
        self._lay_out()
        self.back_button.hide()
        self.back_button.clicked.connect(self.back_requested)
        self.card_button.clicked.connect(self.card_requested)
        self.quantize_button.clicked.connect(self.quantize_requested)
        theme().changed.connect(self._place)
        self._place()

    def _lay_out(self) -> None:
        title = QHBoxLayout()
        title.addWidget(self.name)
        title.addWidget(self.license, 0, Qt.AlignmentFlag.AlignVCenter)
        title.addStretch(1)
        self._title = title
        buttons = QHBoxLayout()
        buttons.addWidget(self.card_button)
        buttons.addWidget(self.quantize_button)
        self._buttons = buttons
        self._top = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._top.addLayout(title, 1)
        self._top.addLayout(buttons)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._column.addLayout(self._top)
        self._column.addWidget(self.facts)

    def show_subject(self, subject: Subject) -> None:
        set_text(self.name, wording.one_line(subject.name))
        set_text(self.license, wording.one_line(subject.license)[:40])
        self.license.setVisible(bool(subject.license))
        self.license.setToolTip(self.tr("Licence"))
        set_text(self.facts, wording.facts(subject))
        self.card_button.setVisible(bool(subject.gguf_repo or subject.repo))
        self._show_quantize(subject)
        self._turn()
        self.setAccessibleName(subject.name[: wording.NAME_MAX])

    def _show_quantize(self, subject: Subject) -> None:
        is_possible = bool(subject.repo) or subject.origin is Origin.HUB
        if subject.origin is Origin.HERE:
            is_possible = source_offer(subject) is not None
        self.quantize_button.setVisible(is_possible)
        saved = download_saved(subject)
        tip = self.tr("Downloads the original weights, from which any variant can be made.")
        if saved:
            tip = self.tr("Quantize all of them here instead: about {size} download less.").format(
                size=words.size(saved, 1)
            )
        self.quantize_button.setToolTip("" if subject.origin is Origin.HERE else tip)

    def _place(self) -> None:
        for widget, name in self._icons:
            set_icon(widget, name)
        self._title.setSpacing(px(12))
        self._buttons.setSpacing(px(12))
        self._top.setSpacing(px(10))
        self._column.setSpacing(px(8))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._turn()

    def _turn(self) -> None:
        """Where name and buttons do not fit side by side, the buttons stand below."""
        shown = [
            w for w in (self.license, self.card_button, self.quantize_button) if not w.isHidden()
        ]
        name = min(self.name.sizeHint().width(), px(_NAME_PX))
        needed = name + sum(widget.sizeHint().width() + px(12) for widget in shown)
        stacked = self.width() < needed
        directions = QBoxLayout.Direction
        self._top.setDirection(directions.TopToBottom if stacked else directions.LeftToRight)
        self._buttons.setAlignment(
            Qt.AlignmentFlag.AlignLeft if stacked else Qt.AlignmentFlag.AlignRight
        )


def source_offer(subject: Subject) -> int | None:
    """The number of a file here that is worth quantizing further: one that lost nothing yet."""
    whole = ("BF16", "F16", "F32")
    return next((n for n, o in enumerate(subject.offers) if o.variant.upper() in whole), None)
