"""Every tensor of a planned or finished file in a table that can be searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.ui import style, words
from app.ui.controls import button, label
from app.ui.inputs import ComboBox
from app.ui.theme import CODE, font, px
from app.ui.words import translate
from quantize.job import PlannedFile

SortRole = Qt.ItemDataRole.UserRole + 1
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class TensorRow:
    """`cells` as they read; `keys` as they sort."""

    cells: tuple[str, ...]
    keys: tuple[str | int, ...]


def planned_rows(file: PlannedFile) -> tuple[TensorRow, ...]:
    rows = []
    for number, tensor in enumerate(file.tensors):
        reason = translate(tensor.reason) if tensor.reason else ""
        shape = " × ".join(str(length) for length in tensor.shape)
        size = words.size(tensor.size_bytes)
        n_weights = 1
        for length in tensor.shape:
            n_weights *= length
        cells = (tensor.name, shape, tensor.source_type, tensor.type, size, reason)
        keys = (number, n_weights, tensor.source_type, tensor.type, tensor.size_bytes, reason)
        rows.append(TensorRow(cells, keys))
    return tuple(rows)


class TensorModel(QAbstractTableModel):
    def __init__(self, headings: Sequence[str]) -> None:
        super().__init__()
        self._headings = headings
        self._rows: tuple[TensorRow, ...] = ()
        self._code = font(CODE)

    def show(self, rows: tuple[TensorRow, ...]) -> None:
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(self._headings)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = 0) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._headings[section]
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self._rows[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return row.cells[index.column()]
        if role == SortRole:
            return row.keys[index.column()]
        if role == Qt.ItemDataRole.FontRole and index.column() == 0:
            return self._code
        return None


class FilteredTable(QWidget):
    """A search field over a table whose columns sort."""

    def __init__(self, name: str, headings: Sequence[str]) -> None:
        super().__init__()
        self.model = TensorModel(headings)
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search"))
        self.search.setAccessibleName(self.tr("Search in {name}").format(name=name))
        self.search.setClearButtonEnabled(True)
        self._count = label("", "small", "secondary")
        self._proxy = QSortFilterProxyModel(self)
        self._proxy.setSourceModel(self.model)
        self._proxy.setFilterKeyColumn(-1)
        self._proxy.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self._proxy.setSortRole(SortRole)
        self.table = QTableView()
        self._build_table(name)
        self.top = QHBoxLayout()
        self.top.addWidget(self.search, 1)
        self.top.addWidget(self._count)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(px(8))
        column.addLayout(self.top)
        column.addWidget(self.table, 1)
        self.search.textChanged.connect(self._on_search)

    def _build_table(self, name: str) -> None:
        table = self.table
        table.setModel(self._proxy)
        table.setAccessibleName(name)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(px(28))
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        table.setSortingEnabled(True)
        table.sortByColumn(0, Qt.SortOrder.AscendingOrder)

    def show_rows(self, rows: tuple[TensorRow, ...]) -> None:
        self.model.show(rows)
        self.table.resizeColumnsToContents()
        for column in range(self.model.columnCount() - 1):
            width = min(self.table.columnWidth(column) + px(12), px(320))
            self.table.setColumnWidth(column, width)
        self._on_search()

    @property
    def n_shown(self) -> int:
        return self._proxy.rowCount()

    def _on_search(self) -> None:
        self._proxy.setFilterFixedString(self.search.text())
        shown, n = self._proxy.rowCount(), self.model.rowCount()
        text = self.tr("{shown} of {n}") if shown != n else self.tr("{n} in all")
        self._count.setText(text.format(shown=words.count(shown), n=words.count(n)))


class TensorDialog(QDialog):
    """One of the planned files, tensor by tensor."""

    def __init__(self, parent: QWidget, files: Sequence[PlannedFile], first: int) -> None:
        super().__init__(parent)
        self._files = files
        self.setWindowTitle(self.tr("Every tensor"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        headings = (
            self.tr("Name"),
            self.tr("Shape"),
            self.tr("Was"),
            self.tr("Becomes"),
            self.tr("Size"),
            self.tr("Why not as asked"),
        )
        self.rows = FilteredTable(self.tr("Tensors"), headings)
        self.choice = ComboBox()
        self.choice.setAccessibleName(self.tr("File"))
        self.choice.view().setAccessibleName(self.tr("File"))
        self.choice.addItems([file.type for file in files])
        self.rows.top.insertWidget(0, self.choice)
        close = button(self.tr("Close"))
        close.clicked.connect(self.accept)
        column = QVBoxLayout(self)
        column.setContentsMargins(px(16), px(16), px(16), px(16))
        column.setSpacing(px(12))
        column.addWidget(self.rows, 1)
        column.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        self.choice.currentIndexChanged.connect(self._show)
        self.choice.setCurrentIndex(first)
        self._show(first)
        self.setStyleSheet(style.sheet())
        self.resize(px(880), px(560))
        self.rows.search.setFocus()

    def _show(self, number: int) -> None:
        self.rows.show_rows(planned_rows(self._files[number]))
