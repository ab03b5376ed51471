"""Measures the transcript: opening, streaming, scrolling, resizing. Prints JSON.

Run with `python -m tests.bench.transcript_streaming`. Times are milliseconds of the UI thread; a
gap is how long the event loop did not come round.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QElapsedTimer, QEvent, QEventLoop, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow

from app.core.chat import AnswerStats, ChatMessage, Role, Status
from app.ui.style import apply_text_scale, apply_theme
from app.ui.transcript import Transcript

SIZE = (700, 720)
FRAME_MS = 33
TOKENS_PER_FRAME = 10
STATS = AnswerStats(100, 0, 412, 18.4, 70, 0, "stop", 1207)
WORDS = [
    "the",
    "model",
    "reads",
    "a",
    "file",
    "and",
    "writes",
    "down",
    "what",
    "it",
    "found",
    "there",
    "so",
    "that",
    "you",
    "can",
    "see",
    "**how**",
    "it",
    "went",
    "and",
    "`where`",
    "the",
    "time",
    "was",
    "lost",
    "while",
    "other",
    "things",
    "were",
    "waiting",
    "for",
    "their",
    "turn",
]
CODE = (
    "def total(rows):\n    # sums per day\n    result = {}\n    for row in rows:\n"
    '        day = row["day"]\n        result[day] = result.get(day, 0) + int(row["n"])\n'
    "    return result\n"
)
TABLE = "| Day | Loaves | Sold out at |\n|---|--:|--:|\n" + "| Friday | 231 | 12:10 |\n" * 5
_windows: dict[Transcript, QMainWindow] = {}


def prose(rng: random.Random, length: int) -> str:
    words: list[str] = []
    while sum(map(len, words)) + len(words) < length:
        words.append(rng.choice(WORDS))
    return " ".join(words).capitalize() + "."


def answer(rng: random.Random) -> str:
    """300 to 2,000 characters, as models write them."""
    goal = rng.randint(300, 2_000)
    parts: list[str] = []
    while sum(map(len, parts)) < goal:
        kind = rng.random()
        if kind < 0.5:
            parts.append(prose(rng, rng.randint(80, 400)))
        elif kind < 0.7:
            parts.append("\n".join(f"- {prose(rng, 60)}" for _ in range(rng.randint(3, 6))))
        elif kind < 0.8:
            parts.append("\n".join(f"{i}. {prose(rng, 50)}" for i in range(1, 5)))
        elif kind < 0.92:
            parts.append(f"```python\n{CODE}```")
        elif kind < 0.97:
            parts.append(TABLE)
        else:
            parts.append(f"### {prose(rng, 30)}")
    return "\n\n".join(parts)


def conversation(count: int) -> list[ChatMessage]:
    rng = random.Random(7)
    return [message(i + 1, prose(rng, 90) if i % 2 == 0 else answer(rng)) for i in range(count)]


def message(number: int, text: str, status: Status = Status.DONE) -> ChatMessage:
    is_answer = number % 2 == 0
    return ChatMessage(
        id=number,
        conversation_id=1,
        parent_id=number - 1 or None,
        role=Role.ASSISTANT if is_answer else Role.USER,
        text=text,
        created_at=0.0,
        status=status,
        model_name="Qwen3 4B" if is_answer else "",
        variant="Q4_K_M" if is_answer else "",
        stats=STATS if is_answer and status is Status.DONE else None,
    )


class Heartbeat(QObject):
    """Notes how long the event loop takes to come round."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[float] = []
        self._last = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(2)

    def _beat(self) -> None:
        if self._last.isValid():
            self.gaps.append(self._last.nsecsElapsed() / 1e6)
        self._last.start()

    def stop(self) -> float:
        self._timer.stop()
        return round(max(self.gaps), 1)


class PaintWatch(QObject):
    """Knows when the viewport was painted."""

    def __init__(self, transcript: Transcript) -> None:
        super().__init__(transcript)
        self.painted = False
        transcript.viewport().installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.painted = self.painted or event.type() == QEvent.Type.Paint
        return False


def until_painted(watch: PaintWatch, act: Callable[[], object]) -> float:
    """How long `act` takes, with the first picture after it."""
    QApplication.processEvents()
    watch.painted = False
    started = time.perf_counter()
    act()
    while not watch.painted:
        QApplication.processEvents()
    return round((time.perf_counter() - started) * 1e3, 1)


def run_for(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.0005)


def shown() -> tuple[Transcript, PaintWatch]:
    """A transcript in a window with the app's style sheet, which makes new widgets dearer."""
    window = QMainWindow()
    transcript = Transcript()
    window.setCentralWidget(transcript)
    apply_theme(window)
    window.resize(*SIZE)
    window.show()
    _windows[transcript] = window
    run_for(0.2)
    return transcript, PaintWatch(transcript)


def close(transcript: Transcript) -> None:
    window = _windows.pop(transcript)
    window.close()
    window.deleteLater()
    run_for(0.1)


def percentiles(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    pick = lambda q: round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 2)  # noqa: E731
    return {"p50": pick(0.5), "p90": pick(0.9), "p99": pick(0.99), "max": pick(1)}


def measure_open(count: int) -> dict[str, float]:
    messages = conversation(count)
    first_transcript, watch = shown()
    first = until_painted(watch, lambda: first_transcript.set_conversation(messages, {}))
    run_for(0.5)
    again, watch = shown()
    second = until_painted(watch, lambda: again.set_conversation(messages, {}))
    close(first_transcript)
    close(again)
    return {"first_ms": first, "again_ms": second}


def timed_flushes(transcript: Transcript) -> list[float]:
    """The cost of each flush from now on, layout included."""
    costs: list[float] = []
    flush = transcript._on_flush

    def timed() -> None:
        started = time.perf_counter()
        flush()
        costs.append((time.perf_counter() - started) * 1e3)

    transcript._flush_timer.timeout.disconnect()
    transcript._flush_timer.timeout.connect(timed)
    return costs


def stream(transcript: Transcript, text: str, chars_per_frame: int) -> dict[str, object]:
    """Stream `text` as the last answer and watch the event loop."""
    number = len(transcript._column.rows) + 1
    number += number % 2
    transcript.add_message(message(number, "", Status.PARTIAL))
    run_for(0.3)
    costs = timed_flushes(transcript)
    heart = Heartbeat()
    position = 0
    loop = QEventLoop()

    def frame() -> None:
        nonlocal position
        if position >= len(text):
            loop.quit()
        step = max(1, chars_per_frame // TOKENS_PER_FRAME)
        for _ in range(TOKENS_PER_FRAME):
            transcript.append_text(number, text[position : position + step])
            position += step

    timer = QTimer()
    timer.timeout.connect(frame)
    cpu = time.process_time()
    timer.start(FRAME_MS)
    loop.exec()
    timer.stop()
    cpu = time.process_time() - cpu
    gap = heart.stop()
    run_for(0.1)
    started = time.perf_counter()
    transcript.finish_message(message(number, text))
    finish = (time.perf_counter() - started) * 1e3
    run_for(0.3)
    return {
        "flush_ms": percentiles(costs),
        "cpu_ms_per_flush": round(cpu * 1e3 / len(costs), 2),
        "longest_gap_ms": gap,
        "finish_ms": round(finish, 2),
    }


def measure_streaming() -> dict[str, object]:
    transcript, _ = shown()
    transcript.set_conversation(conversation(2_000), {})
    run_for(0.5)
    rng = random.Random(11)
    text = "\n\n".join(answer(rng) for _ in range(9))
    result = stream(transcript, text, 4 * TOKENS_PER_FRAME)
    close(transcript)
    return result


def measure_text(text: str, chars_per_frame: int) -> dict[str, object]:
    transcript, _ = shown()
    result = stream(transcript, text, chars_per_frame)
    close(transcript)
    return result


def measure_scrolling(count: int) -> dict[str, object]:
    """Wheel-like steps, and jumps as with a dragged scroll bar."""
    transcript, watch = shown()
    transcript.set_conversation(conversation(count), {})
    run_for(1)
    bar = transcript.verticalScrollBar()
    steps = []
    for _ in range(400):
        steps.append(until_painted(watch, lambda: bar.setValue(bar.value() - 66)))
        run_for(0.008)
    rng = random.Random(3)
    jumps = [
        until_painted(watch, lambda: bar.setValue(rng.randint(0, bar.maximum()))) for _ in range(60)
    ]
    run_for(0.3)
    resize = until_painted(watch, lambda: _windows[transcript].resize(520, SIZE[1]))
    run_for(0.5)
    back = until_painted(watch, lambda: _windows[transcript].resize(*SIZE))
    close(transcript)
    return {
        "step_ms": percentiles(steps),
        "jump_ms": percentiles(jumps),
        "resize_ms": max(resize, back),
    }


def main() -> None:
    app = QApplication.instance() or QApplication([])
    app.setQuitOnLastWindowClosed(False)
    apply_text_scale(100)
    code = "```python\n" + CODE * 220 + "```\n"
    print(
        json.dumps(
            {
                "open_2000": measure_open(2_000),
                "open_10000": measure_open(10_000),
                "stream_into_2000": measure_streaming(),
                "stream_200kB_without_break": measure_text("words and more " * 13_333, 2_000),
                "stream_200kB_without_space": measure_text("x" * 200_000, 2_000),
                "stream_code_45kB": measure_text(code, 400),
                "scroll_2000": measure_scrolling(2_000),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
