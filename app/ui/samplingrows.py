"""Rows of the sampling section: a setting, what it is by default, and the way back to that."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.answerform import mistake_in_biases, mistake_in_grammar, mistake_in_schema
from app.core.errors import Message
from app.core.settings import GRAMMAR, JSON_SCHEMA, LOGIT_BIAS, Setting
from app.ui import words
from app.ui.controls import IconButton, label, restyle, set_text
from app.ui.editors import TextField, editor_for
from app.ui.prefs import Prefs
from app.ui.theme import px, theme
from app.ui.words import translate

_CHECKS: dict[str, Callable[[str], Message | None]] = {
    JSON_SCHEMA.key: mistake_in_schema,
    GRAMMAR.key: mistake_in_grammar,
    LOGIT_BIAS.key: mistake_in_biases,
}
_CODE = (JSON_SCHEMA, GRAMMAR)


class SamplingRow(QWidget):
    """A name, and its editor at the right; below it, what the model's maker wants, if anything.

    A changed setting's name is in the text's own colour, and has a button that sets it back.
    """

    def __init__(self, setting: Setting, prefs: Prefs) -> None:
        super().__init__()
        self.setting, self._prefs = setting, prefs
        self.editor = editor_for(setting, prefs, small=True)
        self.name = label(translate(setting.label), "small", "secondary", wrap=True)
        self.name.setBuddy(self.editor)
        self.name.setToolTip(translate(setting.help))
        self.note = label("", "small", "tertiary", wrap=True)
        self.reset_button = IconButton("close", self.tr("Back to the default"), icon_px=14)
        self.reset_button.setAccessibleName(
            self.tr("Set {name} back").format(name=translate(setting.label))
        )
        keep = self.reset_button.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.reset_button.setSizePolicy(keep)
        self.reset_button.clicked.connect(self._on_reset)
        self._column = QVBoxLayout(self)
        self._row = QHBoxLayout()
        self._lay_out()
        prefs.changed.connect(self._on_changed)
        theme().changed.connect(self._place)
        self._place()
        self._show()

    @property
    def is_changed(self) -> bool:
        return self._prefs.is_set(self.setting) and not self._prefs.is_default(self.setting)

    def _lay_out(self) -> None:
        self._row.addWidget(self.name, 1)
        self._row.addWidget(self.reset_button)
        self._row.addWidget(self.editor)
        self._column.addLayout(self._row)
        self._column.addWidget(self.note)
        QWidget.setTabOrder(self.editor, self.reset_button)

    def _place(self) -> None:
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._row.setSpacing(px(4))
        self.editor.setFixedSize(px(96), px(24))
        self.reset_button.setFixedSize(px(24), px(24))

    def _on_reset(self) -> None:
        self.editor.setFocus(Qt.FocusReason.OtherFocusReason)
        self._prefs.reset(self.setting)

    def _on_changed(self, key: str) -> None:
        if key == self.setting.key:
            self._show()

    def _show(self) -> None:
        changed = self.is_changed
        self.reset_button.setVisible(changed)
        self.reset_button.setToolTip(
            self.tr("Back to {value}").format(value=self._worded(self._default()))
        )
        if self.name.property("tone") != ("" if changed else "secondary"):
            self.name.setProperty("tone", "" if changed else "secondary")
            self.name.setProperty("strong", changed)
            restyle(self.name)
        self._show_note()

    def _show_note(self) -> None:
        has_own = self._prefs.has_model_default(self.setting)
        text = self.tr("Model's default {value}").format(value=self._worded(self._default()))
        set_text(self.note, text if has_own else "")
        self.note.setVisible(has_own)

    def _default(self) -> object:
        return self._prefs.default_of(self.setting)

    def _worded(self, value: object) -> str:
        if self.setting.choices:
            return translate(dict(self.setting.choices)[value])
        if isinstance(value, float):
            return words.decimal(value, 2)
        return words.count(value) if isinstance(value, int) else self.tr("empty")


class FieldRow(SamplingRow):
    """A setting of several lines: the field below its name, and below that what is wrong in it."""

    def __init__(self, setting: Setting, prefs: Prefs) -> None:
        self._check = _CHECKS.get(setting.key)
        super().__init__(setting, prefs)
        assert isinstance(self.editor, TextField)
        if setting in _CODE:
            self.editor.setLineWrapMode(TextField.LineWrapMode.NoWrap)
        self.editor.setPlaceholderText(translate(setting.help))
        self.editor.textChanged.connect(self._show_note)

    @property
    def mistake(self) -> str:
        return self.note.text()

    def _lay_out(self) -> None:
        self._row.addWidget(self.name, 1)
        self._row.addWidget(self.reset_button)
        self._column.addLayout(self._row)
        self._column.addWidget(self.editor)
        self._column.addWidget(self.note)
        self.note.setProperty("tone", "tight")
        QWidget.setTabOrder(self.editor, self.reset_button)

    def _place(self) -> None:
        self._column.setContentsMargins(0, 0, 0, px(4))
        self._column.setSpacing(px(2))
        self.reset_button.setFixedSize(px(24), px(24))

    def _show_note(self) -> None:
        text = self._mistake() or self._hidden_by()
        set_text(self.note, text)
        self.note.setVisible(bool(text))
        help_text = translate(self.setting.help)
        self.editor.setAccessibleDescription(f"{text} {help_text}".strip())

    def _mistake(self) -> str:
        found = self._check(self.editor.toPlainText()) if self._check else None
        return translate(found) if found else ""

    def _hidden_by(self) -> str:
        """An answer has one form: the schema goes before the grammar."""
        is_hidden = self.setting is GRAMMAR and self.editor.toPlainText().strip()
        if not is_hidden or not self._prefs.get(JSON_SCHEMA).strip():
            return ""
        return self.tr("Not used while there is a JSON schema.")

    def _on_changed(self, key: str) -> None:
        super()._on_changed(key)
        if self.setting is GRAMMAR and key == JSON_SCHEMA.key:
            self._show_note()
