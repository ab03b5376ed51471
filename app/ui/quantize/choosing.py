"""Choosing: the cards, the table of variants, what it comes to, and the button that makes it so."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.core.selection import narrowed
from app.ui.controls import Centered, Hairline, label
from app.ui.quantize.cards import ChoiceCards
from app.ui.quantize.columns import free_words
from app.ui.quantize.dialogs import ask_where_to_save
from app.ui.quantize.draft import Draft
from app.ui.quantize.empty import EmptyCard
from app.ui.quantize.footer import Footer
from app.ui.quantize.ladder import ALL_TYPES, LADDER
from app.ui.quantize.notes import Notes
from app.ui.quantize.rows import VariantModel, rows_of
from app.ui.quantize.scrolled import Margin, Scrolled
from app.ui.quantize.table import VariantHeader, VariantTable
from app.ui.theme import px, theme
from app.ui.trouble import TroubleCard
from quantize.job import Plan


class Choosing(QWidget):
    """`make_requested`: the ticked files are wanted. `save_requested`: their plan, in a file."""

    source_chosen = Signal(object)  # Path
    make_requested = Signal()
    save_requested = Signal(object, object)  # Plan, Path
    tensors_requested = Signal()

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self.model = VariantModel()
        self.trouble = TroubleCard("doesNotFit")
        self.empty = EmptyCard()
        self.cards = ChoiceCards(draft)
        self.table = VariantTable(self.model)
        self.header = VariantHeader(self.table)
        self.notes = Notes(draft)
        self.footer = Footer(draft)
        self._footer_line = Hairline()
        self._heading = QWidget()
        self._scroll = Scrolled(self.tr("Variants"))
        self._add_ways_on()
        self._lay_out()
        self._connect()
        theme().changed.connect(self._place)
        self._place()
        self.refresh()

    def _lay_out(self) -> None:
        head = QHBoxLayout(self._heading)
        head.setContentsMargins(0, 0, 0, 0)
        head.addWidget(label(self.tr("Which files do you want?"), strong=True))
        self._hint = label("", "small", "secondary", wrap=True)
        head.addWidget(self._hint, 1)
        self._head = head
        self._top_line = Hairline()
        for widget in (
            Margin(self.trouble),
            Centered(self.empty, 640, gap_px=40),
            Margin(self.cards),
        ):
            self._scroll.column.addWidget(widget)
        self._scroll.column.addWidget(Margin(self._heading, 20, 10))
        for widget in (self._top_line, self.header, self.table, self.notes):
            self._scroll.column.addWidget(widget)
        self._scroll.column.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._scroll, 1)
        column.addWidget(self._footer_line)
        column.addWidget(self.footer)

    def _add_ways_on(self) -> None:
        self._others = self.trouble.add_button(
            self.tr("Choose others…"), self.cards.source.open_menu
        )
        self._again = self.trouble.add_button(self.tr("Try again"), self._try_again, "primary")

    def _try_again(self) -> None:
        self.trouble.hide()
        self._draft.replan()

    def _connect(self) -> None:
        self._draft.changed.connect(self.refresh)
        self.model.ticked.connect(self._draft.set_ticked)
        self.cards.source_chosen.connect(self.source_chosen)
        self.empty.source_chosen.connect(self.source_chosen)
        self.notes.cancelled.connect(self._draft.cancel_plan)
        self.notes.tensors_requested.connect(self.tensors_requested)
        self.notes.all_types_requested.connect(self._show_types)
        self.footer.make_requested.connect(self.make_requested)
        self.footer.save_requested.connect(self._ask_where)
        self.table.selectionModel().currentChanged.connect(self._keep_in_view)
        make = QShortcut(QKeySequence("Ctrl+Return"), self, self.footer.make_button.click)
        make.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.footer.make_button.setToolTip("Ctrl+Enter")

    def refresh(self) -> None:
        has_source = self._draft.source is not None
        self.empty.setVisible(not has_source)
        self.cards.setVisible(has_source)
        has_rows = self._draft.plan is not None or self._draft.is_planning
        shown = (self._heading, self._top_line, self.header, self.table, self.notes)
        for widget in (*shown, self._footer_line, self.footer):
            widget.setVisible(has_rows)
        self.model.show(rows_of(self._draft) if has_rows else ())
        for way_on in (self._others, self._again):
            way_on.setVisible(has_source and not has_rows)
        self._show_hint()

    def _show_hint(self) -> None:
        plan = self._draft.plan
        if plan is None:
            self._hint.setText("")
            self.header.show_free("")
            return
        self._hint.setText(
            self.tr(
                "The marked ones suit this computer. Sizes are exact; times and memory are "
                "predicted."
            )
        )
        self.header.show_free(free_words(plan.memory_free_bytes))

    def _show_types(self, all_of_them: bool) -> None:
        extra = tuple(t for t in self._draft.ticked if t not in LADDER)
        self._draft.show_types(ALL_TYPES if all_of_them else (*LADDER, *extra))

    def _ask_where(self) -> None:
        plan = self._draft.plan
        if plan is None:
            return
        chosen: Plan = narrowed(plan, self._draft.chosen)
        ask_where_to_save(
            self,
            self.tr("Save the plan"),
            f"{plan.name}-plan.json",
            lambda path: self.save_requested.emit(chosen, Path(path)),
        )

    def focus_first(self) -> None:
        self.table.setFocus() if self.table.isVisible() else self.empty.folder_button.setFocus()

    def _keep_in_view(self, index: QModelIndex) -> None:
        if index.isValid():
            area = self.table.visualRect(index)
            centre = self.table.mapTo(self._scroll.widget(), area.center())
            self._scroll.ensureVisible(centre.x(), centre.y(), 0, area.height())

    def _place(self) -> None:
        self._head.setSpacing(px(12))

    @property
    def scroll(self) -> QScrollArea:
        return self._scroll
