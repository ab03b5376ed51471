"""The three cards above the table: which weights, which importance matrix, where to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.ui import words
from app.ui.controls import ElidedLabel, IconLabel, Surface, button, label, set_text
from app.ui.quantize.dialogs import ask_for_folder, ask_for_gguf, ask_for_matrix
from app.ui.quantize.draft import AUTO, NONE, Draft
from app.ui.theme import px, theme
from quantize.job import Plan

_STACKED_PX = 800


class ChoiceCard(Surface):
    """A heading, an icon, two lines, and a button with a menu."""

    def __init__(self, title: str, icon: str) -> None:
        super().__init__("card")
        self._title, self._flat = title, False
        self.name = ElidedLabel()
        self.name.setProperty("strong", True)
        self.note = ElidedLabel()
        self.note.setProperty("step", "small")
        self.note.setProperty("tone", "secondary")
        self.button = button(self.tr("Change…"), small=True)
        self.menu = QMenu(self)
        self.menu.setToolTipsVisible(True)
        self.button.clicked.connect(self.open_menu)
        self._icon = IconLabel(icon, "textSecondary", 20)
        self._lay_out(title)
        theme().changed.connect(self._place)
        self._place()

    def _lay_out(self, title: str) -> None:
        self._texts = texts = QBoxLayout(QBoxLayout.Direction.TopToBottom)
        texts.addWidget(self.name)
        texts.addWidget(self.note, 1)
        self._row = QHBoxLayout()
        self._row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        self._row.addLayout(texts, 1)
        self._row.addWidget(self.button, 0, Qt.AlignmentFlag.AlignVCenter)
        self._column = QVBoxLayout(self)
        self._column.addWidget(label(title, "small", "secondary", strong=True))
        self._column.addLayout(self._row)

    def set_flat(self, flat: bool) -> None:
        """The note beside the name, so that cards one below the other take less room."""
        if flat != self._flat:
            self._flat = flat
            self._place()

    def _place(self) -> None:
        directions = QBoxLayout.Direction
        self._texts.setDirection(directions.LeftToRight if self._flat else directions.TopToBottom)
        self._texts.setSpacing(px(10) if self._flat else 1)
        above = px(6) if self._flat else px(12)
        self._column.setContentsMargins(px(16), above, px(16), above)
        self._column.setSpacing(0 if self._flat else px(6))
        self._row.setSpacing(px(12))

    def open_menu(self) -> None:
        self.menu.popup(self.button.mapToGlobal(self.button.rect().bottomLeft()))

    def show_words(self, name: str, note: str) -> None:
        set_text(self.name, name)
        set_text(self.note, note)
        self.button.setAccessibleName(
            self.tr("Change {title}: {name}").format(title=self._title, name=name)
        )


class ChoiceCards(QWidget):
    """Shows the draft's source, matrix and folder; changes them."""

    source_chosen = Signal(object)  # Path

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self._disk_free = 0
        self.source = ChoiceCard(self.tr("Original weights"), "folder")
        self.matrix = ChoiceCard(self.tr("Importance matrix"), "lab")
        self.place = ChoiceCard(self.tr("Save in"), "disk")
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        for card, stretch in ((self.source, 9), (self.matrix, 7), (self.place, 6)):
            self._row.addWidget(card, stretch)
        self._fill_menus()
        draft.changed.connect(self.refresh)
        theme().changed.connect(self._place)
        self._place()
        self.refresh()

    def _fill_menus(self) -> None:
        source, chosen = self.source.menu, self.source_chosen.emit
        source.addAction(self.tr("A folder of weights…"), lambda: ask_for_folder(self, chosen))
        source.addAction(self.tr("A GGUF file…"), lambda: ask_for_gguf(self, chosen))
        self._matrix_actions = QActionGroup(self)
        for value, text, help_text in (
            (NONE, self.tr("None"), self.tr("Quick. Fine down to Q4_K_M.")),
            (AUTO, self.tr("Automatic"), self.tr("Made here once, from a text that comes along.")),
        ):
            action = self._choice(text, lambda value=value: self._draft.set_imatrix(value))
            action.setData(value)
            action.setToolTip(help_text)
        self._choice(self.tr("A file…"), self._ask_for_matrix).setData("")
        self._usual = self.place.menu.addAction(
            self.tr("Models folder"), lambda: self._draft.set_out_dir(self._draft.usual_dir)
        )
        self.place.menu.addAction(
            self.tr("Another folder…"), lambda: ask_for_folder(self, self._draft.set_out_dir)
        )

    def _choice(self, text: str, act: Callable[[], object]):
        action = self.matrix.menu.addAction(text, act)
        action.setCheckable(True)
        self._matrix_actions.addAction(action)
        return action

    def _ask_for_matrix(self) -> None:
        self.refresh()  # the tick stays where it was until a file is chosen
        ask_for_matrix(self, lambda path: self._draft.set_imatrix(str(path)))

    def show_disk(self, free_bytes: int) -> None:
        """What is free where the files go, known before any plan."""
        self._disk_free = free_bytes
        self.refresh()

    def refresh(self) -> None:
        draft = self._draft
        self.source.show_words(*self._source_words(draft.plan))
        self.matrix.show_words(*self._matrix_words(draft.plan))
        is_usual = draft.out_dir == draft.usual_dir
        name = self.tr("Models folder") if is_usual else draft.out_dir.name or str(draft.out_dir)
        free = draft.plan.disk_free_bytes if draft.plan else self._disk_free
        note = self.tr("{size} free").format(size=words.size(free)) if free else ""
        self.place.show_words(name, note)
        self.place.setToolTip(str(draft.out_dir))
        self._usual.setDisabled(is_usual)
        for action in self._matrix_actions.actions():
            is_file = draft.imatrix not in (NONE, AUTO)
            action.setChecked(action.data() == ("" if is_file else draft.imatrix))

    def _source_words(self, plan: Plan | None) -> tuple[str, str]:
        source = self._draft.source
        if source is None:
            return self.tr("Nothing chosen"), ""
        self.source.setToolTip(str(source))
        if plan is None:
            note = self.tr("Reading…") if self._draft.is_planning else str(source.parent)
            return source.name, note
        note = self.tr("{type}, {size}, {n} tensors").format(
            type=plan.source_type, size=words.size(plan.source_bytes), n=words.count(plan.n_tensors)
        )
        return plan.name or source.name, note

    def _matrix_words(self, plan: Plan | None) -> tuple[str, str]:
        imatrix = self._draft.imatrix
        if imatrix == NONE:
            return self.tr("None"), self.tr("Quick; fine down to Q4_K_M")
        if imatrix != AUTO:
            return Path(imatrix).name, self.tr("From a file")
        seconds = plan.imatrix_seconds if plan is not None and plan.imatrix == AUTO else 0
        time = self.tr("Once, about {time}").format(time=words.duration(seconds))
        return self.tr("Automatic"), time if seconds else self.tr("Made here, once")

    def _place(self) -> None:
        self._row.setSpacing(px(16))
        self._turn()

    def _turn(self) -> None:
        stacked = self.width() < px(_STACKED_PX)
        self._row.setDirection(
            QBoxLayout.Direction.TopToBottom if stacked else QBoxLayout.Direction.LeftToRight
        )
        for card in (self.source, self.matrix, self.place):
            card.set_flat(stacked)
        if stacked:
            self._row.setSpacing(px(8))

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)
        self._place()
