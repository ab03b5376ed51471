"""Where a publisher asks for terms to be accepted: the sentence, the way there, the token."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout

from app.core.errors import AppError
from app.ui import words
from app.ui.controls import IconButton, IconLabel, Surface, button, label, set_text
from app.ui.models_page.wording import one_line
from app.ui.questions import ask_to_open
from app.ui.theme import px, theme


class GatedCard(Surface):
    """Hidden until it is needed. `token_given` carries the token; it is not kept here."""

    token_given = Signal(str)

    def __init__(self) -> None:
        super().__init__("card")
        self._address = ""
        self.text = label("", strong=True, wrap=True)
        self.hint = label("", "small", "secondary", wrap=True)
        self.terms_button = button(self.tr("Open its page"))
        self.field = QLineEdit()
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.setPlaceholderText(self.tr("Token, hf_…"))
        self.field.setAccessibleName(self.tr("Token"))
        self.save_button = button(self.tr("Save and try again"), "primary")
        self.trouble = label("", "small", "doesNotFit", wrap=True)
        self._close = IconButton("close", self.tr("Close"))
        self._lay_out()
        self.terms_button.clicked.connect(lambda: ask_to_open(self.window(), self._address))
        self.save_button.clicked.connect(self._save)
        self.field.returnPressed.connect(self._save)
        self.field.textChanged.connect(self._on_text)
        self._close.clicked.connect(self.hide)
        theme().changed.connect(self._place)
        self._place()
        self.hide()

    def _lay_out(self) -> None:
        line = QHBoxLayout()
        line.addWidget(self.terms_button)
        line.addWidget(self.field, 1)
        line.addWidget(self.save_button)
        self._line = line
        texts = QVBoxLayout()
        texts.addWidget(self.text)
        texts.addWidget(self.hint)
        texts.addWidget(self.trouble)
        texts.addLayout(line)
        self._texts = texts
        self._row = QHBoxLayout(self)
        self._row.addWidget(IconLabel("hidden", "tight", 20), 0, Qt.AlignmentFlag.AlignTop)
        self._row.addLayout(texts, 1)
        self._row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)

    def ask(self, repo_id: str, endpoint: str, error: AppError | None = None) -> None:
        """`error`: what the hub said, where it was asked."""
        name = one_line(repo_id)
        self._address = f"{endpoint}/{repo_id}"
        text = self.tr("{repo} wants its terms accepted before it is downloaded.")
        set_text(self.text, words.translate(error.text) if error else text.format(repo=name))
        set_text(
            self.hint,
            self.tr(
                "Accept them on its page, make a read token in your account there, and put it "
                "here. It is kept in the system's keyring and sent to no one else."
            ),
        )
        self.show_trouble("")
        self._on_text()
        self.setAccessibleName(self.text.text())
        self.setAccessibleDescription(self.hint.text())
        self.show()
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_trouble(self, text: str) -> None:
        set_text(self.trouble, text)
        self.trouble.setVisible(bool(text))

    def _on_text(self) -> None:
        self.save_button.setEnabled(bool(self.field.text().strip()))

    def _save(self) -> None:
        token = self.field.text().strip()
        if token:
            self.field.clear()
            self.token_given.emit(token)

    def _place(self) -> None:
        self._row.setContentsMargins(px(12), px(10), px(12), px(12))
        self._row.setSpacing(px(12))
        self._texts.setSpacing(px(4))
        self._line.setSpacing(px(8))
        self._line.setContentsMargins(0, px(6), 0, 0)
