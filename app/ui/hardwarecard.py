"""What this computer has, measured; what is not known yet says so."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from app.core.hardware import Hardware
from app.ui import hardwarewords
from app.ui.controls import IconLabel, Surface, label, set_text
from app.ui.hardwarewords import Said
from app.ui.theme import px, theme

_PROCESSOR, _MEMORY, _GRAPHICS, _DISK = range(4)


class HardwareCard(QWidget):
    """Processor, memory, graphics and disk, each with what it means for models."""

    def __init__(self) -> None:
        super().__init__()
        self.facts: list[Facts] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(label(self.tr("This computer"), "small", "secondary", strong=True))
        card = Surface("card")
        self._grid = QGridLayout(card)
        self._grid.setColumnStretch(2, 1)
        for icon, name in (
            ("cpu", self.tr("Processor")),
            ("memory", self.tr("Memory")),
            ("gpu", self.tr("Graphics")),
            ("disk", self.tr("Disk")),
        ):
            self._add_row(icon, name)
        self._column.addWidget(card)
        theme().changed.connect(self._place)
        self._place()

    def _add_row(self, icon: str, name: str) -> None:
        row, top = len(self.facts), Qt.AlignmentFlag.AlignTop
        facts = Facts()
        facts.show_words(((self.tr("Looking…"), ""),))
        self._grid.addWidget(IconLabel(icon, "textSecondary", 20), row, 0, top)
        self._grid.addWidget(label(name, tone="secondary"), row, 1, top)
        self._grid.addWidget(facts, row, 2, top)
        self.facts.append(facts)

    def _place(self) -> None:
        self._column.setSpacing(px(8))
        self._grid.setContentsMargins(px(16), px(16), px(16), px(16))
        self._grid.setHorizontalSpacing(px(12))
        self._grid.setVerticalSpacing(px(14))

    def show_measured(self, hardware: Hardware) -> None:
        """What is known before any driver has been asked."""
        self.facts[_PROCESSOR].show_words((hardwarewords.processor(hardware),))
        self.facts[_MEMORY].show_words((hardwarewords.memory(hardware),))
        self.facts[_DISK].show_words((hardwarewords.disk(hardware),))

    def show_examined(self, hardware: Hardware) -> None:
        """All of it."""
        self.show_measured(hardware)
        self.facts[_GRAPHICS].show_words(hardwarewords.graphics(hardware))


class Facts(QWidget):
    """Values, each with a small note below it."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = QVBoxLayout(self)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(0)
        self._labels = [(label("", wrap=True), label("", "small", "secondary", wrap=True))]
        self._add(0)

    @property
    def texts(self) -> list[Said]:
        return [(v.text(), n.text()) for v, n in self._labels if not v.isHidden()]

    def show_words(self, said: tuple[Said, ...]) -> None:
        while len(self._labels) < len(said):
            self._labels.append((label("", wrap=True), label("", "small", "secondary", wrap=True)))
            self._add(len(self._labels) - 1)
        for number, (value, note) in enumerate(self._labels):
            text = said[number] if number < len(said) else ("", "")
            set_text(value, text[0])
            set_text(note, text[1])
            value.setVisible(bool(text[0]))
            note.setVisible(bool(text[1]))

    def _add(self, number: int) -> None:
        value, note = self._labels[number]
        value.setContentsMargins(0, px(6) if number else 0, 0, 0)
        self._lines.addWidget(value)
        self._lines.addWidget(note)
