"""Where the bits go: a cell for each large tensor, block by block, in the colour of its type."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.ui import words
from app.ui.quantize.painting import bits_of, text_on, type_colors
from app.ui.quantize.tensorgrid import Grid
from app.ui.theme import CODE, SMALL, font, px, theme, tokens
from quantize.job import PlannedTensor

_MIN_PITCH_PX = 7


class TensorMap(QWidget):
    """Arrow keys go from cell to cell, and the tool tip and the description say what it is."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = Grid()
        self._n_done = 0
        self._current: tuple[int, int] | None = None  # column, row of the cell the keys are on
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAccessibleName(self.tr("Where the bits go"))
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.updateGeometry)

    @property
    def grid(self) -> Grid:
        return self._grid

    def show_grid(self, grid: Grid) -> None:
        self._grid, self._current = grid, None
        self._describe()
        self.updateGeometry()
        self.update()

    def show_done(self, n_done: int) -> None:
        """How many tensors, in the file's order, are written."""
        if n_done != self._n_done:
            self._n_done = n_done
            self._describe()
            self.update()

    def _describe(self) -> None:
        tensors = self._grid.tensors
        if self._current is not None and (number := self._number_at(*self._current)) is not None:
            self.setAccessibleDescription(self.words_for(number))
            return
        n_types = Counter(tensor.type for tensor in tensors)
        parts = [
            self.tr("{n} in {type}").format(n=words.count(n), type=name)
            for name, n in n_types.most_common()
        ]
        done = self.tr("{done} of {n} tensors written").format(
            done=words.count(min(self._n_done, len(tensors))), n=words.count(len(tensors))
        )
        self.setAccessibleDescription(f"{done}: {', '.join(parts)}" if tensors else "")

    def words_for(self, number: int) -> str:
        """A cell's name, type and size."""
        tensor = self._grid.tensors[number]
        size = words.size(tensor.size_bytes)
        state = self.tr("written") if number < self._n_done else self.tr("still to do")
        return f"{tensor.name}\n{tensor.type}, {size}, {state}"

    # --- measures -----------------------------------------------------------------------------

    def _label_width(self) -> int:
        return px(100)

    def _pitch(self) -> float:
        """From one cell to the next: as drawn where there is room, else as it fits."""
        room = self.width() - self._label_width()
        drawn = px(tokens()["rowHeight"]["tensorPitch"])
        return max(px(_MIN_PITCH_PX), min(drawn, room / max(1, self._grid.n_blocks)))

    def _row_pitch(self) -> float:
        return max(self._pitch(), px(18))

    def _cell(self, column: int, row: int) -> QRectF:
        pitch, row_pitch = self._pitch(), self._row_pitch()
        gap = px(3) if pitch >= px(16) else 1
        x, y = self._label_width() + column * pitch, row * row_pitch
        return QRectF(x, y, pitch - gap, row_pitch - px(3))

    def _height(self) -> int:
        return round(len(self._grid.kinds) * self._row_pitch()) + px(22)

    def sizeHint(self) -> QSize:
        least = self._label_width() + self._grid.n_blocks * px(_MIN_PITCH_PX)
        return QSize(least, self._height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self.setFixedHeight(self._height())

    def updateGeometry(self) -> None:
        self.setFixedHeight(self._height())
        super().updateGeometry()

    # --- painting -----------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_labels(painter)
        colors = type_colors(self._grid.types)
        painter.setFont(font(SMALL, 600))
        for (kind, block), number in self._grid.cells.items():
            cell = self._cell(block, self._grid.kinds.index(kind))
            tensor = self._grid.tensors[number]
            if number < self._n_done:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(colors[tensor.type])
                text_color = text_on(colors[tensor.type])
            else:
                self._outline(painter, number, tensor)
                text_color = theme().color("textSecondary")
            painter.drawRoundedRect(cell.adjusted(0.5, 0.5, -0.5, -0.5), px(3), px(3))
            if tensor.type != self._grid.usual and cell.width() >= px(14):
                painter.setPen(text_color)
                painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, f"{int(bits_of(tensor.type))}")
        self._paint_current(painter)

    def _outline(self, painter: QPainter, number: int, tensor: PlannedTensor) -> None:
        """Not written yet: an empty cell; the one that is being made has the accent."""
        if number == self._n_done and self._n_done:
            painter.setPen(QPen(theme().color("accentText"), 2))
            painter.setBrush(theme().color("accentSoft"))
            return
        special = tensor.type != self._grid.usual
        painter.setPen(QPen(theme().color("controlBorder" if special else "border"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_labels(self, painter: QPainter) -> None:
        painter.setPen(theme().color("textSecondary"))
        code = font(CODE)
        code.setPixelSize(px(12))
        painter.setFont(code)
        metrics = painter.fontMetrics()
        width = self._label_width() - px(8)
        for row, kind in enumerate(self._grid.kinds):
            cell = self._cell(0, row)
            area = QRect(0, round(cell.y()), width, round(cell.height()))
            text = metrics.elidedText(kind, Qt.TextElideMode.ElideRight, width)
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, text)
        if self._grid.kinds:
            self._paint_numbers(painter)

    def _paint_numbers(self, painter: QPainter) -> None:
        y, height = round(len(self._grid.kinds) * self._row_pitch()), px(20)
        painter.drawText(
            QRect(0, y, px(90), height), Qt.AlignmentFlag.AlignVCenter, self.tr("block")
        )
        step = 5 if self._pitch() >= px(12) else 10
        for block in range(0, self._grid.n_blocks, step):
            cell = self._cell(block, 0)
            area = QRectF(cell.center().x() - px(20), y, px(40), height)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, str(block))

    def _paint_current(self, painter: QPainter) -> None:
        if self._current is not None and self.hasFocus():
            painter.setPen(QPen(theme().color("accentText"), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(self._cell(*self._current).adjusted(-1, -1, 1, 1), px(4), px(4))

    # --- looking at one -----------------------------------------------------------------------

    def _number_at(self, column: int, row: int) -> int | None:
        return self._grid.cells.get((self._grid.kinds[row], column))

    def _number_under(self, position: QPoint) -> int | None:
        column = int((position.x() - self._label_width()) // self._pitch())
        row = int(position.y() // self._row_pitch())
        inside = 0 <= column < self._grid.n_blocks and 0 <= row < len(self._grid.kinds)
        return self._number_at(column, row) if inside else None

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            number = self._number_under(event.pos())
            text = self.words_for(number) if number is not None else ""
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        moves = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, -1),
            Qt.Key.Key_Down: (0, 1),
        }
        move = moves.get(Qt.Key(event.key()))
        if move is None or not self._grid.cells:
            super().keyPressEvent(event)
            return
        column, row = self._current or (-move[0], -move[1])
        column = max(0, min(self._grid.n_blocks - 1, column + move[0]))
        row = max(0, min(len(self._grid.kinds) - 1, row + move[1]))
        self._current = (column, row)
        self._describe()
        self._show_tip(column, row)
        self.update()

    def _show_tip(self, column: int, row: int) -> None:
        number = self._number_at(column, row)
        if number is not None:
            place = self.mapToGlobal(self._cell(column, row).bottomLeft().toPoint())
            QToolTip.showText(place, self.words_for(number), self)
