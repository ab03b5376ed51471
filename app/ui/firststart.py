"""What Chat shows before the first conversation: that one can begin, with what, and where."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.core.library import InstalledModel
from app.jobs.engine import EngineState, Phase
from app.ui import words
from app.ui.controls import Badge, Centered, IconLabel, Surface, label, tag
from app.ui.theme import px, theme
from app.ui.words import translate


class FirstStart(QScrollArea):
    """The left part, scrolled. Takes in the side's cards and the prompts for want of room."""

    def __init__(self) -> None:
        super().__init__()
        self.starter = StarterCard()
        self._title = label("", "title")
        self._sentence = label("", tone="secondary", wrap=True)
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._head = QHBoxLayout()
        self._lay_out()
        inner = Surface("none")
        outer = QVBoxLayout(inner)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(Centered(content, 640))
        self.setWidget(inner)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # so that keys can scroll it
        self.setAccessibleName(self.tr("Welcome"))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        theme().changed.connect(self._place)
        self._place()

    def _lay_out(self) -> None:
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self._title)
        texts.addWidget(self._sentence)
        self._head.addWidget(IconLabel("nibble", "accent", 48), 0, Qt.AlignmentFlag.AlignVCenter)
        self._head.addLayout(texts, 1)
        self._column.addLayout(self._head)
        self._column.addWidget(self.starter)
        self._column.addStretch(1)

    def _place(self) -> None:
        self._column.setContentsMargins(0, px(32), 0, px(16))
        self._column.setSpacing(px(24))
        self._head.setSpacing(px(16))

    def take_prompts(self, prompts: QWidget) -> None:
        self._column.insertWidget(2, prompts)

    def take_side(self, cards: QWidget) -> None:
        self._column.insertWidget(self._column.count() - 1, cards)

    def show_state(
        self, state: EngineState, model: InstalledModel | None, tps: float | None
    ) -> None:
        self.starter.show_state(state, model, tps)
        title, sentence = self._words(state.phase, bool(model and model.is_starter))
        self._title.setText(title)
        self._sentence.setText(sentence)

    def _words(self, phase: Phase, is_starter: bool) -> tuple[str, str]:
        """The heading never says more than is so."""
        if phase in (Phase.NONE, Phase.FAILED):
            return self.tr("Welcome to Nibble"), self.tr("It needs a model to chat with.")
        if phase is Phase.LOADING:
            title = self.tr("You can chat in a moment")
            if is_starter:
                return title, self.tr("A small model came along. It is being loaded.")
            return title, self.tr("Your model is being loaded.")
        if is_starter:
            sentence = self.tr(
                "A small model came along. It is loaded, and it runs on this computer only."
            )
        else:
            sentence = self.tr("Your model is loaded, and it runs on this computer only.")
        if phase is Phase.RESTING:
            sentence = self.tr("Your model rests; it is loaded again when you begin to write.")
        return self.tr("You can chat now"), sentence


class StarterCard(Surface):
    """The model at hand: its name, how it is, how fast it loaded and wrote."""

    def __init__(self) -> None:
        super().__init__("card")
        self._name = label("", strong=True)
        self._tag = tag(self.tr("Starter"))
        self._badge = Badge()
        self._loaded = label("", "small", "secondary")
        self._note = label("", "small", "secondary", wrap=True)
        self._row = QHBoxLayout()
        for widget in (self._name, self._tag, self._badge):
            self._row.addWidget(widget)
        self._row.addStretch(1)
        self._row.addWidget(self._loaded)
        self._column = QVBoxLayout(self)
        self._column.addLayout(self._row)
        self._column.addWidget(self._note)
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self._row.setSpacing(px(8))
        self._column.setContentsMargins(px(16), px(12), px(16), px(12))
        self._column.setSpacing(px(4))

    def show_state(
        self, state: EngineState, model: InstalledModel | None, tps: float | None
    ) -> None:
        self.setVisible(state.phase is not Phase.NONE and (model or state.loaded) is not None)
        loaded = state.loaded
        name = loaded.name if loaded else model.name if model else ""
        self._name.setText(name)
        self._tag.setVisible(bool(model and model.is_starter))
        self._show_badge(state)
        took = words.seconds(loaded.load_ms) if loaded else ""
        self._loaded.setText(self.tr("Loaded in {time}").format(time=took) if loaded else "")
        self._note.setText(self._note_text(state, model, tps))

    def _show_badge(self, state: EngineState) -> None:
        if state.phase is Phase.LOADING:
            self._badge.show_state("", self.tr("Loading"))
        elif state.phase is Phase.FAILED:
            self._badge.show_state("doesNotFit", self.tr("Not loaded"))
        elif state.phase is Phase.RESTING:
            self._badge.show_state("", self.tr("Resting"))
        else:
            self._badge.show_state("fits", self.tr("Ready"))

    def _note_text(
        self, state: EngineState, model: InstalledModel | None, tps: float | None
    ) -> str:
        if state.phase is Phase.FAILED and state.error is not None:
            return translate(state.error.text)
        parts = []
        if tps:
            speed = self.tr("Writes {n} tokens per second here, measured.")
            parts.append(speed.format(n=words.speed(tps)))
        if model and model.is_starter:
            parts.append(self.tr("Good for trying things out; too small to trust with facts."))
        return " ".join(parts)
