"""Cancelling a download: what has arrived is thrown away, so that is asked."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.jobs.downloads import Downloads
from app.jobs.downloadstate import Stage
from app.ui.downloads import wording
from app.ui.questions import ask_to_discard

_TRIFLE_BYTES = 1_000_000  # as much is thrown away without asking


def cancel_asking(parent: QWidget, downloads: Downloads, download_id: int) -> None:
    """Cancel it, after a question where much has arrived; one that is done leaves the list."""
    state = downloads.find(download_id)
    if state is None:
        return
    if state.stage is Stage.DONE or state.done_bytes < _TRIFLE_BYTES:
        downloads.cancel(download_id)
        return
    name, arrived = wording.name_of(state), state.done_bytes
    ask_to_discard(parent, name, arrived, lambda: downloads.cancel(download_id))
