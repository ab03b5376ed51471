"""A slow function on a thread, of which only the latest matters: what the hub is asked for.

A newer call takes the place of an older one, which nobody hears any more; it is not waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.core.errors import AppError

T = TypeVar("T")
_MAX_THREADS = 4  # calls that hang in a dead network; the next waits for one of them to give up
_CLOSE_S = 0.5


class Stale(Exception):  # noqa: N818 - not an error
    """The result is not wanted any more."""


class Ticket:
    """What a running function asks: whether it is still wanted. It may tell what it has so far."""

    def __init__(self, latest: Latest, number: int) -> None:
        self._latest, self._number = latest, number

    @property
    def is_wanted(self) -> bool:
        return self._latest.is_wanted(self._number)

    def check(self) -> None:
        """Raises Stale."""
        if not self.is_wanted:
            raise Stale

    def tell(self, listen: Callable[[T], None], value: T) -> None:
        """Call `listen` on the UI thread, unless by then something newer was asked for."""
        self._latest.deliver(self._number, listen, value)


class Latest(QObject):
    """`on_done` and `on_failed` run on the thread that made this object."""

    _told = Signal(object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._number = 0
        self._threads: list[threading.Thread] = []
        self._slots = threading.Semaphore(_MAX_THREADS)
        self._told.connect(self._on_told, Qt.ConnectionType.QueuedConnection)

    def run(
        self,
        function: Callable[[Ticket], T],
        on_done: Callable[[T], None],
        on_failed: Callable[[AppError], None],
    ) -> None:
        """Run `function`; whatever was asked for before is forgotten."""
        self._number += 1
        ticket = Ticket(self, self._number)
        work = (function, ticket, on_done, on_failed)
        thread = threading.Thread(target=self._work, args=work, name=self._name, daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()

    def cancel(self) -> None:
        """Nobody wants the answer any more."""
        self._number += 1

    def close(self) -> None:
        """Nothing comes back after this. A call that hangs in the network ends with the program."""
        self.cancel()
        self._told.disconnect(self._on_told)
        for thread in self._threads:
            thread.join(_CLOSE_S)

    def is_wanted(self, number: int) -> bool:
        return number == self._number

    def deliver(self, number: int, listen: Callable[[Any], None], value: object) -> None:
        self._told.emit((number, listen, value))

    def _work(
        self,
        function: Callable[[Ticket], T],
        ticket: Ticket,
        on_done: Callable[[T], None],
        on_failed: Callable[[AppError], None],
    ) -> None:
        with self._slots:
            try:
                ticket.check()
                result = function(ticket)
            except Stale:
                return
            except AppError as error:
                ticket.tell(on_failed, error)
            except Exception as bug:
                ticket.tell(_raise, bug)
            else:
                ticket.tell(on_done, result)

    @Slot(object)
    def _on_told(self, told: tuple[int, Callable[[Any], None], object]) -> None:
        number, listen, value = told
        if number == self._number:
            listen(value)


def _raise(bug: Exception) -> None:
    raise bug
