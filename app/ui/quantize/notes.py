"""The lines below the table: what falls back, what the plan warns of, what can be looked at."""

from __future__ import annotations

from collections import Counter

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui import words
from app.ui.controls import IconLabel, button, label, set_text
from app.ui.quantize.draft import Draft
from app.ui.quantize.ladder import ALL_TYPES
from app.ui.quantize.scrolled import empty
from app.ui.theme import px, theme
from app.ui.words import translate
from quantize.job import PlannedFile


class NoteLine(QWidget):
    """A small icon and a sentence."""

    def __init__(self, icon: str, token: str, text: str) -> None:
        super().__init__()
        self.words = label(text, "small", "secondary", wrap=True)
        self._icon = IconLabel(icon, token, 14)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(6))
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.words, 1)

    def show_note(self, icon: str, token: str, text: str) -> None:
        self._icon.show_icon(icon, token)
        set_text(self.words, text)


class Notes(QWidget):
    tensors_requested = Signal()
    all_types_requested = Signal(bool)
    cancelled = Signal()

    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self._draft = draft
        self._shown: list[tuple[str, str, str]] = []
        self._column = QVBoxLayout(self)
        self._lines = QVBoxLayout()
        self._links = QHBoxLayout()
        self._fallback = NoteLine("fits", "fits", "")
        self.busy = label("", "small", "secondary")
        self.cancel_link = button(self.tr("Cancel"), "link")
        self.tensors_link = button(self.tr("Show every tensor"), "link")
        self.types_link = button(self.tr("Show all types"), "link")
        self.types_link.setCheckable(True)
        self._links.addWidget(self._fallback, 1_000)
        self._links.addWidget(self.busy)
        self._links.addWidget(self.cancel_link)
        self._links.addStretch(1)
        self._links.addWidget(self.tensors_link)
        self._links.addWidget(self.types_link)
        self._column.addLayout(self._links)
        self._column.addLayout(self._lines)
        self.cancel_link.clicked.connect(self.cancelled)
        self.tensors_link.clicked.connect(self.tensors_requested)
        self.types_link.clicked.connect(self.all_types_requested)
        draft.changed.connect(self.refresh)
        theme().changed.connect(self._place)
        self._place()
        self.refresh()

    @property
    def texts(self) -> list[str]:
        """What is said, the fallback first."""
        fallback = [self._fallback.words.text()] if not self._fallback.isHidden() else []
        return fallback + [text for _, _, text in self._shown]

    def refresh(self) -> None:
        plan, planning = self._draft.plan, self._draft.is_planning
        self.busy.setText(self.tr("Reading the weights and trying each type for a moment…"))
        self.busy.setVisible(planning)
        self.cancel_link.setVisible(planning)
        self.tensors_link.setVisible(plan is not None and not planning)
        self.types_link.setVisible(plan is not None and not planning)
        shows_all = len(self._draft.types) == len(ALL_TYPES)
        self.types_link.setChecked(shows_all)
        self.types_link.setText(
            self.tr("Show the usual types") if shows_all else self.tr("Show all types")
        )
        self._show_fallback()
        self._show_lines(self._notes() if plan is not None else [])

    def _show_fallback(self) -> None:
        plan, chosen = self._draft.plan, self._draft.chosen
        files = [file for file in plan.files if file.type in chosen] if plan else []
        self._fallback.setVisible(bool(files) and not self._draft.is_planning)
        if files:
            worst = max(files, key=lambda file: file.n_fallback)
            icon, token = ("info", "textSecondary") if worst.n_fallback else ("fits", "fits")
            self._fallback.show_note(icon, token, self._fallback_words(worst))

    def _show_lines(self, notes: list[tuple[str, str, str]]) -> None:
        if notes == self._shown:
            return
        self._shown = notes
        empty(self._lines)
        for note in notes:
            self._lines.addWidget(NoteLine(*note))

    def _notes(self) -> list[tuple[str, str, str]]:
        plan = self._draft.plan
        assert plan is not None
        result = [("tight", "tight", translate(warning)) for warning in plan.warnings]
        if plan.peak_memory_bytes > plan.memory_free_bytes:
            text = self.tr("Making them takes {need} of memory; {free} are free.").format(
                need=words.size(plan.peak_memory_bytes), free=words.size(plan.memory_free_bytes)
            )
            result.append(("tight", "tight", text))
        return result

    def _fallback_words(self, file: PlannedFile) -> str:
        n = len(file.tensors)
        if not file.n_fallback:
            text = self.tr("All {n} tensors can take the chosen types; none is kept larger.")
            return text.format(n=words.count(n))
        wanted = Counter(tensor.wanted for tensor in file.tensors if tensor.wanted)
        names = " {} ".format(self.tr("or")).join(name for name, _ in wanted.most_common(2))
        text = self.tr(
            "{variant}: {n} of {total} tensors cannot take {wanted} and are kept larger: "
            "{bpw} bits per weight."
        )
        return text.format(
            variant=file.type,
            n=words.count(file.n_fallback),
            total=words.count(n),
            wanted=names or file.type,
            bpw=words.decimal(file.bpw, 2),
        )

    def _place(self) -> None:
        self._column.setContentsMargins(px(24), px(12), px(24), px(16))
        self._column.setSpacing(px(6))
        self._links.setSpacing(px(16))
        self._lines.setSpacing(px(6))
