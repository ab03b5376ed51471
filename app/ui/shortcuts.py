"""The keys that work on every page, and F6, which goes from part to part."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QApplication

if TYPE_CHECKING:
    from app.ui.window import MainWindow

CHAT, MODELS, QUANTIZE, LAB, SETTINGS = range(5)


class WindowKeys(QObject):
    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        chat = window.chat_page
        keys: dict[str, Callable[[], object]] = {
            "Ctrl+N": self._on_chat(chat.new_conversation),
            "Ctrl+L": self._on_chat(chat.open_picker),
            "Ctrl+I": self._on_chat(chat.toggle_inspector),
            "Ctrl+B": self._on_chat(chat.toggle_list),
            "Ctrl+F": self._find,
            "F2": self._on_chat(chat.begin_rename),
            "Ctrl+,": lambda: window.show_page(SETTINGS),
            "Ctrl+Q": window.close,
            "F6": lambda: self._focus_next_region(1),
            "Shift+F6": lambda: self._focus_next_region(-1),
        }
        for number in (CHAT, MODELS, QUANTIZE, LAB):
            keys[f"Ctrl+{number + 1}"] = lambda number=number: window.show_page(number)
        for key, action in keys.items():
            QShortcut(QKeySequence(key), window, action)

    def _on_chat(self, action: Callable[[], object]) -> Callable[[], object]:
        """`action` on the chat page, shown first where another page is."""

        def run() -> None:
            if self._window.page != CHAT:
                self._window.show_page(CHAT)
            action()

        return run

    def _find(self) -> None:
        """On the page that is shown, where it can search; else among the conversations."""
        find = getattr(self._window.current_page, "find", None)
        (find or self._on_chat(self._window.chat_page.find))()

    def _focus_next_region(self, step: int) -> None:
        window = self._window
        regions = [(window.rail, window.rail.focus_chosen)]
        if window.page == CHAT:
            regions += window.chat_page.regions()
        else:
            page = window.current_page
            parts = getattr(page, "regions", None)
            regions += parts() if parts else [(page, lambda: page.focusNextChild())]
        focused = QApplication.focusWidget()
        # The first that holds the focus: the page bar lies within the column, and stands before it.
        here = [n for n, (area, _) in enumerate(regions) if focused and area.isAncestorOf(focused)]
        regions[((here[0] if here else -1) + step) % len(regions)][1]()
