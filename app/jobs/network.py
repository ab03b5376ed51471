"""Tells the window when something first leaves this computer."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal

from app.hub import sent


class SentWatch(QObject):
    """`sent` comes on the thread that made this object, once."""

    sent = Signal()

    _noted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._noted.connect(self.sent, Qt.ConnectionType.QueuedConnection)
        self._listener = self._noted.emit
        sent.listen(self._listener)

    @property
    def has_sent(self) -> bool:
        return sent.has_sent()

    def close(self) -> None:
        sent.stop_listening(self._listener)
