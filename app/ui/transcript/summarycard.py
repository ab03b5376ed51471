"""The summary of what the model no longer sees: being written, failed, or in force and editable.

What its buttons do is asked of `Actions`; what the user did with it is kept in the `MarkState`.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QVBoxLayout

from app.ui.controls import IconLabel, Surface, button, label, set_text
from app.ui.transcript.look import Look
from app.ui.transcript.mark import Actions, Mark

_N_LINES, _N_EDIT_LINES = 5, 9


class SummaryCard(Surface):
    """The summary: while it is written, when it could not be, and as it is in force."""

    def __init__(self, look: Look, actions: Actions) -> None:
        super().__init__("card")
        self._look, self._actions = look, actions
        self._mark = Mark()
        self._icon = IconLabel("thought", "textSecondary", 16)
        self._title = label("", strong=True, wrap=True)
        self._note = label("", "small", "secondary", wrap=True)
        self._text = label("", wrap=True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.field = _Field()
        self.buttons = {
            "show": button("", small=True),
            "edit": button(self.tr("Edit"), small=True),
            "remove": button(self.tr("Remove"), small=True),
            "cancel": button(self.tr("Cancel"), small=True),
            "save": button(self.tr("Save"), "primary", small=True),
            "close": button(self.tr("Close"), small=True),
            "again": button(self.tr("Try again"), "primary", small=True),
        }
        self._connect()
        self._lay_out()

    def _connect(self) -> None:
        slots = {
            "show": self._on_show,
            "edit": self._on_edit,
            "remove": self._actions.remove_summary,
            "cancel": self._on_cancel,
            "save": self._on_save,
            "close": self._actions.dismiss_summary,
            "again": self._actions.summarise,
        }
        for name, slot in slots.items():
            self.buttons[name].clicked.connect(lambda _=False, slot=slot: slot())
        self.buttons["remove"].setToolTip(self.tr("The model then reads the messages themselves"))
        self.field.textChanged.connect(self._on_typed)

    def _lay_out(self) -> None:
        look = self._look
        head = QHBoxLayout()
        head.setSpacing(look.px(8))
        head.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(look.px(2))
        words.addWidget(self._title)
        words.addWidget(self._note)
        head.addLayout(words, 1)
        row = QHBoxLayout()
        row.setSpacing(look.px(8))
        row.addStretch(1)
        for each in self.buttons.values():
            row.addWidget(each)
        column = QVBoxLayout(self)
        column.setContentsMargins(look.px(12), look.px(10), look.px(12), look.px(10))
        column.setSpacing(look.px(8))
        column.addLayout(head)
        for widget in (self._text, self.field):
            column.addWidget(widget)
        column.addLayout(row)

    # --- what is shown ------------------------------------------------------------------------

    def show_mark(self, mark: Mark) -> None:
        self._mark = mark
        self._icon.show_icon(
            *(("tight", "tight") if mark.is_trouble else ("thought", "textSecondary"))
        )
        set_text(self._title, mark.title)
        set_text(self._note, mark.note)
        self._note.setVisible(bool(mark.note))
        self.setAccessibleName(mark.title)
        self.setAccessibleDescription(mark.note)
        self._show_text()
        self._show_buttons()

    def _show_text(self) -> None:
        mark, state = self._mark, self._mark.state
        is_edited = state.draft is not None and not mark.is_running and not mark.is_trouble
        self._text.setVisible(state.is_open and not is_edited and not mark.is_running)
        set_text(self._text, "" if mark.is_running else mark.text)
        self.field.setVisible(mark.is_running or is_edited)
        if mark.is_running:
            self.field.follow(mark.text)
        elif is_edited:
            self.field.edit(state.draft or "")
        lines = _N_LINES if mark.is_running else _N_EDIT_LINES
        self.field.setFixedHeight(
            self.field.fontMetrics().lineSpacing() * lines + self._look.px(16)
        )

    def _show_buttons(self) -> None:
        mark, state = self._mark, self._mark.state
        is_edited = state.draft is not None
        shown = {"show", "edit", "remove"} if mark.can_edit else {"show"}
        if mark.is_running:
            shown = {"cancel"}
        elif mark.is_trouble:
            shown = {"close", "again"}
        elif is_edited:
            shown = {"cancel", "save"}
        for name, each in self.buttons.items():
            each.setVisible(name in shown)
        self.buttons["show"].setText(self.tr("Hide") if state.is_open else self.tr("Read"))
        self.buttons["save"].setEnabled(bool((state.draft or "").strip()))

    # --- what the user does -------------------------------------------------------------------

    def _on_show(self) -> None:
        self._mark.state.is_open = not self._mark.state.is_open
        self._show_again()

    def _on_edit(self) -> None:
        self._mark.state.draft = self._mark.text
        self._show_again()
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_cancel(self) -> None:
        if self._mark.is_running:
            self._actions.cancel_summary()
        else:
            self._mark.state.draft = None
            self._show_again()

    def _on_save(self) -> None:
        text, self._mark.state.draft = self.field.toPlainText(), None
        self._mark.state.is_open = True
        self._show_again()
        self._actions.save_summary(text)

    def _on_typed(self) -> None:
        if self._mark.state.draft is not None and not self.field.isReadOnly():
            self._mark.state.draft = self.field.toPlainText()
            self._show_buttons()

    def _show_again(self) -> None:
        self.show_mark(self._mark)
        self._actions.relayout()


class _Field(QPlainTextEdit):
    """Text that is being written, by the model or by the user."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "field")
        self.setTabChangesFocus(True)
        self.setAccessibleName(self.tr("Summary"))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def follow(self, text: str) -> None:
        """Show what the model has written so far, its end in sight."""
        self.setReadOnly(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        shown = self.toPlainText()
        if text.startswith(shown) and shown:
            cursor = self.textCursor()
            cursor.movePosition(cursor.MoveOperation.End)
            cursor.insertText(text[len(shown) :])
        elif text != shown:
            self.setPlainText(text)
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())

    def edit(self, text: str) -> None:
        self.setReadOnly(False)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        if text != self.toPlainText():
            self.setPlainText(text)
