"""One window per user: a second start hands its files to the first, which comes to the front.

The first listens on a local socket named after the data folder. A second one connects, sends one
line and leaves. The line carries the second's activation token: without it Wayland does not let the
first raise itself.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_ANSWER_MS = 2000
_MAX_LINE = 256 * 1024


class Summons(msgspec.Struct, frozen=True):
    """What the second start tells the first."""

    files: tuple[str, ...] = ()
    activation_token: str = ""


class Instance(QObject):
    """The first instance's ear."""

    summoned = Signal(object)  # Summons

    def __init__(self, data_dir: Path) -> None:
        super().__init__()
        self._name = _server_name(data_dir)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)

    def listen(self) -> None:
        """Begin to hear. Call it with the store's lock held: then a socket left behind is ours."""
        QLocalServer.removeServer(self._name)
        self._server.listen(self._name)

    def close(self) -> None:
        self._server.close()

    @Slot()
    def _on_connection(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            socket.readyRead.connect(lambda socket=socket: self._read(socket))
            socket.disconnected.connect(socket.deleteLater)

    def _read(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            if socket.bytesAvailable() > _MAX_LINE:
                socket.abort()
            return
        line = bytes(socket.readLine(_MAX_LINE).data())
        socket.write(b"ok\n")
        socket.flush()
        try:
            self.summoned.emit(msgspec.json.decode(line, type=Summons))
        except msgspec.MsgspecError:
            socket.abort()


def summon_first(data_dir: Path, files: Sequence[Path]) -> bool:
    """Ask the first instance to show itself; False when none answers."""
    socket = QLocalSocket()
    socket.connectToServer(_server_name(data_dir))
    if not socket.waitForConnected(_ANSWER_MS):
        return False
    summons = Summons(
        tuple(str(file.absolute()) for file in files), os.environ.get("XDG_ACTIVATION_TOKEN", "")
    )
    socket.write(msgspec.json.encode(summons) + b"\n")
    return socket.waitForReadyRead(_ANSWER_MS)


def _server_name(data_dir: Path) -> str:
    return "nibble-" + hashlib.sha256(str(data_dir).encode()).hexdigest()[:16]
