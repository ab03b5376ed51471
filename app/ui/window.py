"""The window: the rail, the pages, the status line, and the keys that work everywhere."""

from __future__ import annotations

import base64
import binascii
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, Qt, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.core import settings as s
from app.core.hardware import Hardware
from app.core.settings import Settings
from app.jobs.chat import ChatJob
from app.jobs.tasks import TaskThread
from app.ui import style
from app.ui.chatpage import ChatPage
from app.ui.controls import Hairline, Surface
from app.ui.dropping import FileDrops
from app.ui.editors import hand_over_all
from app.ui.figures import FigureFeed
from app.ui.focus import FocusRing
from app.ui.hardwarelook import FreeLook
from app.ui.loadnotice import LoadNotice
from app.ui.memorytrouble import MemoryTrouble
from app.ui.models import Models
from app.ui.prefs import Prefs
from app.ui.rail import Rail
from app.ui.shortcuts import CHAT, LAB, MODELS, QUANTIZE, SETTINGS, WindowKeys
from app.ui.statusline import StatusLine
from app.ui.theme import px, theme, tokens
from app.ui.trouble import TroubleStack

if TYPE_CHECKING:
    from app.jobs.memory import MemoryWatch
    from app.jobs.quantizelink import ClientFactory
    from app.ui.downloads.link import Downloading
    from app.ui.models_page.link import Browsing
    from app.ui.quantize.link import Quantizing


class MainWindow(QMainWindow):
    """Pages other than Chat are made when they are first asked for."""

    closing = Signal()

    def __init__(
        self,
        chat: ChatJob,
        settings: Settings,
        tasks: TaskThread,
        make_quantizer: ClientFactory | None = None,
    ) -> None:
        super().__init__()
        self._chat, self._tasks = chat, tasks
        self._make_quantizer = make_quantizer
        self._to_compare: list[Path] = []
        self.prefs = Prefs(settings, self)
        theme().follow(self.prefs.get(s.THEME))
        style.apply_text_scale(self.prefs.get(s.TEXT_SCALE))
        self.models = Models(chat, self.prefs, tasks, self)
        self.drops = FileDrops(self, self.models, tasks)
        self.feed = FigureFeed(chat, self.models.name_of, self)
        self.rail = Rail(self._pages())
        self.trouble = TroubleStack()
        self.chat_page = ChatPage(chat, self.prefs, self.models, self.feed, tasks)
        self.status = StatusLine()
        LoadNotice(self.feed, self.trouble, self)
        self._free = FreeLook(tasks, self)
        self._stack = QStackedWidget()
        self._made: dict[int, QWidget] = {CHAT: self.chat_page}
        self._lay_out()
        self.ring = FocusRing(self)
        self._connect()
        self._keys = WindowKeys(self)
        self._restore(settings)
        self._restyle()
        self.show_page(CHAT)
        self.feed.publish()

    def begin(self) -> None:
        """What can wait until the window is visible."""
        self.models.scan()
        self.downloading.begin()

    def follow_memory(self, watch: MemoryWatch) -> None:
        """Say what `watch` finds, and stop it when the window closes."""
        MemoryTrouble(watch, self.trouble, self._chat, self)
        self.closing.connect(watch.close)

    def _pages(self) -> tuple[tuple[str, str, str], ...]:
        return (
            ("chat", self.tr("Chat"), "Ctrl+1"),
            ("models", self.tr("Models"), "Ctrl+2"),
            ("quantize", self.tr("Quantize"), "Ctrl+3"),
            ("lab", self.tr("Lab"), "Ctrl+4"),
            ("settings", self.tr("Settings"), "Ctrl+,"),
        )

    def _lay_out(self) -> None:
        self._stack.addWidget(self.chat_page)
        page = Surface("content")
        pages = QVBoxLayout(page)
        top = QHBoxLayout()
        outer = QVBoxLayout()
        for layout in (pages, top, outer):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(0)
        pages.addWidget(self.trouble)
        pages.addWidget(self._stack, 1)
        top.addWidget(self.rail)
        top.addWidget(Hairline(Qt.Orientation.Vertical))
        top.addWidget(page, 1)
        outer.addLayout(top, 1)
        outer.addWidget(Hairline())
        outer.addWidget(self.status)
        central = QWidget()
        central.setLayout(outer)
        self.setCentralWidget(central)

    def _connect(self) -> None:
        theme().changed.connect(self._restyle)
        self.rail.chosen.connect(self.show_page)
        self.chat_page.title_changed.connect(self._show_title)
        self.feed.changed.connect(self.status.show_figures)
        self.prefs.changed.connect(self._on_setting)
        self.prefs.failed.connect(self.trouble.add)
        self._chat.trouble.connect(self.trouble.add)
        self.drops.leave_to_window(self.chat_page.column.composer.editor)
        self.drops.opened.connect(self._chat_with)
        self.drops.listed.connect(lambda: self.show_page(MODELS))
        self.drops.refused.connect(self.trouble.add)
        self.closing.connect(self.models.close)
        self._free.found.connect(self._show_free)
        first = self.chat_page.first
        first.chat_requested.connect(self._chat_with)
        first.others_requested.connect(lambda: self.show_page(MODELS))
        first.download_requested.connect(lambda request: self.downloading.job.add(request))
        first.pause_requested.connect(lambda number: self.downloading.job.pause(number))
        first.resume_requested.connect(lambda number: self.downloading.job.resume(number))
        first.cancel_requested.connect(lambda number: self.downloading.cancel(number))

    def _restore(self, settings: Settings) -> None:
        self.setMinimumSize(*tokens()["size"]["minimumWindow"])
        self.resize(1280, 820)
        try:
            geometry = base64.b64decode(self.prefs.get(s.WINDOW_GEOMETRY), validate=True)
        except (binascii.Error, ValueError):
            geometry = b""
        if geometry:
            self.restoreGeometry(QByteArray(geometry))
        self._show_title("")
        if settings.problem is not None:
            self.trouble.add(settings.problem)

    # --- pages --------------------------------------------------------------------------------

    def show_page(self, number: int) -> None:
        page = self._made.get(number)
        if page is None:
            page = self._made[number] = self._make_page(number)
            self._stack.addWidget(page)
        self.rail.show_chosen(number)
        self._stack.setCurrentWidget(page)
        if number == CHAT:
            self.chat_page.column.composer.focus()
        else:
            self.rail.focus_chosen()
        self.status.show_page(is_chat=number == CHAT)
        if number != CHAT:
            self._free.look()
        if number == MODELS:
            self.models.scan()

    def _make_page(self, number: int) -> QWidget:
        """Imported here: the window has to be there before they are wanted."""
        if number == MODELS:
            return self.browsing.page
        if number == SETTINGS:
            from app.jobs.accesstoken import AccessToken
            from app.ui.folders import FoldersCard
            from app.ui.settingspage import SettingsPage
            from app.ui.tokencard import TokenCard

            page = SettingsPage(self.prefs)
            token = AccessToken(self)
            self.closing.connect(token.close)
            page.add_card(self.tr("Access"), TokenCard(token))
            page.add_card(self.tr("Models"), FoldersCard(self.models, self.prefs))
            return page
        if number == QUANTIZE:
            return self.quantizing.page
        from app.ui.pages import EmptyPage

        sentence = self.tr("Measuring variants against each other comes in a later version.")
        return EmptyPage("lab", self.tr("Nothing measured yet"), sentence)

    @cached_property
    def browsing(self) -> Browsing:
        """Imported and made when the page is first wanted."""
        from app.ui.models_page.link import Browsing

        jobs = (self.chat_page.fits, self.downloading.job)
        result = Browsing(self, self._chat, self.models, self.feed, self.prefs, *jobs)
        result.page.chat_requested.connect(self._chat_with)
        result.page.inspect_requested.connect(lambda path: self.quantizing.inspect(path))
        result.page.quantize_requested.connect(self._quantize)
        result.page.lab_requested.connect(lambda: self.show_page(LAB))
        return result

    @cached_property
    def downloading(self) -> Downloading:
        """Imported and made once the window has been painted, or when first wanted."""
        from app.ui.downloads.link import Downloading

        result = Downloading(self, self.prefs, self._tasks)
        result.status_changed.connect(self.status.show_network)
        result.arrived.connect(lambda _files: self.models.scan())
        result.job.changed.connect(self._on_downloads)
        return result

    def _on_downloads(self, states: tuple) -> None:
        self.chat_page.first.show_downloads(states)
        if self.page != CHAT:
            self._free.look()

    def _show_free(self, found: Hardware) -> None:
        self.status.show_free(found.ram_available_bytes, found.disk_free_bytes)

    @cached_property
    def quantizing(self) -> Quantizing:
        """Imported and made when first wanted, as the pages are."""
        from app.ui.quantize.link import Quantizing

        how = {"make_client": self._make_quantizer} if self._make_quantizer else {}
        result = Quantizing(self, self._chat.engine, self.prefs, **how)
        result.status_changed.connect(self.status.show_work)
        result.files_made.connect(self.models.scan)
        result.page.chat_requested.connect(self._chat_with)
        result.page.compare_requested.connect(self._compare)
        result.page.inspect_requested.connect(lambda path: result.inspect(path))
        return result

    def _chat_with(self, path: Path) -> None:
        loaded = self._chat.engine.state.loaded
        if loaded is None or loaded.path != str(path):
            self.models.choose(path)
        self.show_page(CHAT)

    def _quantize(self, source: Path) -> None:
        """Take the weights in a folder or a file to the Quantize page."""
        self.show_page(QUANTIZE)
        if not self.quantizing.job.is_running:
            self.quantizing.page.take_source(source)

    def _compare(self, path: Path) -> None:
        """Hand a file over to the Lab, where it waits."""
        if path not in self._to_compare:
            self._to_compare.append(path)
        self.show_page(LAB)
        names = ", ".join(each.name for each in self._to_compare)
        self.current_page.show_note(self.tr("Waiting to be measured: {names}").format(names=names))

    @property
    def current_page(self) -> QWidget:
        return self._stack.currentWidget()

    @property
    def page(self) -> int:
        return next(n for n, page in self._made.items() if page is self.current_page)

    # --- keys ---------------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        escape = event.key() == Qt.Key.Key_Escape
        if not (escape and self.page == CHAT and self.chat_page.escape()):
            super().keyPressEvent(event)

    # --- looks --------------------------------------------------------------------------------

    def _restyle(self) -> None:
        style.apply_theme(self)
        self._arrange()

    def _on_setting(self, key: str) -> None:
        if key == s.THEME.key:
            theme().follow(self.prefs.get(s.THEME))
        elif key == s.TEXT_SCALE.key:
            style.apply_text_scale(self.prefs.get(s.TEXT_SCALE))

    def _show_title(self, title: str) -> None:
        self.setWindowTitle(title or "Nibble")

    def _arrange(self) -> None:
        """Fit the parts to the window, measured in letters: large text makes it a narrow one."""
        width = self.width() * 100 / px(100)
        narrow = width < tokens()["breakpoint"]["railShowsIconsOnly"]
        self.rail.set_narrow(narrow)
        self.status.set_narrow(narrow)
        self.chat_page.set_room(width)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def leave(self) -> None:
        """Close without asking, as when the session ends."""
        if "quantizing" in self.__dict__:
            self.quantizing.let_close()
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        quantizing = self.__dict__.get("quantizing")  # None where it was never wanted
        if quantizing is not None and not quantizing.may_close(self.close):
            event.ignore()
            return
        geometry = base64.b64encode(self.saveGeometry().data()).decode()
        self.prefs.set(s.WINDOW_GEOMETRY, geometry)
        hand_over_all(self)
        self.prefs.flush()
        self.closing.emit()
        super().closeEvent(event)
        self.hide()  # what ends now may take a moment
        self._free.close()
        if quantizing is not None:
            quantizing.close()
        if "browsing" in self.__dict__:
            self.browsing.close()
        if "downloading" in self.__dict__:
            self.downloading.close()
