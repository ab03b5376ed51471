"""An editor for any setting, made from its declaration."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, QTimer
from PySide6.QtWidgets import QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit, QWidget

from app.core.settings import Setting
from app.ui.inputs import ComboBox, DoubleSpinBox, SpinBox
from app.ui.prefs import Prefs
from app.ui.theme import px
from app.ui.words import translate

IDLE_MS = 600


def editor_for(setting: Setting, prefs: Prefs, *, small: bool = False) -> QWidget:
    """A widget that shows and changes `setting`, with its name and help for all who need them."""
    if setting.choices:
        editor = _choice(setting, prefs, small)
    elif isinstance(setting.default, float):
        editor = _decimal(setting, prefs, small)
    elif isinstance(setting.default, int):
        editor = _integer(setting, prefs, small)
    else:
        editor = _text(setting, prefs)
    name_after(editor, setting)
    return editor


def name_after(editor: QWidget, setting: Setting) -> None:
    if setting.label:
        editor.setAccessibleName(translate(setting.label))
        if isinstance(editor, QComboBox):
            editor.view().setAccessibleName(translate(setting.label))
    if setting.help:
        editor.setToolTip(translate(setting.help))
        editor.setAccessibleDescription(translate(setting.help))


def _choice(setting: Setting, prefs: Prefs, small: bool) -> QComboBox:
    box = ComboBox(small=small)
    for value, words in setting.choices:
        box.addItem(translate(words), value)

    def show() -> None:
        box.setCurrentIndex(box.findData(prefs.get(setting)))

    show()
    _follow(box, setting, prefs, show)
    box.activated.connect(lambda index: prefs.set(setting, box.itemData(index)))
    return box


def _integer(setting: Setting, prefs: Prefs, small: bool) -> SpinBox:
    box = SpinBox(small=small)
    box.setRange(int(setting.minimum or 0), int(setting.maximum or 2**31 - 1))
    box.setSingleStep(int(setting.step))
    _bind_number(box, setting, prefs)
    return box


def _decimal(setting: Setting, prefs: Prefs, small: bool) -> DoubleSpinBox:
    box = DoubleSpinBox(small=small)
    box.setDecimals(2)
    box.setRange(setting.minimum or 0.0, setting.maximum or 1e9)
    box.setSingleStep(setting.step)
    _bind_number(box, setting, prefs)
    return box


def _bind_number(box: SpinBox | DoubleSpinBox, setting: Setting, prefs: Prefs) -> None:
    def show() -> None:
        with QSignalBlocker(box):  # what is shown was not chosen
            box.setValue(prefs.get(setting))

    show()
    _follow(box, setting, prefs, show)
    kind = type(setting.default)
    box.valueChanged.connect(lambda value: prefs.set(setting, kind(round(value, 2))))


def _text(setting: Setting, prefs: Prefs) -> QWidget:
    if not setting.multiline:
        line = QLineEdit(prefs.get(setting))
        _follow(line, setting, prefs, lambda: line.setText(prefs.get(setting)))
        line.editingFinished.connect(lambda: prefs.set(setting, line.text()))
        return line
    field = TextField()
    field.show_text(prefs.get(setting))
    _follow(field, setting, prefs, lambda: field.show_text(prefs.get(setting)))
    field.on_edited(lambda text: prefs.set(setting, text))
    return field


def _follow(editor: QWidget, setting: Setting, prefs: Prefs, show) -> None:
    """Show the value again when it is changed elsewhere."""
    link = _Link(editor, setting.key, show)
    prefs.changed.connect(link.on_changed)


class _Link(QObject):
    """Ends the connection together with its editor."""

    def __init__(self, editor: QWidget, key: str, show) -> None:
        super().__init__(editor)
        self._key, self._show = key, show

    def on_changed(self, key: str) -> None:
        if key == self._key:
            self._show()


def hand_over_all(area: QWidget) -> None:
    """Take up what has been typed into the editors of `area` and not been left yet."""
    for box in area.findChildren(QAbstractSpinBox):
        box.interpretText()
    for field in area.findChildren(TextField):
        field.hand_over()


class TextField(QPlainTextEdit):
    """Several lines of text, handed over when the typing pauses or the focus leaves."""

    def __init__(self, n_lines: int = 3) -> None:
        super().__init__()
        self._n_lines = n_lines
        self._handler = None
        self._shown = ""
        self.setProperty("kind", "field")
        self.setTabChangesFocus(True)
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(IDLE_MS)
        self._idle.timeout.connect(self.hand_over)
        self.textChanged.connect(self._idle.start)
        self._place()

    def on_edited(self, handler) -> None:
        self._handler = handler

    def show_text(self, text: str) -> None:
        if text != self.toPlainText():
            self.setPlainText(text)
        self._shown = text
        self._idle.stop()

    def hand_over(self) -> None:
        """Pass the text on where it was changed."""
        self._idle.stop()
        text = self.toPlainText()
        if text != self._shown:
            self._shown = text
            if self._handler is not None:
                self._handler(text)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusOut:
            self.hand_over()
        elif event.type() == QEvent.Type.StyleChange:
            self._place()
        return super().event(event)

    def _place(self) -> None:
        self.setFixedHeight(self.fontMetrics().lineSpacing() * self._n_lines + px(20))
