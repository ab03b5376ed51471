"""What this computer has, measured; what is not known yet says so."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.core.hardware import Device, Hardware
from app.ui import words
from app.ui.controls import IconLabel, Surface, label
from app.ui.theme import px, theme
from app.ui.words import translate


class HardwareCard(QWidget):
    """Processor, memory, graphics and disk, each with what it means for models."""

    def __init__(self) -> None:
        super().__init__()
        self._values: list[QLabel] = []
        self._notes: list[QLabel] = []
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
        value = label(self.tr("Looking…"), wrap=True)
        note = label("", "small", "secondary", wrap=True)
        row, top = len(self._values), Qt.AlignmentFlag.AlignTop
        both = QVBoxLayout()
        both.setSpacing(0)
        both.addWidget(value)
        both.addWidget(note)
        self._grid.addWidget(IconLabel(icon, "textSecondary", 20), row, 0, top)
        self._grid.addWidget(label(name, tone="secondary"), row, 1, top)
        self._grid.addLayout(both, row, 2, top)
        note.hide()
        self._values.append(value)
        self._notes.append(note)

    def _place(self) -> None:
        self._column.setSpacing(px(8))
        self._grid.setContentsMargins(px(16), px(16), px(16), px(16))
        self._grid.setHorizontalSpacing(px(12))
        self._grid.setVerticalSpacing(px(16))

    def _show(self, row: int, value: str, note: str = "") -> None:
        self._values[row].setText(value)
        self._notes[row].setText(note)
        self._notes[row].setVisible(bool(note))

    def show_hardware(self, hardware: Hardware) -> None:
        cores = self.tr("{n} cores") if hardware.n_cores != 1 else self.tr("{n} core")
        self._show(0, hardware.cpu, cores.format(n=words.count(hardware.n_cores)))
        memory = self.tr("{free} free of {total}").format(
            free=words.size(hardware.ram_available_bytes, 1),
            total=words.size(hardware.ram_total_bytes, 1),
        )
        self._show(1, memory)
        self._show(3, self.tr("{size} free").format(size=words.size(hardware.disk_free_bytes, 1)))

    def show_devices(self, devices: tuple[Device, ...]) -> None:
        gpus = [device for device in devices if device.kind in ("gpu", "igpu")]
        if not gpus:
            note = self.tr("Models run on the processor.")
            self._show(2, self.tr("None that Nibble can use"), note)
            return
        names = ", ".join(device.description for device in gpus)
        total = sum(device.total_bytes for device in gpus)
        note = self.tr("{size} of its own. Models run here.").format(size=words.size(total, 1))
        self._show(2, names, note if total else self.tr("Models run here."))

    def show_probe_failed(self, error: AppError) -> None:
        hint = translate(error.hint) if error.hint else ""
        self._show(2, translate(error.text), hint)
