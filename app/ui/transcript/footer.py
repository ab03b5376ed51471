"""The row under an answer: branches, copy, regenerate, and how long it took."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QFontMetrics, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QToolTip, QWidget

from app.core.chat import AnswerStats, can_go_on
from app.ui.answerfigures import details
from app.ui.transcript.buttons import FlatButton
from app.ui.transcript.host import Host
from app.ui.transcript.look import Look
from app.ui.transcript.row import Row
from app.ui.words import count, seconds, speed

_OVERHANG = 8  # icons, not their targets, stand at the column's edge


class Actions(QWidget):
    """The buttons for one message. The branches are always there, the others come and go."""

    def __init__(self, parent: QWidget, host: Host, look: Look, row: Row) -> None:
        super().__init__(parent)
        self._host = host
        self._look = look
        self._row = row
        self._branch_label = ""
        self._previous = self._next = None
        self.buttons: list[FlatButton] = []
        self._movable: list[FlatButton] = []
        self._go_on: FlatButton | None = None
        if len(row.branches) > 1 and row.message.id in row.branches:
            self._add_branches(row.branches, row.branches.index(row.message.id))
        self.set_active(False)

    def _add_branches(self, branches: tuple[int, ...], at: int) -> None:
        self._branch_label = f"{at + 1} / {len(branches)}"
        before, after = branches[at - 1 : at], branches[at + 1 : at + 2]
        self._add_branch("chevron-left", self.tr("Previous version"), before)
        self._add_branch("chevron-right", self.tr("Next version"), after)

    def _add_branch(self, icon: str, name: str, target: tuple[int, ...]) -> None:
        button = self._add(icon, name)
        button.setEnabled(bool(target))
        if target:
            button.clicked.connect(lambda: self._host.show_branch(target[0]))

    def _add(self, icon: str, name: str) -> FlatButton:
        button = FlatButton(self, self._look, icon, name)
        self.buttons.append(button)
        button.show()
        return button

    def set_active(self, active: bool) -> None:
        """Show copy and regenerate, or hide them; their place is kept."""
        if active and not self._movable:
            self._add_movable()
        for button in self._movable:
            button.setVisible(active)
        self._show_go_on(active and self._row.is_last_answer and can_go_on(self._row.message))
        self._place()

    def _show_go_on(self, is_wanted: bool) -> None:
        """The way on for an answer that ended too early."""
        if is_wanted and self._go_on is None:
            words = self.tr("Continue")
            self._go_on = FlatButton(self, self._look, "chevron-right", words, words)
            self._go_on.clicked.connect(lambda: self._host.go_on(self._row.message.id))
            self.buttons.append(self._go_on)
        if self._go_on is not None:
            self._go_on.setVisible(is_wanted)

    def _add_movable(self) -> None:
        copy = self._add("copy", self.tr("Copy message"))
        copy.clicked.connect(lambda: self._on_copy(copy))
        self._movable = [copy]
        if not self._row.is_user:
            again = self._add("regenerate", self.tr("Answer again"))
            again.clicked.connect(lambda: self._host.regenerate(self._row.message.id))
            self._movable.append(again)

    def _on_copy(self, button: FlatButton) -> None:
        self._host.copy(self._row.text)
        button.say_for_a_while("check", self.tr("Copied"))

    @property
    def _label_width(self) -> int:
        words = QFontMetrics(self._look.figures).horizontalAdvance(self._branch_label)
        return words + self._look.px(4) if self._branch_label else 0

    def _place(self) -> None:
        side = self._look.px(28)
        x = 0
        for i, button in enumerate(self.buttons):
            if button is self._go_on and button.isHidden():
                continue
            width = button.sizeHint().width()
            button.setGeometry(x, 0, width, side)
            x += width + (self._label_width if i == 0 and self._branch_label else self._look.px(2))
            if i == 1 and self._branch_label:
                x += self._look.px(8)
        self.resize(max(x, 1), side)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._branch_label:
            return
        painter = QPainter(self)
        painter.setFont(self._look.figures)
        painter.setPen(self._look.color("textSecondary"))
        side = self._look.px(28)
        painter.drawText(
            side, 0, self._label_width, side, Qt.AlignmentFlag.AlignCenter, self._branch_label
        )


class Footer(QWidget):
    """Actions at the left, measured figures at the right."""

    def __init__(self, parent: QWidget, host: Host, look: Look, row: Row) -> None:
        super().__init__(parent)
        self._look = look
        self._row = row
        self.bar = Actions(self, host, look, row)

    def set_active(self, active: bool) -> None:
        self.bar.set_active(active and not self._row.is_streaming)

    def paintEvent(self, _event: QPaintEvent) -> None:
        stats = self._row.message.stats
        if stats is None or self._row.is_streaming:
            return
        painter = QPainter(self)
        painter.setFont(self._look.figures)
        painter.setPen(self._look.color("textSecondary"))
        right = self.rect().adjusted(0, 0, -_OVERHANG, 0)
        taken = max(self._look.px(170), self.bar.width() + self._look.px(24))
        text = self._fitting(stats, self.width() - taken)
        painter.drawText(right, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def event(self, event: QEvent) -> bool:
        """All that is known of the answer, where the mouse rests on the figures."""
        if isinstance(event, QHelpEvent) and not self.bar.geometry().contains(event.pos()):
            QToolTip.showText(event.globalPos(), self.about, self)
            return True
        return super().event(event)

    @property
    def about(self) -> str:
        """The figures in whole lines."""
        stats = self._row.message.stats
        return "\n".join(details(stats)) if stats and not self._row.is_streaming else ""

    def _fitting(self, stats: AnswerStats, width: int) -> str:
        """As many of the figures as there is room for, the most telling first."""
        metrics = QFontMetrics(self._look.figures)
        parts = self._figures(stats)
        while len(parts) > 1 and metrics.horizontalAdvance(" · ".join(parts)) > width:
            parts.pop()
        return " · ".join(parts)

    def _figures(self, stats: AnswerStats) -> list[str]:
        ended = {
            "length": self.tr("ended at the longest answer set"),
            "context": self.tr("ended because the context is full"),
        }.get(stats.stop_reason, "")
        return [
            *([ended] if ended else []),
            self.tr("{n} tokens").format(n=count(stats.n_generated)),
            self.tr("{speed} tokens/s").format(speed=speed(stats.tps)),
            self.tr("first token {seconds}").format(seconds=seconds(stats.ttft_ms)),
            self.tr("seed {seed}").format(seed=stats.seed),
        ]
