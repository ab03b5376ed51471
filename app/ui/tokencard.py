"""The settings' card with the access token: whether there is one, to be given and forgotten."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout

from app.core.errors import AppError
from app.hub.token import TokenPlace
from app.jobs.accesstoken import AccessToken
from app.ui.controls import Surface, button, label, set_text
from app.ui.theme import px, theme
from app.ui.trouble import TroubleCard


class TokenCard(Surface):
    """Shows where the token is kept, never the token."""

    def __init__(self, job: AccessToken) -> None:
        super().__init__("card")
        self._job = job
        self.state = label("", tone="secondary")
        self.field = QLineEdit()
        self.save_button = button(self.tr("Save"))
        self.forget_button = button(self.tr("Forget it"))
        self.trouble = TroubleCard("doesNotFit")
        self._set_up_field()
        self._lay_out()
        self.save_button.clicked.connect(self._save)
        self.forget_button.clicked.connect(job.forget)
        job.found.connect(self.show_place)
        job.failed.connect(self._show_error)
        theme().changed.connect(self._place)
        self._place()
        self.show_place(TokenPlace.NONE)
        job.look()

    def _set_up_field(self) -> None:
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.field.setPlaceholderText("hf_…")
        self.field.setAccessibleName(self.tr("Access token"))
        self.field.textChanged.connect(lambda text: self.save_button.setEnabled(bool(text.strip())))
        self.field.returnPressed.connect(self._save)
        self.save_button.setEnabled(False)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(label(self.tr("Access token")))
        text = self.tr(
            "Some makers ask who downloads their model; a token from your account on the hub says "
            "so. It is kept in the system's keyring, where there is one, and goes to the hub alone."
        )
        words.addWidget(label(text, "small", "secondary", wrap=True))
        self._row = QHBoxLayout()
        self._row.addLayout(words, 1)
        for widget in (self.state, self.field, self.save_button, self.forget_button):
            self._row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        self._column = QVBoxLayout(self)
        self._column.addLayout(self._row)
        self._column.addWidget(self.trouble)

    def show_place(self, place: TokenPlace) -> None:
        self.trouble.hide()
        texts = {
            TokenPlace.ENVIRONMENT: self.tr("Given by HF_TOKEN"),
            TokenPlace.KEYRING: self.tr("In the keyring"),
            TokenPlace.FILE: self.tr("In a file only you can read"),
        }
        is_there = place is not TokenPlace.NONE
        set_text(self.state, texts.get(place, ""))
        had_focus = self._holds_focus()
        if is_there:
            self.field.clear()
        for widget in (self.field, self.save_button):
            widget.setVisible(not is_there)
        self.state.setVisible(is_there)
        self.forget_button.setVisible(is_there and place is not TokenPlace.ENVIRONMENT)
        if had_focus:
            (self.forget_button if is_there else self.field).setFocus()

    def _holds_focus(self) -> bool:
        return any(w.hasFocus() for w in (self.field, self.save_button, self.forget_button))

    def _save(self) -> None:
        if self.field.text().strip():
            self._job.save(self.field.text())

    def _show_error(self, error: AppError) -> None:
        self.trouble.show_error(error)

    def _place(self) -> None:
        self._column.setContentsMargins(px(16), px(10), px(16), px(10))
        self._row.setSpacing(px(12))
        self.field.setFixedWidth(px(200))
