"""The page before anything was chosen: what is needed, and two ways to say where it is."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from app.ui.controls import Centered, IconLabel, Surface, button, label, restyle
from app.ui.quantize.dialogs import ask_for_folder, ask_for_gguf
from app.ui.theme import px, theme

_CARD_PX = 640


class EmptyCard(Surface):
    source_chosen = Signal(object)  # Path

    def __init__(self) -> None:
        super().__init__("card")
        self.folder_button = button(self.tr("Choose a folder…"), "primary")
        self.file_button = button(self.tr("Choose a GGUF file…"))
        self.folder_button.clicked.connect(lambda: ask_for_folder(self, self.source_chosen.emit))
        self.file_button.clicked.connect(lambda: ask_for_gguf(self, self.source_chosen.emit))
        self._column = QVBoxLayout(self)
        self._buttons = QHBoxLayout()
        self._lay_out()
        theme().changed.connect(self._place)
        self._place()

    def _lay_out(self) -> None:
        sentence = self.tr(
            "Choose a model's original weights: the folder with its .safetensors files and "
            "config.json, as it was downloaded. Before anything is made you see how large the "
            "files get, what memory they take and how long it lasts."
        )
        other = self.tr("A GGUF file will do too, best one in F16 or BF16. Or drop either here.")
        middle = Qt.AlignmentFlag.AlignHCenter
        icon = IconLabel("quantize", "textSecondary", 32)
        title = label(self.tr("Nothing to quantize yet"), strong=True)
        for widget in (icon, title):
            widget.setAlignment(middle)
            self._column.addWidget(widget)
        for text in (sentence, other):
            words = label(text, "small", "secondary", wrap=True)
            words.setAlignment(middle)
            self._column.addWidget(Centered(words, 480, margin_px=0))
        self._buttons.addStretch(1)
        self._buttons.addWidget(self.folder_button)
        self._buttons.addWidget(self.file_button)
        self._buttons.addStretch(1)
        self._column.addLayout(self._buttons)

    def show_dropping(self, dropping: bool) -> None:
        """Something that could be taken hangs over the page."""
        self.setProperty("dropping", dropping)
        restyle(self)

    def _place(self) -> None:
        self._column.setContentsMargins(px(24), px(32), px(24), px(32))
        self._column.setSpacing(px(12))
        self._buttons.setSpacing(px(12))
