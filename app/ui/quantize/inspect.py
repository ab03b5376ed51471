"""What a model file holds: to come."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QDialog, QWidget


class InspectDialog(QDialog):
    def __init__(self, parent: QWidget, path: Path) -> None:
        super().__init__(parent)

    def show_inspection(self, found: object) -> None:
        pass

    def show_error(self, error: object) -> None:
        pass
