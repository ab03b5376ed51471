"""The bar above the transcript: the conversation's title, its model and menu, panel buttons."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QSizePolicy, QToolButton

from app.ui.controls import IconButton, Surface
from app.ui.modelpicker import ModelPicker
from app.ui.theme import px, theme

_TEXT_INSET_PX = 12  # what QLineEdit and the style keep free beside the text


class PageBar(Surface):
    list_toggled = Signal()
    inspector_toggled = Signal()
    renamed = Signal(str)
    new_requested = Signal()
    delete_requested = Signal()

    def __init__(self, *, read_only: bool) -> None:
        super().__init__("content")
        self._read_only = read_only
        self.list_button = IconButton("panel-left", self.tr("Conversations"), icon_px=18)
        self.list_button.rename(self.tr("Conversations"), "Ctrl+B")
        self.title = TitleEdit()
        self.picker = ModelPicker()
        self.more_button = IconButton("more", self.tr("More"), icon_px=18)
        self.inspector_button = IconButton("panel-right", self.tr("Inspector"), icon_px=18)
        self.inspector_button.rename(self.tr("Inspector"), "Ctrl+I")
        self.inspector_button.setCheckable(True)
        self._build_menu()
        self._row = QHBoxLayout(self)
        self._row.addWidget(self.list_button)
        self._row.addWidget(self.title, 1)
        for widget in (self.picker, self.more_button, self.inspector_button):
            self._row.addWidget(widget)
        self.list_button.clicked.connect(self.list_toggled)
        self.inspector_button.clicked.connect(self.inspector_toggled)
        self.title.committed.connect(self.renamed)
        theme().changed.connect(self._restyle)
        self._restyle()

    def _build_menu(self) -> None:
        menu = QMenu(self)
        new = menu.addAction(self.tr("New conversation"), self.new_requested.emit)
        self._rename = menu.addAction(self.tr("Rename"), self.title.begin)
        self._delete = menu.addAction(self.tr("Delete…"), self.delete_requested.emit)
        new.setDisabled(self._read_only)
        self.more_button.setMenu(menu)
        self.more_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def _restyle(self) -> None:
        self.setFixedHeight(px(47))
        self._row.setContentsMargins(px(9), 0, px(16), 0)
        self._row.setSpacing(px(8))
        self.picker.setMaximumWidth(px(320))

    def show_title(self, title: str) -> None:
        """The open conversation's title, or nothing for a new one."""
        can_change = bool(title) and not self._read_only
        self.title.show_title(title or self.tr("New conversation"), can_change=can_change)
        self._rename.setEnabled(can_change)
        self._delete.setEnabled(can_change)


class TitleEdit(QLineEdit):
    """A title that can be typed over: Enter keeps, Esc takes back, leaving keeps."""

    committed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self.setProperty("kind", "title")
        self.setAccessibleName(self.tr("Title of the conversation"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.editingFinished.connect(self._commit)

    def show_title(self, title: str, *, can_change: bool) -> None:
        if (title, can_change) == (self._title, not self.isReadOnly()):
            return  # perhaps it is being typed over just now
        self._title = title
        self.setReadOnly(not can_change)
        tab = Qt.FocusPolicy.StrongFocus if can_change else Qt.FocusPolicy.NoFocus
        self.setFocusPolicy(tab)
        self.setToolTip(title)
        self._take_back()

    def begin(self) -> None:
        """Start renaming, as after F2."""
        if not self.isReadOnly():
            self.setFocus(Qt.FocusReason.OtherFocusReason)
            self.selectAll()

    def _take_back(self) -> None:
        """Show the title: whole while it can be typed over, else cut to the room there is."""
        self.setText(self._title if self.hasFocus() else self._elided())
        self.setCursorPosition(0)

    def _elided(self) -> str:
        margins = self.textMargins()
        room = self.contentsRect().width() - margins.left() - margins.right() - _TEXT_INSET_PX
        return self.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideRight, room)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.setText(self._title)
        super().focusInEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if not self.hasFocus():
            self._take_back()

    def _commit(self) -> None:
        title = " ".join(self.text().split())
        if title and title != self._title and not self.isReadOnly():
            self._title = title
            self.committed.emit(title)
        self._take_back()
        self.deselect()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key.Key_Escape:
                self._take_back()
                self.clearFocus()
                return True
            if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self.clearFocus()  # which finishes the editing
                return True
        return super().event(event)
