"""The dock of downloads: those that run or wait, how fast, and what came of the others."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout

from app.jobs.downloads import Downloads
from app.jobs.downloadstate import DownloadState, Stage, total_speed
from app.ui.controls import ElidedLabel, Hairline, Surface, button, label, set_text
from app.ui.downloads import wording
from app.ui.downloads.cancelling import cancel_asking
from app.ui.downloads.row import DownloadRow
from app.ui.theme import px, theme
from app.ui.transcript.accessibility import announce

_NARROW_PX = 760
_MAX_ROWS_PX = 4.5 * 36  # half a row shows that there is more


class DownloadsDock(Surface):
    """Is not there while there is nothing in it."""

    chat_requested = Signal(object)  # Path of a model
    quantize_requested = Signal(object)  # Path of a folder of weights

    def __init__(self, downloads: Downloads) -> None:
        super().__init__("sidebar")
        self._downloads = downloads
        self.rows: dict[int, DownloadRow] = {}
        self._note = ElidedLabel()
        self._speed = label("", "small", "secondary")
        self.clear_button = button(self.tr("Clear the list"), "link")
        self.clear_button.setToolTip(self.tr("Takes what is complete off this list. Files stay."))
        self._area = QScrollArea()
        self._rows = QVBoxLayout()
        self._lay_out()
        self.clear_button.clicked.connect(downloads.clear_done)
        downloads.changed.connect(self.show_states)
        downloads.finished.connect(self._on_finished)
        theme().changed.connect(self._place)
        self._place()
        self.show_states(downloads.states)

    def _lay_out(self) -> None:
        self._note.setProperty("step", "small")
        self._note.setProperty("tone", "tertiary")
        self._head = QHBoxLayout()
        self._head.addWidget(label(self.tr("Downloads"), "small", "secondary", strong=True))
        self._head.addWidget(self._note, 1)
        self._head.addWidget(self.clear_button)
        self._head.addWidget(self._speed)
        inner = Surface("none")
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._rows)
        column.addStretch(1)
        self._rows.setSpacing(0)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidgetResizable(True)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setAccessibleName(self.tr("Downloads"))
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setWidget(inner)
        self._column = QVBoxLayout(self)
        self._column.setSpacing(0)
        self._column.addWidget(Hairline())
        self._column.addLayout(self._head)
        self._column.addWidget(self._area)

    # --- what is shown ------------------------------------------------------------------------

    def show_states(self, states: tuple[DownloadState, ...]) -> None:
        self._drop_all_but({state.id for state in states})
        for state in states:
            row = self.rows.get(state.id)
            if row is None:
                self._add(state)
            else:
                row.show_state(state)
        speed = total_speed(states)
        set_text(self._speed, wording.per_second(speed) if speed else "")
        open_ones = any(state.is_open for state in states)
        keeps = self.tr("You can close Nibble: what has arrived is kept.")
        set_text(self._note, keeps if open_ones else "")
        self.clear_button.setVisible(any(s.stage is Stage.DONE for s in states))
        self.setVisible(bool(states))
        self._fit_rows()

    def _add(self, state: DownloadState) -> None:
        row = self.rows[state.id] = DownloadRow(state)
        row.pause_requested.connect(self._downloads.pause)
        row.resume_requested.connect(self._downloads.resume)
        row.cancel_requested.connect(self._cancel)
        row.use_requested.connect(self._use)
        row.set_narrow(self._is_narrow)
        self._rows.addWidget(row)

    def _drop_all_but(self, ids: set[int]) -> None:
        for gone in [each for each in self.rows if each not in ids]:
            row = self.rows.pop(gone)
            if row.isAncestorOf(self.window().focusWidget()):
                self._focus_beside(row)
            self._rows.removeWidget(row)
            row.hide()
            row.deleteLater()

    def _focus_beside(self, row: DownloadRow) -> None:
        """The focus goes on to a neighbour rather than out of the dock."""
        place = self._rows.indexOf(row)
        for near in (place + 1, place - 1):
            item = self._rows.itemAt(near)
            if item is not None:
                item.widget().cancel_button.setFocus()
                return

    def _on_finished(self, _paths: tuple[Path, ...], state: DownloadState) -> None:
        announce(self, wording.finished(state))

    # --- what the user does -------------------------------------------------------------------

    def _cancel(self, download_id: int) -> None:
        cancel_asking(self, self._downloads, download_id)

    def _use(self, download_id: int) -> None:
        state = self._downloads.find(download_id)
        if state is None or not state.paths:
            return
        if state.model is not None:
            self.chat_requested.emit(state.model)
        else:
            self.quantize_requested.emit(state.request.folder)

    # --- room ---------------------------------------------------------------------------------

    def _place(self) -> None:
        margin = px(16 if self._is_narrow else 24)
        self._head.setContentsMargins(margin, px(10), margin, px(2))
        self._head.setSpacing(px(12))
        self._column.setContentsMargins(0, 0, 0, px(8))
        for row in self.rows.values():
            row.set_narrow(self._is_narrow)
        self._fit_rows()

    def _fit_rows(self) -> None:
        """As high as the rows, up to a limit; beyond it they scroll."""
        width = self._area.viewport().width()
        wanted = sum(_height(row, width) for row in self.rows.values())
        height = min(wanted, px(_MAX_ROWS_PX))
        if self._area.height() != height:
            self._area.setFixedHeight(height)

    @property
    def _is_narrow(self) -> bool:
        return self.width() < px(_NARROW_PX)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place()


def _height(row: DownloadRow, width: int) -> int:
    layout = row.layout()
    needs = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else 0
    return max(row.minimumHeight(), needs, layout.totalMinimumSize().height())
