"""Garbage is collected on the UI thread, whoever makes it."""

from __future__ import annotations

import threading
import weakref

import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from app.ui.garbage import Garbage, due

THRESHOLDS = (700, 10, 10)


@pytest.mark.parametrize(
    ("counts", "generation"),
    [((10, 50, 50), None), ((701, 0, 50), 0), ((701, 11, 3), 1), ((701, 11, 11), 2)],
)
def test_what_is_due(counts: tuple[int, int, int], generation: int | None) -> None:
    assert due(counts, THRESHOLDS) == generation


def test_a_worker_destroys_no_object_of_qts(qtbot: QtBot) -> None:
    where: list[int] = []
    kept: list[list[int]] = []
    garbage = Garbage()
    try:
        thing = QObject()
        thing.itself = thing
        weakref.finalize(thing, lambda: where.append(threading.get_ident()))
        del thing
        worker = threading.Thread(target=lambda: kept.extend([n] for n in range(5_000)))
        worker.start()
        worker.join()
        assert not where
        qtbot.waitUntil(lambda: bool(where))
        assert where == [threading.get_ident()]
    finally:
        garbage.deleteLater()
