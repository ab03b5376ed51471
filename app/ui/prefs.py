"""The settings as the window uses them: kept in step between pages, written with a short delay.

Each write of the settings file waits for the disk; a spin box that is held down must not do that
thirty times a second. `flush` writes what is still waiting: call it before anything that reads
`Settings` itself.
"""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from app.core.errors import SettingsError
from app.core.settings import Setting, Settings

T = TypeVar("T", bool, int, float, str)
WRITE_MS = 250


class Prefs(QObject):
    """Reads and writes `Settings` for the window."""

    changed = Signal(str)  # the key of the setting
    failed = Signal(object)  # SettingsError

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._waiting: dict[str, tuple[Setting, object]] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WRITE_MS)
        self._timer.timeout.connect(self.flush)

    def get(self, setting: Setting[T]) -> T:
        if setting.key in self._waiting:
            return self._waiting[setting.key][1]
        return self._settings.get(setting)

    def set(self, setting: Setting[T], value: T) -> None:
        if value == self.get(setting):
            return
        self._waiting[setting.key] = (setting, value)
        self._timer.start()
        self.changed.emit(setting.key)

    def reset(self, *settings: Setting) -> None:
        """Back to the defaults."""
        for setting in settings:
            self.set(setting, setting.default)

    def is_default(self, setting: Setting) -> bool:
        return self.get(setting) == setting.default

    def flush(self) -> None:
        """Write what has changed. Says so with `failed` when it could not be kept."""
        self._timer.stop()
        waiting, self._waiting = self._waiting, {}
        try:
            for setting, value in waiting.values():
                if value == setting.default:
                    self._settings.reset(setting)
                else:
                    self._settings.set(setting, value)
        except SettingsError as error:
            self.failed.emit(error)
