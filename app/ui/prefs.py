"""The settings as the window uses them: kept in step between pages, written with a short delay.

Each write of the settings file waits for the disk; a spin box that is held down must not do that
thirty times a second. `flush` writes what is still waiting: call it before anything that reads
`Settings` itself.

Some settings have no default of their own while a model is loaded: its maker's stand in for the
app's, until a person chooses. What is
chosen is kept for those even where it is the app's default.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from app.core.errors import SettingsError
from app.core.settings import KV_TYPE, SAMPLING, Setting, Settings

T = TypeVar("T", bool, int, float, str)
WRITE_MS = 250
_OPEN = frozenset(setting.key for setting in (*SAMPLING, KV_TYPE))
_UNSET = object()


class Prefs(QObject):
    """Reads and writes `Settings` for the window."""

    changed = Signal(str)  # the key of the setting
    failed = Signal(object)  # SettingsError

    def __init__(self, settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._settings = settings
        self._waiting: dict[str, tuple[Setting, object]] = {}
        self._defaults: dict[str, object] = {}
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WRITE_MS)
        self._timer.timeout.connect(self.flush)

    def get(self, setting: Setting[T]) -> T:
        if not self.is_set(setting):
            return self.default_of(setting)
        if setting.key in self._waiting:
            return self._waiting[setting.key][1]
        return self._settings.get(setting)

    def set(self, setting: Setting[T], value: T) -> None:
        if value == self.get(setting) and (setting.key not in _OPEN or self.is_set(setting)):
            return
        self._wait(setting, value)

    def reset(self, *settings: Setting) -> None:
        """Back to the defaults."""
        for setting in settings:
            if self.is_set(setting):
                self._wait(setting, _UNSET)

    def _wait(self, setting: Setting, value: object) -> None:
        self._waiting[setting.key] = (setting, value)
        self._timer.start()
        self.changed.emit(setting.key)

    def is_set(self, setting: Setting) -> bool:
        """Whether a person chose it; not so what stands at the app's default, for most settings."""
        if setting.key in self._waiting:
            value = self._waiting[setting.key][1]
            return value is not _UNSET and (setting.key in _OPEN or value != setting.default)
        return self._settings.is_set(setting)

    def is_default(self, setting: Setting) -> bool:
        return self.get(setting) == self.default_of(setting)

    # --- what stands in for the app's defaults ------------------------------------------------

    def default_of(self, setting: Setting[T]) -> T:
        return self._defaults.get(setting.key, setting.default)

    def has_model_default(self, setting: Setting) -> bool:
        return setting.key in self._defaults

    def take_defaults(self, defaults: Mapping[Setting, object]) -> None:
        """The loaded model's own, in place of those of the model before."""
        new = {setting.key: value for setting, value in defaults.items() if setting.accepts(value)}
        old, self._defaults = self._defaults, new
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                self.changed.emit(key)

    def flush(self) -> None:
        """Write what has changed. Says so with `failed` when it could not be kept."""
        self._timer.stop()
        waiting, self._waiting = self._waiting, {}
        try:
            for setting, value in waiting.values():
                if value is _UNSET or (value == setting.default and setting.key not in _OPEN):
                    self._settings.reset(setting)
                else:
                    self._settings.set(setting, value)
        except SettingsError as error:
            self.failed.emit(error)
