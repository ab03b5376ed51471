"""The rows of the conversation list: conversations under the days they were last used on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta

from PySide6.QtCore import (
    QAbstractListModel,
    QCoreApplication,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import QLineEdit, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.core.chat import Conversation
from app.ui.theme import font, px, theme
from app.ui.words import day_of, row_time

Index = QModelIndex | QPersistentModelIndex
ConversationRole = Qt.ItemDataRole.UserRole
TimeRole = Qt.ItemDataRole.UserRole + 1
IsOpenRole = Qt.ItemDataRole.UserRole + 2
HEADER_PX, ROW_PX = 32, 32


class ConversationModel(QAbstractListModel):
    """Headers are rows of their own, without a Conversation and not to be chosen."""

    renamed = Signal(int, str)

    def __init__(self, *, can_rename: bool) -> None:
        super().__init__()
        self._can_rename = can_rename
        self._all: tuple[Conversation, ...] = ()
        self._filter = ""
        self._rows: list[str | Conversation] = []
        self._today = date.today()
        self.open_id: int | None = None

    def show(self, conversations: tuple[Conversation, ...], today: date | None = None) -> None:
        self._all, self._today = conversations, today or date.today()
        self._rebuild()

    def set_filter(self, text: str) -> None:
        """Keep the titles that contain `text`, whatever the case."""
        self._filter = text.strip().casefold()
        self._rebuild()

    def row_of(self, conversation_id: int | None) -> int:
        """The row of a conversation, -1 where it is not shown."""
        for row, entry in enumerate(self._rows):
            if isinstance(entry, Conversation) and entry.id == conversation_id:
                return row
        return -1

    def _rebuild(self) -> None:
        self.beginResetModel()
        kept = [c for c in self._all if self._filter in c.title.casefold()]
        self._rows = list(grouped(kept, self._today))
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        entry = self._rows[index.row()]
        if isinstance(entry, str):
            return entry if role == Qt.ItemDataRole.DisplayRole else None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return entry.title
        if role == ConversationRole:
            return entry
        if role == IsOpenRole:
            return entry.id == self.open_id
        if role == TimeRole:
            return row_time(entry.updated_at, self._today)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.title}, {row_time(entry.updated_at, self._today)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return entry.title
        return None

    def setData(self, index: Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:
        entry = self._rows[index.row()]
        title = " ".join(str(value).split())
        if isinstance(entry, str) or role != Qt.ItemDataRole.EditRole or not title:
            return False
        if title != entry.title:
            self.renamed.emit(entry.id, title)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid() or isinstance(self._rows[index.row()], str):
            return Qt.ItemFlag.NoItemFlags
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsEditable if self._can_rename else flags


def grouped(conversations: Iterable[Conversation], today: date) -> Iterator[str | Conversation]:
    """The conversations in their order, with a header where a new group begins."""
    last = ""
    for conversation in conversations:
        name = _group_name(day_of(conversation.updated_at), today)
        if name != last:
            yield name
            last = name
        yield conversation


def _group_name(day: date, today: date) -> str:
    translate = QCoreApplication.translate
    if day >= today:
        return translate("ConversationModel", "Today")
    if day == today - timedelta(days=1):
        return translate("ConversationModel", "Yesterday")
    if day > today - timedelta(days=7):
        return translate("ConversationModel", "Last week")
    return translate("ConversationModel", "Older")


class ConversationDelegate(QStyledItemDelegate):
    """Paints a row from the tokens: title, then the time; the open one on the accent's ground."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(px(80), px(ROW_PX if index.data(ConversationRole) else HEADER_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if index.data(ConversationRole) is None:
            self._paint_header(painter, option.rect, index.data())
        else:
            self._paint_row(painter, option, index)
        painter.restore()

    def _paint_header(self, painter: QPainter, rect: QRect, text: str) -> None:
        painter.setFont(font("small", 600))
        painter.setPen(theme().color("textTertiary"))
        area = rect.adjusted(px(8), px(2), -px(8), 0)
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)

    def _paint_row(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        state, color = option.state, theme().color
        is_open = bool(index.data(IsOpenRole))
        painter.setPen(Qt.PenStyle.NoPen)
        if is_open or state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(color("accentSoft" if is_open else "hover"))
            painter.drawRoundedRect(option.rect, px(6), px(6))
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(color("accentText"), 2))
            painter.drawRoundedRect(option.rect.adjusted(1, 1, -1, -1), px(6), px(6))
        self._paint_texts(painter, option.rect.adjusted(px(8), 0, -px(8), 0), index, is_open)

    def _paint_texts(self, painter: QPainter, area: QRect, index: Index, is_open: bool) -> None:
        small = font("small")
        painter.setFont(small)
        painter.setPen(theme().color("accentText" if is_open else "textTertiary"))
        time = index.data(TimeRole)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight, time)
        width = painter.fontMetrics().horizontalAdvance(time) + px(8)
        painter.setFont(font("body", QFont.Weight.Medium if is_open else QFont.Weight.Normal))
        painter.setPen(theme().color("text"))
        area = area.adjusted(0, 0, -width, 0)
        title = painter.fontMetrics().elidedText(
            index.data(), Qt.TextElideMode.ElideRight, area.width()
        )
        painter.drawText(area, middle | Qt.AlignmentFlag.AlignLeft, title)

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        editor = _RowEditor(parent)
        editor.setAccessibleName(self.tr("Title of the conversation"))
        return editor


class _RowEditor(QLineEdit):
    """Keeps Enter to itself: the list would take it for "open"."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        super().keyPressEvent(event)
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.accept()
