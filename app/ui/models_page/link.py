"""Between the window and the Models page: looking at this computer and at the hub, and closing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app import paths
from app.core import hardware
from app.core import settings as s
from app.core.hardware import Hardware
from app.core.measured import LoadRecord
from app.engine.client import examine
from app.jobs.catalogue import CatalogueJob
from app.jobs.chat import ChatJob
from app.jobs.downloads import Downloads
from app.jobs.fits import Fits
from app.ui.downloads.dock import DownloadsDock
from app.ui.figures import FigureFeed
from app.ui.models import Models
from app.ui.models_page.page import ModelsPage
from app.ui.prefs import Prefs

HUB = "https://huggingface.co"


class Browsing(QObject):
    """Made when the page is first asked for."""

    def __init__(
        self,
        window: QWidget,
        chat: ChatJob,
        models: Models,
        feed: FigureFeed,
        prefs: Prefs,
        fits: Fits,
        downloads: Downloads,
    ) -> None:
        super().__init__(window)
        self._prefs = prefs
        look = ThisComputer(lambda: fits.computer).look
        self.job = CatalogueJob(look, measured=lambda: fits.speeds, parent=self)
        self.dock = DownloadsDock(downloads)
        self.page = ModelsPage(
            models,
            feed,
            prefs,
            self.job,
            downloads,
            self.dock,
            _loads_of(chat),
            self.endpoint,
        )
        self.dock.chat_requested.connect(self.page.chat_requested)
        self.dock.quantize_requested.connect(self.page.quantize_requested)

    def endpoint(self) -> str:
        """The address of the hub, for its pages."""
        chosen = s.hub_endpoints(self._prefs.get(s.HUB_ENDPOINTS))
        return chosen[0] if chosen else os.environ.get("HF_ENDPOINT", HUB).rstrip("/")

    def close(self) -> None:
        self.job.close()


class ThisComputer:
    """Looks at it from the job's thread: at the drivers once, later only at what is free.

    `examined`: the computer where the window has examined it already. Where models run on a
    graphics card its free memory matters, which only the drivers know.
    """

    def __init__(self, examined: Callable[[], Hardware | None]) -> None:
        self._examined = examined
        self._known: Hardware | None = None
        self._has_asked = False

    def look(self) -> tuple[Hardware, bool]:
        """What is known, and whether to ask again at once because there is more to know."""
        now = hardware.measure(paths.models_dir())
        if self._known is None:
            self._known = self._examined()
            self._has_asked = self._known is not None
        if self._known is None:
            self._known = now
            return now, True
        if not self._has_asked or self._known.used_gpus:
            self._has_asked = True
            self._known = examine(paths.models_dir())
            return self._known, False
        free, disk = now.ram_available_bytes, now.disk_free_bytes
        self._known = replace(self._known, ram_available_bytes=free, disk_free_bytes=disk)
        return self._known, False


def _loads_of(chat: ChatJob) -> Callable[[Callable[[tuple[LoadRecord, ...]], None]], None]:
    return lambda listen: chat.read_store(lambda store: store.loads(), listen)
