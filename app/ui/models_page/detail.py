"""The right part: one model, which of its variants to take, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.jobs.assessing import Wish
from app.jobs.downloadstate import DownloadState
from app.jobs.subjects import Assessed, Origin, Subject
from app.ui import words
from app.ui.controls import Centered, label
from app.ui.models_page.advice import Advice
from app.ui.models_page.filestrip import FileStrip
from app.ui.models_page.gated import GatedCard
from app.ui.models_page.head import Head
from app.ui.models_page.note import TableNote
from app.ui.models_page.notice import Notice, Waiting
from app.ui.models_page.options import Options
from app.ui.models_page.table import VariantTable
from app.ui.models_page.variantrows import VariantModel, VariantRow, rows_of
from app.ui.models_page.why import WhyCard
from app.ui.quantize.scrolled import Margin, Scrolled
from app.ui.theme import px, theme
from app.ui.trouble import TroubleCard

_LEGEND_PX = 720


class Detail(QWidget):
    """Shows one subject; says what is wanted of it."""

    acted = Signal(object)  # VariantRow
    row_changed = Signal(object)  # VariantRow

    def __init__(self) -> None:
        super().__init__()
        self.subject: Subject | None = None
        self._chosen_by_user = False
        self._is_choosing = False
        self.model = VariantModel()
        self.head = Head()
        self.trouble = TroubleCard("doesNotFit")
        self.warning = TroubleCard("tight")
        self.gated = GatedCard()
        self.waiting = Waiting(0)
        self.advice = Advice()
        self.options = Options()
        self.table = VariantTable(self.model)
        self.strip = FileStrip()
        self.why = WhyCard()
        self.note = TableNote()
        self.empty = Notice()
        self.placeholder = label("", tone="secondary", wrap=True)
        self.scroll = Scrolled(self.tr("Model"))
        self._lay_out()
        self.table.acted.connect(self.acted)
        self.table.row_changed.connect(self._on_row)
        self.table.selectionModel().currentChanged.connect(self._keep_in_view)
        theme().changed.connect(self._place)
        self._place()
        self._show_parts(False)

    def _lay_out(self) -> None:
        column = self.scroll.column
        column.addWidget(Margin(self.head, 14))
        for widget in (self.trouble, self.warning, self.gated, self.waiting):
            column.addWidget(Margin(widget, 12))
        column.addWidget(Margin(self.advice))
        column.addWidget(Margin(self.options, 16, 12))
        column.addWidget(self.table)
        column.addWidget(self.strip)
        column.addWidget(Margin(self.why, 12))
        column.addWidget(self.note)
        column.addWidget(Centered(self.empty, 520, gap_px=24))
        column.addWidget(Centered(self.placeholder, 420, gap_px=120))
        column.addStretch(1)
        self.placeholder.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.scroll)

    def _place(self) -> None:
        self.options.show_legend(self.width() >= px(_LEGEND_PX))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()

    # --- what is shown ------------------------------------------------------------------------

    def show_nothing(self, text: str) -> None:
        """No model is looked at."""
        self.subject = None
        self.model.show(())
        for widget in (self.head, self.trouble, self.warning, self.gated, self.empty):
            widget.hide()
        self.waiting.finish()
        self._show_parts(False)
        self.placeholder.setText(text)
        self.placeholder.setVisible(bool(text))

    def show_subject(
        self,
        subject: Subject,
        assessed: Assessed | None,
        downloads: Sequence[DownloadState],
        wish: Wish,
        *,
        is_waiting: bool,
    ) -> None:
        """`is_waiting`: what is not known yet is on the way."""
        is_new = self.subject is None or self.subject.key != subject.key
        if is_new:
            self._begin()
        self.subject = subject
        self.placeholder.hide()
        self.head.show()
        self.head.show_subject(subject)
        has_offers = bool(subject.offers)
        self._show_parts(has_offers)
        if not has_offers:
            self.model.show(())
            return
        self.options.show_wish(wish, subject.n_ctx_train)
        self._is_choosing = True
        self.model.show(rows_of(subject, assessed, downloads, is_waiting=is_waiting))
        self._choose_row()
        self._is_choosing = False
        if assessed is None and is_waiting:
            self.advice.show_waiting()
        else:
            self.advice.show_advice(subject, assessed)
        free = assessed.free_bytes if assessed else 0
        text = self.tr("{size} free").format(size=words.size(free, 1)) if free else ""
        self.table.header.show_free(text)
        self.note.show_subject(subject, has_more=subject.origin is Origin.CATALOGUE)
        if is_new:
            self.scroll.verticalScrollBar().setValue(0)

    def _begin(self) -> None:
        """Another model: what was said of the one before goes."""
        self._chosen_by_user = False
        for widget in (self.trouble, self.warning, self.gated, self.empty, self.why, self.advice):
            widget.hide()
        self.waiting.finish()
        self.strip.show_file(None, None)

    def _show_parts(self, shown: bool) -> None:
        for widget in (self.options, self.table, self.note):
            widget.setVisible(shown)
        if not shown:
            for widget in (self.advice, self.why, self.strip):
                widget.hide()

    # --- the current row ----------------------------------------------------------------------

    def _choose_row(self) -> None:
        """The recommended one is current until the user takes another; else the first that can."""
        if self._chosen_by_user and self.table.current is not None:
            return
        rows = self.model.rows
        best = [n for n, row in enumerate(rows) if row.is_recommended]
        here = [n for n, row in enumerate(rows) if row.is_here]
        self.table.choose(next(iter((*here, *best) if self._is_here else (*best, *here)), 0))

    @property
    def _is_here(self) -> bool:
        return self.subject is not None and self.subject.origin is Origin.HERE

    def _on_row(self, row: VariantRow) -> None:
        if not self._is_choosing:
            self._chosen_by_user = True
            if self.why.row is not None and self.why.row.variant != row.variant:
                self.why.hide()
        self.row_changed.emit(row)

    def _keep_in_view(self, index: QModelIndex) -> None:
        if index.isValid() and self.table.hasFocus():
            area = self.table.row_rect(index.row())
            top = self.table.viewport().mapTo(self.scroll.widget(), area.center())
            self.scroll.ensureVisible(0, top.y(), 0, area.height())

    def focus_first(self) -> None:
        """The table, or what there is instead."""
        if self.table.isVisible():
            self.table.setFocus(Qt.FocusReason.OtherFocusReason)
        else:
            self.head.focusNextChild()
