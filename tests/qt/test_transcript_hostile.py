"""What a model may write, by accident or because a document told it to: shown, and nothing more."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, Qt, QTimer, QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QTextBrowser
from pytestqt.qtbot import QtBot

from app.core.chat import Status
from app.ui.transcript import Transcript
from app.ui.transcript.markdown import is_web_link
from tests.qt.test_transcript_view import said, settle, texts, transcript

__all__ = ["transcript"]

NEST = 10_000
HOSTILE = {
    "no line break": "word " * 40_000,
    "no space either": "x" * 200_000,
    "backticks": "`" * 1_000_000,
    "backticks in words": "a ``` " * 50_000,
    "open emphasis": "**a _b ~~c [d](e " * 2_000,
    "open brackets": "[" * 50_000,
    "open images": "![a](" * 20_000,
    "angle brackets": "<" * 50_000,
    "ampersands": "&amp" * 20_000,
    "open fence": "```py\n" + "x = '\n" * 5_000,
    "quotes in a line": "> " * NEST + "deep",
    "lists in a line": "- " * NEST + "deep",
    "numbers in a line": "1. " * NEST + "deep",
    "nested lists": "".join("  " * i + f"- {i}\n" for i in range(500)),
    "nested quotes": "".join(">" * i + f" {i}\n\n" for i in range(400)),
    "table of pipes": "|" * 5_000 + "\n" + "|-" * 5_000 + "\n" + "|" * 5_000,
    "tables without end": "|a|b|\n|-|-|\n" + "|1|2|\n" * 20_000,
    "null bytes": "a\0b" * 1_000,
    "lone surrogates": "a\ud800b\udfff" * 1_000,
    "frames": "\ufdd0\ufdd1\ufffc\u2029\u2028" * 1_000,
    "combining": "a" + "\u0301" * 20_000,
    "right to left": "\u202e\u05d0\u0627 " * 5_000,
    "headings": "#" * 10_000 + " x\n" + "# \n" * 2_000,
    "line breaks": "\n" * 200_000,
    "rules": "---\n" * 5_000,
    "escapes": "\\" * 20_000,
    "tabs": "\t" * 20_000 + "x",
    "html": "<div onclick='x'>" * 3_000,
    "emoji": "👩‍👩‍👧‍👦" * 3_000,
}


class LongestGap:
    """How long this thread computed without the event loop coming round.

    Its own time and not the clock's, which also counts what else the machine does.
    """

    def __init__(self) -> None:
        self.value_ms = 0.0
        self._last = time.thread_time()
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start(1)

    def _beat(self) -> None:
        now = time.thread_time()
        self.value_ms = max(self.value_ms, (now - self._last) * 1_000)
        self._last = now


@pytest.mark.parametrize("name", HOSTILE)
def test_opening_takes_no_time(transcript: Transcript, qtbot: QtBot, name: str) -> None:
    started = time.thread_time()
    transcript.set_conversation([said(1, HOSTILE[name]), said(2, HOSTILE[name])], {})
    assert time.thread_time() - started < 1
    settle(transcript, qtbot)
    assert time.thread_time() - started < 3


@pytest.mark.parametrize("name", HOSTILE)
def test_streaming_never_freezes(transcript: Transcript, qtbot: QtBot, name: str) -> None:
    text = HOSTILE[name][:60_000]
    transcript.add_message(said(2, "", status=Status.PARTIAL))
    gap = LongestGap()
    for i in range(0, len(text), 4_000):
        transcript.append_text(2, text[i : i + 4_000])
        settle(transcript, qtbot)
    transcript.finish_message(said(2, text))
    settle(transcript, qtbot)
    assert gap.value_ms < 400  # 100 on a quiet machine


@pytest.mark.parametrize("name", ["no line break", "open fence", "tables without end"])
def test_scrolling_through_shows_it_all(transcript: Transcript, qtbot: QtBot, name: str) -> None:
    transcript.set_conversation([said(2, HOSTILE[name])], {})
    bar = transcript.verticalScrollBar()
    for place in (0, bar.maximum() // 2, bar.maximum()):
        bar.setValue(place)
        settle(transcript, qtbot)
        assert texts(transcript)


def test_no_document_has_a_giant_line(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.set_conversation([said(2, HOSTILE["no line break"])], {})
    settle(transcript, qtbot)
    for view in transcript.findChildren(QTextBrowser):
        block = view.document().begin()
        while block.isValid():
            assert block.length() < 2_200
            block = block.next()


def test_html_is_shown_as_it_is(transcript: Transcript) -> None:
    text = '<script>alert("1")</script> <img src=x onerror=y> <a href="file:///x">x</a>'
    transcript.set_conversation([said(1, text), said(2, text)], {})
    assert texts(transcript) == [text, text]


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("file:///etc/passwd", "file:///etc/passwd"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("JaVaScRiPt:alert(1)", "JaVaScRiPt:alert(1)"),
        ("\\\\\\\\server\\share", "%5C%5Cserver%5Cshare"),
        ("//server/share", "(//server/share)"),
        ("data:text/html,x", "data:text/html,x"),
        ("vbscript:x", "vbscript:x"),
        ("smb://server/share", "(smb://server/share)"),
        ("about:blank", "(about:blank)"),
        ("https:nohost", "(https:nohost)"),
        ("https://bank.example@evil.example", "(https://bank.example@evil.example)"),
        ("/etc/passwd", "(/etc/passwd)"),
        ("mailto:", "(mailto:)"),
        ("http://[broken", "(http://%5Bbroken)"),
    ],
)
def test_such_links_lead_nowhere(
    transcript: Transcript, qtbot: QtBot, target: str, shown: str
) -> None:
    transcript.set_conversation([said(2, f"[click]({target}) <{target}>")], {})
    view = transcript.findChild(QTextBrowser)
    with qtbot.assertNotEmitted(transcript.link_activated):
        assert {view.anchorAt(QPoint(x, 12)) for x in range(2, 500, 4)} == {""}
        view._on_anchor_clicked(QUrl(target))
    assert not is_web_link(target)
    assert shown in texts(transcript)[0]


@pytest.fixture
def listener() -> Iterator[tuple[int, list[object]]]:
    """A server on this machine, and whoever called."""
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)
    calls: list[object] = []
    done = threading.Event()

    def listen() -> None:
        while not done.is_set():
            try:
                connection, address = server.accept()
            except TimeoutError:
                continue
            calls.append(address)
            connection.close()

    thread = threading.Thread(target=listen)
    thread.start()
    yield server.getsockname()[1], calls
    done.set()
    thread.join()
    server.close()


def test_nothing_is_fetched(transcript: Transcript, qtbot: QtBot, listener, tmp_path) -> None:
    port, calls = listener
    (tmp_path / "x.png").write_bytes(b"")
    url = f"http://127.0.0.1:{port}/x.png"
    text = (
        f"![a]({url}) [![b]({url})]({url}) <img src='{url}'>\n\n[c]({url})\n\n"
        f"![d]({(tmp_path / 'x.png').as_uri()})\n\n"
        f'```html\n<img src="{url}">\n```\n\n| ![e]({url}) |\n|--|\n| ![f]({url}) |'
    )
    transcript.set_conversation([said(1, text), said(2, text)], {})
    transcript.add_message(said(4, "", status=Status.PARTIAL))
    transcript.append_text(4, text)
    settle(transcript, qtbot)
    transcript.grab()
    qtbot.wait(150)
    assert calls == []
    assert url in texts(transcript)[1]


def test_a_view_loads_nothing(transcript: Transcript) -> None:
    transcript.set_conversation([said(2, "text")], {})
    view = transcript.findChild(QTextBrowser)
    for kind in (QTextDocument.ResourceType.ImageResource, QTextDocument.ResourceType.HtmlResource):
        assert view.loadResource(kind.value, QUrl("file:///etc/passwd")) is None
    assert not view.openLinks()
    assert not view.openExternalLinks()
