"""The lines below the table: where its figures come from, and what quantizing here would save."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.jobs.subjects import Subject, download_saved
from app.ui import words
from app.ui.controls import IconLabel, button, label, set_text
from app.ui.quantize.flow import Flow
from app.ui.theme import px, theme

_TRIFLE_BYTES = 100_000_000


class TableNote(QWidget):
    lab_requested = Signal()
    quantize_requested = Signal()
    repo_requested = Signal()  # all that the repository offers

    def __init__(self) -> None:
        super().__init__()
        self.source_line = Flow(gap_px=6)
        self.saving_line = Flow(gap_px=6)
        self.words = label("", "small", "secondary")
        self.lab_link = button(self.tr("Measure it here in the Lab"), "link")
        self.saving = label("", "small", "secondary")
        self.quantize_link = button(self.tr("Quantize here instead"), "link")
        self.more_link = button(self.tr("All of its variants on Hugging Face"), "link")
        for widget in (IconLabel("info", "textSecondary", 14), self.words, self.lab_link):
            self.source_line.add(widget)
        for widget in (IconLabel("quantize", "textSecondary", 14), self.saving):
            self.saving_line.add(widget)
        self.saving_line.add(self.quantize_link)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.source_line)
        self._column.addWidget(self.saving_line)
        self._column.addWidget(self.more_link, 0, Qt.AlignmentFlag.AlignLeft)
        self.lab_link.clicked.connect(self.lab_requested)
        self.quantize_link.clicked.connect(self.quantize_requested)
        self.more_link.clicked.connect(self.repo_requested)
        theme().changed.connect(self._place)
        self._place()

    def show_subject(self, subject: Subject, *, has_more: bool) -> None:
        """`has_more`: the repository may hold variants that are not shown."""
        text = self.tr("Memory and speed are predicted. Quality is as published for Llama 3 8B.")
        if any(offer.is_estimate for offer in subject.offers):
            text = self.tr(
                "Memory and speed are predicted, ≈ from the size alone. Quality is as published "
                "for Llama 3 8B."
            )
        set_text(self.words, text)
        saved = download_saved(subject)
        offered = self.tr("All {n} variants here: about {size} less to download.")
        n = sum(1 for offer in subject.offers if offer.files)
        self.saving.setText(offered.format(n=words.count(n), size=words.size(saved, 1)))
        self.saving_line.setVisible(saved >= _TRIFLE_BYTES and bool(subject.repo))
        self.more_link.setVisible(has_more)
        self.source_line.rearrange()
        self.saving_line.rearrange()

    def _place(self) -> None:
        self._column.setContentsMargins(px(24), px(12), px(24), px(16))
        self._column.setSpacing(px(6))
        self.source_line.rearrange()
        self.saving_line.rearrange()
