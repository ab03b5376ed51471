"""Has the engine measure, once for each model, how that is run best here, when nobody wants it.

Some seconds after a load or an answer the child measures for a few more; whatever is asked of it
meanwhile ends that at once. The result is for the next load: the one that runs stays as it is, so
that the same question gets the same answer. Not on a battery that is running low, not while other
programs work, and no more than a few times where it came to nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
from PySide6.QtCore import QObject, QTimer, Slot

from app.core.tuned import TuneRecord, key_for
from app.engine.protocol import Loaded, Tuned
from app.jobs.chat import ChatJob
from app.jobs.engine import EngineState, Phase

QUIET_MS = 5_000  # nothing was asked for so long
AGAIN_MS = 60_000  # after it could not be measured
_LEAST_LIMIT_S, _MOST_LIMIT_S = 6.0, 30.0
_SMALL_BYTES = 10**9
_MOST_TRIES = 4  # for one load
_BUSY_PERCENT = 20.0  # of all processors, over the last wait
_LOW_BATTERY_PERCENT = 40.0


class Tuning(QObject):
    """Follows the engine of `chat`. Nothing of it runs on once the loaded model is known."""

    def __init__(
        self, chat: ChatJob, is_wanted: Callable[[], bool], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._chat, self._is_wanted = chat, is_wanted
        self._loaded: Loaded | None = None  # the model that this is about
        self._is_open = False  # it is to be measured still
        self._n_tries = 0
        self.wait = QTimer(self)
        self.wait.setSingleShot(True)
        self.wait.timeout.connect(self._on_quiet)
        chat.engine.state_changed.connect(self._on_state)
        chat.engine.tuned.connect(self._on_tuned)
        self._on_state(chat.engine.state)

    @Slot(object)
    def _on_state(self, state: EngineState) -> None:
        if state.phase is not Phase.READY:
            self.wait.stop()
        elif state.loaded is not self._loaded:
            self._begin(state)
        elif self._is_open:
            self._wait(QUIET_MS)

    def _begin(self, state: EngineState) -> None:
        """A model was loaded: is it known?"""
        self._loaded, self._is_open, self._n_tries = state.loaded, False, 0
        loaded = state.loaded
        key = key_for(Path(loaded.path)) if loaded else None
        if loaded is None or key is None or self._chat.read_only:
            return

        def look(record: TuneRecord | None) -> None:
            if loaded is self._loaded and not _holds(record, loaded, self._chat.engine.llama_cpp):
                self._is_open = True
                self._wait(QUIET_MS)

        self._chat.read_store(lambda store: store.tuned(key), look)

    def _wait(self, ms: int) -> None:
        if not self._is_wanted():
            return
        psutil.cpu_percent()  # the next call says how busy it was from here on
        self.wait.start(ms)

    @Slot()
    def _on_quiet(self) -> None:
        if self._chat.engine.state.phase is not Phase.READY or not self._is_open:
            return
        self._n_tries += 1
        if psutil.cpu_percent() > _BUSY_PERCENT or is_battery_low():
            self._try_later()
        else:
            self._chat.engine.tune(limit_s_for(self._loaded.size_bytes if self._loaded else 0))

    def _try_later(self) -> None:
        if self._n_tries < _MOST_TRIES:
            self._wait(AGAIN_MS)
        else:
            self._is_open = False

    @Slot(object)
    def _on_tuned(self, tuned: Tuned) -> None:
        loaded = self._loaded
        if loaded is None or not self._is_open:
            return
        key = key_for(Path(loaded.path))
        if not tuned.n_threads or key is None:
            if self._chat.engine.state.phase is Phase.READY:
                self._try_later()
            else:
                self._n_tries -= 1  # a question ended it, which says nothing of the next time
            return
        self._is_open = False
        record = TuneRecord(
            name=loaded.name,
            variant=loaded.variant,
            device=loaded.device,
            llama_cpp=self._chat.engine.llama_cpp,
            n_threads=tuned.n_threads,
            flash_attn=tuned.flash_attn,
            kv_type=tuned.kv_type,
            pass_costs=tuned.pass_costs,
        )
        self._chat.write_store(lambda store: store.record_tuned(key, record))


def limit_s_for(size_bytes: int) -> float:
    """A few seconds; a large model reads its weights a few times a second only."""
    return min(_LEAST_LIMIT_S * max(1.0, size_bytes / _SMALL_BYTES), _MOST_LIMIT_S)


def _holds(record: TuneRecord | None, loaded: Loaded, llama_cpp: str) -> bool:
    """Whether `record` says something of this device and this build."""
    return record is not None and (record.device, record.llama_cpp) == (loaded.device, llama_cpp)


def is_battery_low() -> bool:
    """Whether the computer runs on a battery that is not full enough to spend some of it."""
    ask = getattr(psutil, "sensors_battery", None)  # not on every system
    battery = ask() if ask is not None else None
    if battery is None or battery.power_plugged:
        return False
    return bool(battery.percent < _LOW_BATTERY_PERCENT)
