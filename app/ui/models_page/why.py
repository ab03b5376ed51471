"""Why a variant does not fit, and what would make it fit."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from app.core.errors import Message
from app.ui import words
from app.ui.controls import IconButton, IconLabel, Surface, button, label
from app.ui.models_page.variantrows import VariantRow
from app.ui.quantize.scrolled import empty
from app.ui.theme import px, theme


class WhyCard(Surface):
    """Hidden until a row is asked about."""

    download_requested = Signal(object)  # VariantRow, all the same
    take_requested = Signal()  # the recommended one instead

    def __init__(self) -> None:
        super().__init__("card")
        self._row: VariantRow | None = None
        self.title = label("", strong=True, wrap=True)
        self._lines = QVBoxLayout()
        self.take_button = button(self.tr("Take it"), "primary")
        self.anyway_link = button(self.tr("Download it all the same"), "link")
        self._close = IconButton("close", self.tr("Close"))
        self._lay_out()
        self.take_button.clicked.connect(self.take_requested)
        self.anyway_link.clicked.connect(lambda: self.download_requested.emit(self._row))
        self._close.clicked.connect(self.hide)
        theme().changed.connect(self._place)
        self._place()
        self.hide()

    def _lay_out(self) -> None:
        texts = QVBoxLayout()
        texts.addWidget(self.title)
        texts.addLayout(self._lines)
        texts.addWidget(self.anyway_link, 0, Qt.AlignmentFlag.AlignLeft)
        self._texts = texts
        self._row_layout = QHBoxLayout(self)
        self._row_layout.addWidget(
            IconLabel("does-not-fit", "doesNotFit", 20), 0, Qt.AlignmentFlag.AlignTop
        )
        self._row_layout.addLayout(texts, 1)
        self._row_layout.addWidget(self.take_button, 0, Qt.AlignmentFlag.AlignVCenter)
        self._row_layout.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)

    @property
    def row(self) -> VariantRow | None:
        return self._row if not self.isHidden() else None

    @property
    def texts(self) -> list[str]:
        items = (self._lines.itemAt(n).widget() for n in range(self._lines.count()))
        return [self.title.text(), *(item.text() for item in items)]

    def explain(self, row: VariantRow, advice: tuple[Message, ...], instead: str) -> None:
        """`instead`: the variant that does fit, "" for none."""
        plan = row.plan
        if plan is None:
            return
        self._row = row
        self.title.setText(
            self.tr("{variant} needs {need}; you have {free} free.").format(
                variant=row.variant,
                need=words.size(plan.total_bytes, 1),
                free=words.size(plan.free_bytes, 1),
            )
        )
        empty(self._lines)
        for message in advice:
            self._lines.addWidget(label(words.translate(message), "small", "secondary", wrap=True))
        self.take_button.setVisible(bool(instead))
        self.take_button.setText(self.tr("Take {variant}").format(variant=instead))
        self.setAccessibleName(self.title.text())
        self.setAccessibleDescription(" ".join(words.translate(each) for each in advice))
        self.show()

    def _place(self) -> None:
        self._row_layout.setContentsMargins(px(12), px(10), px(12), px(10))
        self._row_layout.setSpacing(px(12))
        self._texts.setSpacing(px(2))
        self._lines.setSpacing(px(2))
