"""What a screen reader is told beyond names: the finished answer, not its words."""

from __future__ import annotations

from PySide6 import QtGui
from PySide6.QtWidgets import QWidget


def announce(widget: QWidget, text: str) -> None:
    """Have `text` spoken, where this Qt can do that and somebody listens."""
    if hasattr(QtGui, "QAccessibleAnnouncementEvent") and QtGui.QAccessible.isActive():
        QtGui.QAccessible.updateAccessibility(QtGui.QAccessibleAnnouncementEvent(widget, text))
