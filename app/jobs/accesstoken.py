"""The access token, looked for, saved and forgotten where a keyring may take its time."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.hub import token
from app.hub.token import TokenPlace
from app.jobs.latest import Latest


class AccessToken(QObject):
    """Says where the token is, never what it is."""

    found = Signal(object)  # TokenPlace
    failed = Signal(object)  # AppError

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._asking = Latest("token", self)

    def look(self) -> None:
        self._asking.run(lambda _ticket: token.token_place(), self._tell, self._fail)

    def save(self, text: str) -> None:
        self._asking.run(lambda _ticket: token.save_token(text), self._tell, self._fail)

    def forget(self) -> None:
        def forget() -> TokenPlace:
            token.forget_token()
            return token.token_place()

        self._asking.run(lambda _ticket: forget(), self._tell, self._fail)

    def close(self) -> None:
        self._asking.close()

    def _tell(self, place: TokenPlace) -> None:
        self.found.emit(place)

    def _fail(self, error: object) -> None:
        self.failed.emit(error)
