"""What a model file holds: what it is made of, its metadata, its tensors, its chat template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.core.errors import AppError
from app.ui import style, words
from app.ui.controls import ElidedLabel, button, label
from app.ui.quantize.flow import Flow
from app.ui.quantize.swatches import TypeBar, type_legend
from app.ui.quantize.tensors import FilteredTable, TensorRow
from app.ui.segmented import Segmented
from app.ui.theme import CODE, font, px
from app.ui.trouble import TroubleCard
from quantize.inspect import Inspection


class InspectDialog(QDialog):
    """Opens at once and is filled when the file has been read."""

    def __init__(self, parent: QWidget, path: Path) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Inspect {name}").format(name=path.name))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.name = label(path.stem, "title")
        self.facts = label(self.tr("Reading…"), tone="secondary", wrap=True)
        self._path = ElidedLabel(str(path), Qt.TextElideMode.ElideMiddle)
        self._path.setProperty("step", "small")
        self._path.setProperty("tone", "secondary")
        self.trouble = TroubleCard("doesNotFit")
        self.bar = TypeBar(self.tr("Bytes by type"))
        self._legend = Flow()
        self.choice = Segmented(self.tr("What to look at"))
        self._stack = QStackedWidget()
        names = (self.tr("Metadata"), self.tr("Tensors"), self.tr("Chat template"))
        self.metadata = FilteredTable(names[0], (self.tr("Key"), self.tr("Value")))
        self.tensors = FilteredTable(names[1], self._tensor_headings())
        self.template = _code_view(names[2])
        self.choice.show_choices(names)
        self.choice.chosen.connect(self._stack.setCurrentIndex)
        self._lay_out()
        self._show_parts(False)
        self.setStyleSheet(style.sheet())
        self.resize(px(880), px(620))

    def _tensor_headings(self) -> Sequence[str]:
        return (self.tr("Name"), self.tr("Shape"), self.tr("Type"), self.tr("Size"))

    def _lay_out(self) -> None:
        close = button(self.tr("Close"))
        close.clicked.connect(self.accept)
        for view in (self.metadata, self.tensors, self.template):
            self._stack.addWidget(view)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(24), px(20), px(24), px(16))
        column.setSpacing(px(10))
        head = QVBoxLayout()
        head.setSpacing(px(2))
        for widget in (self.name, self.facts, self._path):
            head.addWidget(widget)
        column.addLayout(head)
        for widget in (self.trouble, self.bar, self._legend):
            column.addWidget(widget)
        row = QHBoxLayout()
        row.addWidget(self.choice)
        row.addStretch(1)
        column.addLayout(row)
        column.addWidget(self._stack, 1)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)

    def _show_parts(self, shown: bool) -> None:
        for widget in (self.bar, self._legend, self.choice, self._stack):
            widget.setVisible(shown)

    def show_facts(self, facts: Inspection) -> None:
        self.name.setText(f"{facts.name} {facts.variant}".strip())
        self.facts.setText(self._facts_words(facts))
        self.bar.show_types(facts.composition)
        type_legend(self._legend, facts.composition)
        self.metadata.show_rows(tuple(TensorRow(pair, pair) for pair in facts.metadata if pair[1]))
        self.tensors.show_rows(_tensor_rows(facts))
        nothing = self.tr("This file has no chat template.")
        self.template.setPlainText(facts.chat_template or nothing)
        self._show_parts(True)
        self.metadata.search.setFocus()

    def show_error(self, error: AppError) -> None:
        self.facts.hide()
        self.trouble.show_error(error)

    def _facts_words(self, facts: Inspection) -> str:
        parts = (
            facts.architecture,
            self._params_words(facts.n_params),
            words.size(facts.size_bytes),
            self.tr("{n} bits per weight").format(n=words.decimal(facts.bpw, 2)),
            self.tr("context up to {n} tokens").format(n=words.count(facts.n_ctx_train)),
        )
        return ", ".join(part for part in parts if part)

    def _params_words(self, n_params: int) -> str:
        if n_params >= 1e9:
            n = words.decimal(n_params / 1e9, 2)
            return self.tr("{n} billion parameters").format(n=n)
        return self.tr("{n} million parameters").format(n=words.decimal(n_params / 1e6, 0))


def _tensor_rows(facts: Inspection) -> tuple[TensorRow, ...]:
    rows = []
    for number, tensor in enumerate(facts.tensors):
        shape = " × ".join(str(length) for length in tensor.shape)
        cells = (tensor.name, shape, tensor.type.name, words.size(tensor.n_bytes))
        keys = (number, tensor.n_elements, tensor.type.name, tensor.n_bytes)
        rows.append(TensorRow(cells, keys))
    return tuple(rows)


def _code_view(name: str) -> QPlainTextEdit:
    view = QPlainTextEdit()
    view.setReadOnly(True)
    view.setTabChangesFocus(True)
    view.setAccessibleName(name)
    view.setProperty("kind", "field")
    view.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
    view.setFont(font(CODE))
    return view
