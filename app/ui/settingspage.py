"""The Settings page, made from the declarations in `app.core.settings`."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from app.core.settings import SECTIONS, Setting
from app.ui.controls import Hairline, Surface, button, label
from app.ui.editors import editor_for
from app.ui.pages import ScrollPage
from app.ui.prefs import Prefs
from app.ui.theme import px, theme
from app.ui.words import translate


class SettingsPage(ScrollPage):
    def __init__(self, prefs: Prefs) -> None:
        super().__init__(QCoreApplication.translate("SettingsPage", "Settings"))
        self._lines: list[SettingLine] = []
        for title, settings in SECTIONS:
            self.add_card(translate(title), self._card(settings, prefs))

    def add_card(self, title: str, card: QWidget) -> None:
        """Settings that are more than a value: they bring a card of their own."""
        self.column.addWidget(label(title, "small", "secondary", strong=True))
        self.column.addWidget(card)

    def _card(self, settings: tuple[Setting, ...], prefs: Prefs) -> Surface:
        card = Surface("card")
        column = QVBoxLayout(card)
        column.setContentsMargins(1, 0, 1, 0)
        column.setSpacing(0)
        for number, setting in enumerate(settings):
            if number:
                column.addWidget(Hairline())
            self._lines.append(SettingLine(setting, prefs))
            column.addWidget(self._lines[-1])
        return card

    def line(self, setting: Setting) -> SettingLine:
        return next(line for line in self._lines if line.setting is setting)


class SettingLine(QWidget):
    """Name and help at the left, the editor and the way back at the right (or below, for text)."""

    def __init__(self, setting: Setting, prefs: Prefs) -> None:
        super().__init__()
        self.setting, self._prefs = setting, prefs
        self.editor = editor_for(setting, prefs)
        self.reset_button = button(self.tr("Reset"), "link")
        self.reset_button.setToolTip(self.tr("Back to what it was at first"))
        self.reset_button.setAccessibleName(
            self.tr("Reset {name}").format(name=translate(setting.label))
        )
        self.reset_button.clicked.connect(lambda: prefs.reset(setting))
        keep = self.reset_button.sizePolicy()
        keep.setRetainSizeWhenHidden(True)
        self.reset_button.setSizePolicy(keep)
        self._lay_out()
        prefs.changed.connect(self._on_changed)
        theme().changed.connect(self._place)
        self._place()
        self._on_changed(setting.key)

    def _lay_out(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(label(translate(self.setting.label)))
        words.addWidget(label(translate(self.setting.help), "small", "secondary", wrap=True))
        self._row = QHBoxLayout()
        self._row.addLayout(words, 1)
        self._row.addWidget(self.reset_button)
        self._column = QVBoxLayout(self)
        self._column.addLayout(self._row)
        if isinstance(self.editor, QPlainTextEdit):
            self._column.addWidget(self.editor)
        else:
            self._row.addWidget(self.editor, 0, Qt.AlignmentFlag.AlignVCenter)

    def _place(self) -> None:
        self._column.setContentsMargins(px(16), px(10), px(16), px(10))
        self._row.setSpacing(px(12))
        if not isinstance(self.editor, QPlainTextEdit):
            is_text = isinstance(self.editor, QLineEdit)
            self.editor.setFixedWidth(px(280 if is_text else 168))

    def _on_changed(self, key: str) -> None:
        if key == self.setting.key:
            self.reset_button.setVisible(not self._prefs.is_default(self.setting))
