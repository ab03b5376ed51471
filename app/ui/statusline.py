"""The line at the bottom: what the model does, that nothing leaves, how fast and how full."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout

from app.jobs.engine import EngineState, Phase
from app.ui import words
from app.ui.answerfigures import details
from app.ui.controls import ElidedLabel, IconLabel, Surface, label, set_text
from app.ui.figures import Figures
from app.ui.theme import px, theme


class StatusLine(Surface):
    def __init__(self) -> None:
        super().__init__("sidebar")
        self._narrow = False
        self._work = ""
        self._figures: Figures | None = None
        self._icon = IconLabel("cpu", "textSecondary", 14)
        self._phase = ElidedLabel()
        self._phase.setProperty("step", "small")
        self._phase.setProperty("tone", "secondary")
        self._phase.setAccessibleName(self.tr("What the model does"))
        self._network_icon = IconLabel("offline", "textSecondary", 14)
        self._network = label("", "small", "secondary")
        self._network_words = ("", "")
        self._is_chat = True
        self._speed = label("", "small", "secondary")
        self._context = label("", "small", "secondary")
        self._memory = label("", "small", "secondary")
        self._disk = label("", "small", "secondary")
        self._row = QHBoxLayout(self)
        self._row.addWidget(self._icon)
        self._row.addWidget(self._phase)
        self._row.addSpacing(8)
        self._row.addWidget(self._network_icon)
        self._row.addWidget(self._network)
        self._row.addStretch(1)
        self._figures_right = (self._speed, self._context, self._memory, self._disk)
        for widget in self._figures_right:
            self._row.addWidget(widget)
        nothing = self.tr("Offline: nothing has left this computer")
        self.show_network("offline", nothing, self.tr("Offline"))
        self.show_page(is_chat=True)
        theme().changed.connect(self._place)
        self._place()

    @property
    def phase_text(self) -> str:
        return self._phase.text()

    @property
    def speed_text(self) -> str:
        return self._speed.text()

    @property
    def context_text(self) -> str:
        return self._context.text()

    def _place(self) -> None:
        self.setFixedHeight(px(28))
        self._row.setContentsMargins(px(12), 0, px(12), 0)
        self._row.setSpacing(px(6))
        for widget in self._figures_right:
            widget.setContentsMargins(px(8), 0, 0, 0)

    @property
    def network_text(self) -> str:
        return self._network.text()

    @property
    def machine_texts(self) -> tuple[str, str]:
        return self._memory.text(), self._disk.text()

    def set_narrow(self, narrow: bool) -> None:
        self._narrow = narrow
        self._show_network()
        self._show_right()

    def show_network(self, icon: str, text: str, short: str) -> None:
        """What goes over the network now, or has gone: `short` for want of room."""
        self._network_icon.show_icon(icon, "textSecondary")
        self._network_words = (text, short)
        self._show_network()

    def _show_network(self) -> None:
        text, short = self._network_words
        set_text(self._network, short if self._narrow else text)
        self._network.setToolTip(text)
        self._network.setAccessibleName(text)

    def show_page(self, *, is_chat: bool) -> None:
        """The chat's figures stand at the right on its page, the computer's on the others."""
        self._is_chat = is_chat
        self._show_right()

    def _show_right(self) -> None:
        for widget in (self._speed, self._context):
            widget.setVisible(self._is_chat)
        for widget in (self._memory, self._disk):
            widget.setVisible(not self._is_chat and not self._narrow)

    def show_free(self, memory_bytes: int, disk_bytes: int) -> None:
        """What is free of memory, and of the disk that the models lie on."""
        memory = self.tr("{size} of memory free").format(size=words.size(memory_bytes, 1))
        set_text(self._memory, memory if memory_bytes else "")
        disk = self.tr("{size} of disk free").format(size=words.size(disk_bytes, 0))
        set_text(self._disk, disk if disk_bytes else "")

    def show_work(self, text: str) -> None:
        """What this computer does beside chatting; it stands here while the model rests."""
        self._work = text
        if self._figures is not None:
            self._show_phase(self._figures)

    def _show_phase(self, figures: Figures) -> None:
        if self._work and not figures.state.is_busy:
            self._icon.show_icon("quantize", "textSecondary")
            set_text(self._phase, self._work)
            return
        failed = figures.state.phase is Phase.FAILED
        self._icon.show_icon("tight" if failed else "cpu", "tight" if failed else "textSecondary")
        set_text(self._phase, self._phase_text(figures.state, figures.model_name))

    def show_figures(self, figures: Figures) -> None:
        self._figures = figures
        self._show_phase(figures)
        tps = figures.tps
        set_text(self._speed, self.tr("{n} tokens/s").format(n=words.speed(tps)) if tps else "")
        set_text(self._context, self._context_text(figures))
        about = "\n".join(details(figures.stats)) if figures.stats else ""
        self._speed.setToolTip(about)
        self._speed.setAccessibleDescription(about)

    def _phase_text(self, state: EngineState, name: str) -> str:
        loaded = state.loaded
        place = {"device": loaded.device, "n": words.count(loaded.n_threads)} if loaded else {}
        if state.phase is Phase.READING and state.n_to_read:
            return self.tr("Reading the prompt, {done} of {total} tokens").format(
                done=words.count(state.n_read), total=words.count(state.n_to_read)
            )
        if state.phase is Phase.FAILED and state.load is None:
            return self.tr("No model is loaded")
        texts = {
            Phase.NONE: self.tr("No model is loaded"),
            Phase.LOADING: self.tr("Loading {name}…").format(name=name),
            Phase.READING: self.tr("Reading the prompt"),
            Phase.RESTING: self.tr("Resting: its memory is free until you write"),
            Phase.FAILED: self.tr("Model stopped"),
        }
        if state.phase in texts:
            return texts[state.phase]
        if state.phase is Phase.WRITING:
            return self.tr("Writing on {device}, {n} threads").format(**place)
        return self.tr("Ready on {device}, {n} threads").format(**place)

    def _context_text(self, figures: Figures) -> str:
        if figures.loaded is None or figures.n_used is None:
            return ""
        return self.tr("{used} of {n_ctx} tokens").format(
            used=words.count(figures.n_used), n_ctx=words.count(figures.loaded.n_ctx)
        )
