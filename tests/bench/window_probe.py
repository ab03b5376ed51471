"""The real window with a stopwatch in it. Started by tests.bench.window, prints one JSON object.

Usage: python -m tests.bench.window_probe start|stream|idle
"start": times from the process's start to the first paint and to a loaded model.
"stream": opens the conversation that the database holds, asks, and watches the event loop.
"idle": leaves everything alone for a minute.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from typing import Any

gc.disable()  # as app.__main__ does, before anything large is imported

import psutil
from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication

from app.jobs.engine import EngineState, Phase
from app.ui import application
from tests.bench.prompts import question

PAINT_SETTLES_MS = 300
TICK_MS = 4

IDLE_S = 60.0
_started = float(os.environ["NIBBLE_BENCH_STARTED"])  # psutil's is only good to a second


class Probe(QObject):
    """Watches one `Application`; ends the program when it has seen enough."""

    def __init__(self, running: application.Application, mode: str) -> None:
        super().__init__()
        self._running = running
        self._mode = mode
        self._chat = running._chat
        self.figures: dict[str, Any] = {}
        self._gaps: list[float] = []
        running.window.installEventFilter(self)
        running._engine.state_changed.connect(self._on_state)
        self._tick = QTimer(self)
        self._tick.setTimerType(Qt.TimerType.PreciseTimer)
        self._tick.setInterval(TICK_MS)
        self._tick.timeout.connect(self._on_tick)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and "visible_s" not in self.figures:
            self.figures["visible_s"] = time.time() - _started
        return False

    def _on_state(self, state: EngineState) -> None:
        if state.phase is Phase.READY and "answerable_s" not in self.figures:
            self.figures["answerable_s"] = time.time() - _started
            QTimer.singleShot(PAINT_SETTLES_MS, self._go_on)

    def _go_on(self) -> None:
        {"start": self._finish, "stream": self._open, "idle": self._idle}[self._mode]()

    def _finish(self) -> None:
        self.figures["rss_bytes"] = psutil.Process().memory_info().rss
        print(json.dumps(self.figures), flush=True)
        QApplication.closeAllWindows()

    # --- streaming ----------------------------------------------------------------------------

    def _open(self) -> None:
        self._chat.conversation_opened.connect(self._on_opened)
        self._clock = time.perf_counter()
        self._chat.open_conversation(1)

    def _on_opened(self, opened: object) -> None:
        self._chat.conversation_opened.disconnect(self._on_opened)
        QTimer.singleShot(0, self._on_painted)  # after the layout and paint that opening caused

    def _on_painted(self) -> None:
        self._running.window.repaint()
        self.figures["open_s"] = time.perf_counter() - self._clock
        QTimer.singleShot(PAINT_SETTLES_MS, self._ask)

    def _ask(self) -> None:
        self._chat.answer_finished.connect(self._on_finished)
        self._last = 0.0
        self._chat.text_received.connect(self._on_first_text)
        self._chat.send(question(0))

    def _on_first_text(self, *_: object) -> None:
        self._chat.text_received.disconnect(self._on_first_text)
        self._last = time.perf_counter()
        self._cpu = psutil.Process().cpu_times()
        self._clock = time.perf_counter()
        self._tick.start()

    def _on_tick(self) -> None:
        now = time.perf_counter()
        self._gaps.append(now - self._last)
        self._last = now

    def _on_finished(self, message: Any) -> None:
        self._tick.stop()
        cpu, took = psutil.Process().cpu_times(), time.perf_counter() - self._clock
        gaps = sorted(self._gaps)
        self.figures |= {
            "tps": message.stats.tps,
            "ttft_ms": message.stats.ttft_ms,
            "n_generated": message.stats.n_generated,
            "text": message.text,
            "gap_p50_ms": gaps[len(gaps) // 2] * 1000,
            "gap_p99_ms": gaps[int(len(gaps) * 0.99)] * 1000,
            "gap_max_ms": gaps[-1] * 1000,
            "ui_cpu_share": (cpu.user + cpu.system - self._cpu.user - self._cpu.system) / took,
        }
        QTimer.singleShot(PAINT_SETTLES_MS, self._finish)

    # --- idling -------------------------------------------------------------------------------

    def _idle(self) -> None:
        QTimer.singleShot(3000, self._begin_idle)

    def _begin_idle(self) -> None:
        self._before = self._cpu_of_all()
        QTimer.singleShot(int(IDLE_S * 1000), self._end_idle)

    def _end_idle(self) -> None:
        self.figures["idle_cpu_s"] = self._cpu_of_all() - self._before
        self._finish()

    def _cpu_of_all(self) -> float:
        own = psutil.Process()
        times = [process.cpu_times() for process in (own, *own.children(recursive=True))]
        return sum(t.user + t.system for t in times)


def main(mode: str) -> None:
    probes: list[Probe] = []
    show = application.Application.show

    def show_and_watch(running: application.Application) -> None:
        probes.append(Probe(running, mode))
        show(running)

    application.Application.show = show_and_watch  # type: ignore[method-assign]
    sys.exit(application.run_window([]))


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "xcb")
    main(sys.argv[1])
