"""The list of conversations: find, open, rename, delete."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QVBoxLayout,
)

from app.core.chat import Conversation
from app.ui import icons
from app.ui.controls import IconButton, Surface, label
from app.ui.conversationmodel import ConversationDelegate, ConversationModel, ConversationRole
from app.ui.focus import OWN_RING
from app.ui.theme import px, theme


class ConversationPanel(Surface):
    """Says what is wanted; whoever listens does it."""

    new_requested = Signal()
    open_requested = Signal(int)
    rename_requested = Signal(int, str)
    delete_requested = Signal(object)  # Conversation

    def __init__(self, *, read_only: bool) -> None:
        super().__init__("sidebar")
        self._read_only = read_only
        self._conversations: tuple[Conversation, ...] = ()
        self.search = QLineEdit()
        self._plus = IconButton("plus", self.tr("New conversation"), icon_px=18)
        self._plus.rename(self.tr("New conversation"), "Ctrl+N")
        self._plus.setDisabled(read_only)
        self._model = ConversationModel(can_rename=not read_only)
        self.view = QListView()
        self._nothing = label("", "small", "tertiary", wrap=True)
        self._build_search()
        self._build_view()
        self._lay_out()
        theme().changed.connect(self._restyle)
        self._restyle()

    def _build_search(self) -> None:
        self.search.setProperty("kind", "search")
        self.search.setPlaceholderText(self.tr("Search conversations"))
        self.search.setAccessibleName(self.tr("Search conversations"))
        self.search.setClearButtonEnabled(True)
        self._search_icon = self.search.addAction(
            icons.icon("search"), QLineEdit.ActionPosition.LeadingPosition
        )
        self.search.textChanged.connect(self._on_search)
        self._plus.clicked.connect(self.new_requested)

    def _build_view(self) -> None:
        view = self.view
        view.setModel(self._model)
        view.setItemDelegate(ConversationDelegate(view))
        view.setAccessibleName(self.tr("Conversations"))
        view.setProperty(OWN_RING, True)
        view.setMouseTracking(True)
        view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_menu)
        view.clicked.connect(self._open)
        view.installEventFilter(self)
        self._model.renamed.connect(self.rename_requested)

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.setSpacing(px(8))
        top.addWidget(self.search, 1)
        top.addWidget(self._plus)
        self._column = QVBoxLayout(self)
        self._column.addLayout(top)
        self._column.addWidget(self._nothing)
        self._column.addWidget(self.view, 1)
        self._top = top

    def _restyle(self) -> None:
        self.setMinimumWidth(px(160))
        self._column.setContentsMargins(px(8), px(10), px(8), 0)
        self._column.setSpacing(px(8))
        self._top.setContentsMargins(px(8), 0, px(4), 0)
        self._search_icon.setIcon(icons.icon("search", size_px=px(16)))
        self._nothing.setContentsMargins(px(8), px(8), px(8), 0)
        self.view.doItemsLayout()

    def show_conversations(self, conversations: tuple[Conversation, ...]) -> None:
        self._conversations = conversations
        self._model.show(conversations)
        self._after_change()

    def show_open(self, conversation_id: int | None) -> None:
        """Mark the open conversation, or none."""
        self._model.open_id = conversation_id
        self._after_change()
        self.view.viewport().update()

    def _after_change(self) -> None:
        row = self._model.row_of(self._model.open_id)
        if row >= 0:
            self.view.setCurrentIndex(self._model.index(row))
        else:
            self.view.clearSelection()
            self.view.setCurrentIndex(QModelIndex())
        is_empty = self._model.rowCount() == 0
        self._nothing.setVisible(is_empty)
        self._nothing.setText(
            self.tr("No title contains this.")
            if self._conversations
            else self.tr("Your conversations will stand here.")
        )

    def focus_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def begin_rename(self) -> bool:
        """Rename the current row in its place, if the list has the focus."""
        index = self.view.currentIndex()
        if not self.view.hasFocus() or not index.flags() & Qt.ItemFlag.ItemIsEditable:
            return False
        self.view.edit(index)
        return True

    def _on_search(self, text: str) -> None:
        self._model.set_filter(text)
        self._after_change()

    def _open(self, index: QModelIndex) -> None:
        conversation = index.data(ConversationRole)
        if conversation is not None and conversation.id != self._model.open_id:
            self.open_requested.emit(conversation.id)

    def _on_menu(self, position: QPoint) -> None:
        index = self.view.indexAt(position)
        if index.isValid() and index.data(ConversationRole) is not None:
            self.menu_for(index).popup(self.view.viewport().mapToGlobal(position))

    def menu_for(self, index: QModelIndex) -> QMenu:
        conversation = index.data(ConversationRole)
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rename = menu.addAction(self.tr("Rename"), lambda: self.view.edit(index))
        delete = menu.addAction(
            self.tr("Delete…"), lambda: self.delete_requested.emit(conversation)
        )
        for action in (rename, delete):
            action.setDisabled(self._read_only)
        return menu

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            return self._on_key(event)
        return False

    def _on_key(self, event: QKeyEvent) -> bool:
        index = self.view.currentIndex()
        conversation = index.data(ConversationRole) if index.isValid() else None
        if conversation is None:
            return False
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(index)
            return True
        if event.key() == Qt.Key.Key_Delete and not self._read_only:
            self.delete_requested.emit(conversation)
            return True
        return False
