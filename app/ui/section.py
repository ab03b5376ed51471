"""What the inspector is made of: sections with a heading, and rows with a setting."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.settings import Setting
from app.ui.controls import label
from app.ui.editors import editor_for
from app.ui.prefs import Prefs
from app.ui.theme import px, theme
from app.ui.words import translate


class Section(QWidget):
    """A heading, a word at the right, and what stands below them in `column`."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self._head = QHBoxLayout()
        self._head.addWidget(label(title, "small", "secondary", strong=True))
        self._head.addStretch(1)
        self.column.addLayout(self._head)
        theme().changed.connect(self._place)
        self._place()

    def set_right(self, widget: QWidget) -> None:
        """What stands at the right of the heading."""
        self._head.addWidget(widget)

    def _place(self) -> None:
        self.column.setContentsMargins(px(16), px(10), px(16), px(12))
        self.column.setSpacing(px(4))


class SettingRow(QWidget):
    """A setting's name and its editor on one line."""

    def __init__(self, setting: Setting, prefs: Prefs) -> None:
        super().__init__()
        self.setting = setting
        self.editor = editor_for(setting, prefs, small=True)
        name = label(translate(setting.label), "small", "secondary", wrap=True)
        name.setBuddy(self.editor)
        name.setToolTip(self.editor.toolTip())
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(name, 1)
        row.addWidget(self.editor)
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self.editor.setFixedSize(px(96), px(24))
