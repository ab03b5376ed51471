"""The panel beside the transcript: what the model takes and does, and how it is asked to write."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from app.core import settings as s
from app.ui.benchmark.section import BenchmarkSection
from app.ui.contextmeter import ContextSection
from app.ui.controls import Hairline, Surface
from app.ui.editors import TextField
from app.ui.figures import Figures
from app.ui.loadsection import ContextSizeSection
from app.ui.memorysection import MemorySection
from app.ui.meters import SpeedSection
from app.ui.prefs import Prefs
from app.ui.sampling import SamplingSection
from app.ui.section import Section
from app.ui.theme import px, theme
from app.ui.thinking import ThinkingSection
from app.ui.words import translate


class Inspector(Surface):
    """A column of sections in a scroll area."""

    system_prompt_edited = Signal(str)
    reload_requested = Signal()

    def __init__(self, prefs: Prefs, *, read_only: bool) -> None:
        super().__init__("sidebar")
        self.memory = MemorySection()
        self.context = ContextSection()
        self.speed = SpeedSection()
        self.benchmark = BenchmarkSection()
        self.thinking = ThinkingSection(prefs)
        self.sampling = SamplingSection(prefs)
        self.n_ctx = ContextSizeSection(prefs)
        self.n_ctx.reload_requested.connect(self.reload_requested)
        self.prompt = TextField(4)
        self.prompt.setReadOnly(read_only)
        self.prompt.on_edited(self.system_prompt_edited.emit)
        self._column = QVBoxLayout()
        self._build()
        theme().changed.connect(self._restyle)
        self._restyle()

    def _build(self) -> None:
        inner = Surface("none")
        inner.setLayout(self._column)
        self._column.setSpacing(0)
        sections = (
            self.memory,
            self.context,
            self.speed,
            self.benchmark,
            self.thinking,
            self.sampling,
            self.n_ctx,
        )
        for section in (*sections, self._prompt_section()):
            line = Hairline()
            self._column.addWidget(section)
            self._column.addWidget(line)
            if section is self.thinking:
                self.thinking.go_with(line)
        self._column.takeAt(self._column.count() - 1).widget().deleteLater()
        self._column.addStretch(1)
        self.area = QScrollArea()
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setWidget(inner)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.area)

    def _prompt_section(self) -> QWidget:
        result = Section(translate(s.SYSTEM_PROMPT.label))
        self.prompt.setAccessibleName(translate(s.SYSTEM_PROMPT.label))
        self.prompt.setAccessibleDescription(
            self.tr("What this conversation tells the model first")
        )
        self.prompt.setPlaceholderText(self.tr("What this conversation tells the model first"))
        result.column.addWidget(self.prompt)
        return result

    def _restyle(self) -> None:
        self._column.setContentsMargins(0, 0, 0, 0)
        self.setMinimumWidth(px(240))

    def show_system_prompt(self, text: str) -> None:
        self.prompt.show_text(text)

    def show_figures(self, figures: Figures) -> None:
        self.memory.show_figures(figures)
        self.speed.show_figures(figures)
        self.n_ctx.show_state(figures.state)

    def focus_first(self) -> None:
        self.sampling.focus_first()
