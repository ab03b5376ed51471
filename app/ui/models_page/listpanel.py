"""The left part: search field, where the list is from, the list, and what it is shown for."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QEvent, QModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QListView, QVBoxLayout

from app.jobs.subjects import Origin
from app.ui import icons
from app.ui.controls import IconButton, Surface, label, set_text
from app.ui.focus import OWN_RING
from app.ui.models_page.chips import Chips
from app.ui.models_page.listdelegate import ListDelegate
from app.ui.models_page.listquery import ORIGINS, ListQuery, SortMenu
from app.ui.models_page.listrows import ListModel, ListRow, RowRole
from app.ui.models_page.notice import Notice, Waiting
from app.ui.theme import px, theme


class ListPanel(Surface):
    """Says what is wanted; whoever listens does it."""

    query_changed = Signal(object, bool)  # ListQuery, whether it was confirmed rather than typed
    open_requested = Signal(str)  # key
    entered = Signal()  # the row is to be looked at: the focus goes to the right

    def __init__(self) -> None:
        super().__init__("sidebar")
        self.query = ListQuery()
        self.owner = ""  # of the repository that is looked at
        self._is_showing = False  # what becomes current then was not chosen by the user
        self.search = QLineEdit()
        self.chips = Chips(self.tr("Where from"), self._origins())
        self.sort_button = IconButton("settings", self.tr("Order and filters"))
        self.sort_menu = SortMenu(self)
        self.waiting = Waiting()
        self.notice = Notice()
        self.model = ListModel()
        self.view = QListView()
        self.foot = label("", "small", "secondary", wrap=True)
        self._build_search()
        self._build_view()
        self._lay_out()
        self.chips.choose(ORIGINS.index(Origin.CATALOGUE))
        self._connect()
        theme().changed.connect(self._restyle)
        self._restyle()

    def _origins(self) -> tuple[tuple[str, str], ...]:
        return (
            (self.tr("On disk"), self.tr("On this computer")),
            (self.tr("Catalogue"), self.tr("Catalogue")),
            (self.tr("Hugging Face"), self.tr("All of Hugging Face")),
        )

    def _build_search(self) -> None:
        text = self.tr("Search, or paste a repository name")
        self.search.setPlaceholderText(text)
        self.search.setAccessibleName(text)
        self.search.setClearButtonEnabled(True)
        self.search.setMaxLength(200)
        self._search_icon = self.search.addAction(
            icons.icon("search"), QLineEdit.ActionPosition.LeadingPosition
        )

    def _build_view(self) -> None:
        view = self.view
        view.setModel(self.model)
        view.setItemDelegate(ListDelegate(view))
        view.setAccessibleName(self.tr("Models"))
        view.setProperty(OWN_RING, True)
        view.setMouseTracking(True)
        view.setUniformItemSizes(True)
        view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        view.installEventFilter(self)

    def _lay_out(self) -> None:
        self._chip_row = QHBoxLayout()
        self._chip_row.addWidget(self.chips, 1)
        self._chip_row.addWidget(self.sort_button, 0, Qt.AlignmentFlag.AlignTop)
        self._top = QVBoxLayout()
        self._top.addWidget(self.search)
        self._top.addLayout(self._chip_row)
        self._column = QVBoxLayout(self)
        self._column.addLayout(self._top)
        self._column.addWidget(self.waiting)
        self._column.addWidget(self.notice)
        self._column.addWidget(self.view, 1)
        self._column.addWidget(self.foot)

    def _connect(self) -> None:
        self.search.textChanged.connect(self._on_text)
        self.search.returnPressed.connect(self._on_return)
        self.search.installEventFilter(self)
        self.chips.chosen.connect(lambda n: self.set_query(replace(self.query, origin=ORIGINS[n])))
        self.sort_button.clicked.connect(self._open_menu)
        self.sort_menu.changed.connect(self.set_query)
        self.view.clicked.connect(self._on_clicked)
        self.view.selectionModel().currentChanged.connect(self._on_current)

    def _restyle(self) -> None:
        self.setMinimumWidth(px(200))
        self._column.setContentsMargins(0, px(10), 0, 0)
        self._column.setSpacing(px(8))
        self._top.setContentsMargins(px(16), 0, px(16), 0)
        self._top.setSpacing(px(10))
        self._chip_row.setSpacing(px(6))
        self.foot.setContentsMargins(px(16), px(8), px(16), px(16))
        self._search_icon.setIcon(icons.icon("search", size_px=px(16)))
        self.view.doItemsLayout()

    # --- what is asked for --------------------------------------------------------------------

    def set_query(self, query: ListQuery) -> None:
        """Take up another order, filter or source, and say so."""
        if query == self.query:
            return
        self.query = query
        self.chips.choose(ORIGINS.index(query.origin))
        self.query_changed.emit(query, True)

    def _on_text(self, text: str) -> None:
        query = replace(self.query, text=text)
        if query.repo_id:  # only a hub has repositories
            query = replace(query, origin=Origin.HUB)
        if query == self.query:
            return
        self.query = query
        self.chips.choose(ORIGINS.index(query.origin))
        self.query_changed.emit(query, False)

    def _on_return(self) -> None:
        if self.query.repo_id:
            self.open_requested.emit(f"hub:{self.query.repo_id}")
            self.entered.emit()
        elif self.query.origin is Origin.HUB:
            self.query_changed.emit(self.query, True)
        else:
            self._focus_list()

    def _open_menu(self) -> None:
        menu = self.sort_menu.fill(self.query, self.owner)
        menu.popup(self.sort_button.mapToGlobal(self.sort_button.rect().bottomLeft()))

    def focus_search(self) -> None:
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    # --- what is shown ------------------------------------------------------------------------

    def show_rows(self, rows: tuple[ListRow, ...], current_key: str) -> None:
        self._is_showing = True
        self.model.show(rows)
        self.mark(current_key)

    def mark(self, key: str) -> None:
        """Show which one is looked at; no row where it is not in the list."""
        self._is_showing = True
        number = self.model.number_of(key)
        if number < 0:
            self.view.clearSelection()
            self.view.setCurrentIndex(QModelIndex())
        elif self.view.currentIndex().row() != number:
            self.view.setCurrentIndex(self.model.index(number))
        self._is_showing = False

    def show_foot(self, text: str) -> None:
        set_text(self.foot, text)
        self.foot.setVisible(bool(text))

    # --- keys ---------------------------------------------------------------------------------

    def _on_current(self, index: QModelIndex) -> None:
        if index.isValid() and not self._is_showing:
            self.open_requested.emit(index.data(RowRole).key)

    def _on_clicked(self, index: QModelIndex) -> None:
        self.open_requested.emit(index.data(RowRole).key)
        self.entered.emit()

    def focus_view(self) -> None:
        """The list, or the search field where it is empty."""
        if self.model.rows:
            self._focus_list()
        else:
            self.focus_search()

    def _focus_list(self) -> None:
        if self.model.rows:
            self.view.setFocus(Qt.FocusReason.OtherFocusReason)
            if not self.view.currentIndex().isValid():
                self.view.setCurrentIndex(self.model.index(0))

    def eventFilter(self, watched: object, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusIn and watched is self.view:
            self._focus_list()
        if event.type() != QEvent.Type.KeyPress or not isinstance(event, QKeyEvent):
            return False
        if watched is self.search and event.key() == Qt.Key.Key_Down:
            self._focus_list()
            return True
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if watched is self.view and is_enter and self.view.currentIndex().isValid():
            self.entered.emit()
            return True
        return False
