"""One pull on a thread of its own: progress is left where the window can look, the end is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.errors import AppError
from quantize.control import Control
from quantize.errors import Cancelled

if TYPE_CHECKING:
    from app.hub.client import Hub
    from app.hub.options import TransferOptions
    from app.hub.pull import Progress, Request
    from app.hub.sidecar import Sidecar

Outcome = tuple[Path, ...] | AppError | Exception | None  # None: it was cancelled


class DownloadRun:
    """`on_end` is called on the thread of the pull. The hub's code is imported there, too."""

    def __init__(
        self,
        request: Request,
        options: TransferOptions,
        on_end: Callable[[DownloadRun, Outcome], None],
    ) -> None:
        self.request = request  # with a commit, once the hub has been asked for it
        self.progress: Progress | None = None  # the latest
        self.outcome: Outcome = None
        self._control = Control()
        self._options = options
        self._on_end = on_end
        self._discards = False
        self._thread = threading.Thread(target=self._run, name="download", daemon=True)
        self._thread.start()

    def pause(self) -> None:
        self._control.pause()

    def resume(self) -> None:
        self._control.resume()

    def stop(self) -> None:
        """End it soon; what has arrived stays for the next time."""
        self._control.cancel()

    def throw_away(self) -> None:
        """End it soon, and leave nothing of it."""
        self._discards = True
        self._control.cancel()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            outcome: Outcome = self._pull()
            if self._discards:
                throw_away(self.request)
        except Cancelled:
            outcome = None
        except AppError as error:
            outcome = error
        except Exception as bug:
            outcome = bug
        self._on_end(self, outcome)

    def _pull(self) -> tuple[Path, ...] | None:
        from app.hub.pinning import pin
        from app.hub.pull import pull
        from app.hub.token import get_token

        options = replace(self._options, token=get_token())
        try:
            self.request = pin(self.request, lambda: _hub(options))
            self._control.check()
            return pull(self.request, self._keep, self._control, options)
        except Cancelled:
            return None
        except AppError:
            if self._discards:  # it fails while it is ended: nobody wants to know
                return None
            raise

    def _keep(self, progress: Progress) -> None:
        self.progress = progress


def _hub(options: TransferOptions) -> Hub:
    from app.hub.client import Hub

    return Hub(options.endpoints[0] if options.endpoints else None, options.token)


def arrived_bytes(request: Request) -> int:
    """How much of an unfinished download is on the disk, as far as it can be trusted."""
    from app.hub.pull import targets
    from app.hub.sidecar import load_sidecar

    places = targets(request)
    return sum(_arrived(places[file.path], file.size_bytes, load_sidecar) for file in request.files)


def _arrived(place: Path, size_bytes: int, load: Callable[[Path], Sidecar | None]) -> int:
    if place.is_file():
        return size_bytes
    sidecar = load(place)
    return sidecar.hashed_bytes if sidecar is not None else 0


def throw_away(request: Request) -> None:
    """Leave nothing of an unfinished download. Raises HubError."""
    from app.hub.pull import discard

    discard(request)
