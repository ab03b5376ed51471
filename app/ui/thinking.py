"""The switch for models that can think before they answer: in the inspector and at the composer."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QObject, Qt
from PySide6.QtWidgets import QPushButton, QWidget

from app.core import settings as s
from app.engine.protocol import Loaded
from app.ui.controls import button, label, set_icon
from app.ui.prefs import Prefs
from app.ui.section import Section
from app.ui.segmented import Segmented
from app.ui.theme import px, theme
from app.ui.words import translate

_VALUES = tuple(value for value, _words in s.THINKING.choices)


class ThinkingSection(Section):
    """Automatic, on or off. Hidden where the loaded model has no such switch."""

    def __init__(self, prefs: Prefs) -> None:
        super().__init__(QCoreApplication.translate("ThinkingSection", "Thinking"))
        self._prefs = prefs
        self._line: QWidget | None = None
        self.choice = Segmented(translate(s.THINKING.label))
        self.choice.setToolTip(translate(s.THINKING.help))
        self.choice.setAccessibleDescription(translate(s.THINKING.help))
        self.choice.chosen.connect(lambda number: prefs.set(s.THINKING, _VALUES[number]))
        self._note = label("", "small", "secondary", wrap=True)
        self.column.addWidget(self.choice, 0, Qt.AlignmentFlag.AlignLeft)
        self.column.addWidget(self._note)
        prefs.changed.connect(self._on_changed)
        self._show()
        self.hide()

    def go_with(self, line: QWidget) -> None:
        """The line below is there where this is."""
        self._line = line
        line.setVisible(not self.isHidden())

    def show_loaded(self, loaded: Loaded | None) -> None:
        can_think = loaded is not None and loaded.can_think
        self.setVisible(can_think)
        if self._line is not None:
            self._line.setVisible(can_think)

    def _on_changed(self, key: str) -> None:
        if key == s.THINKING.key:
            self._show()

    def _show(self) -> None:
        at = _VALUES.index(self._prefs.get(s.THINKING))
        notes = {
            "auto": self.tr("As the model's template has it."),
            "on": self.tr("Thinks before each answer: slower, better at hard questions."),
            "off": self.tr("Answers at once."),
        }
        if self.choice.current != at:
            names = (self.tr("Automatic"), self.tr("On"), self.tr("Off"))
            self.choice.show_choices(names, at)
        self._note.setText(notes[_VALUES[at]])


class ThinkToggle(QObject):
    """The composer's button "Think first": pressed for on, not pressed for off or automatic."""

    def __init__(self, prefs: Prefs, parent: QObject) -> None:
        super().__init__(parent)
        self._prefs = prefs
        self.button: QPushButton = button(self.tr("Think first"), "quiet", small=True)
        self.button.setCheckable(True)
        self.button.setToolTip(translate(s.THINKING.help))
        self.button.setAccessibleDescription(translate(s.THINKING.help))
        self.button.clicked.connect(self._on_clicked)
        self.button.hide()
        prefs.changed.connect(self._on_changed)
        theme().changed.connect(self._show)
        self._show()

    def show_loaded(self, loaded: Loaded | None) -> None:
        self.button.setVisible(loaded is not None and loaded.can_think)

    def _on_clicked(self, checked: bool) -> None:
        self._prefs.set(s.THINKING, "on" if checked else "off")

    def _on_changed(self, key: str) -> None:
        if key == s.THINKING.key:
            self._show()

    def _show(self) -> None:
        is_on = self._prefs.get(s.THINKING) == "on"
        self.button.setChecked(is_on)
        set_icon(self.button, "thought", "accentText" if is_on else "textSecondary")
        self.button.setFixedHeight(px(28))
