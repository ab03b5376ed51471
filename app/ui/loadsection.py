"""What the next load of the model takes: the context's size and precision, the model that guesses.

What a precision saves is predicted from the loaded file's header, for the size that is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core import settings as s
from app.engine.protocol import Load
from app.jobs.engine import EngineState
from app.ui import words
from app.ui.controls import button, label, set_text
from app.ui.editors import editor_for
from app.ui.inputs import ComboBox
from app.ui.prefs import Prefs
from app.ui.section import Section, SettingRow
from app.ui.theme import px, theme
from app.ui.words import translate

if TYPE_CHECKING:
    from app.jobs.drafts import DraftChoice
    from app.jobs.predicting import Prediction

_LOADS = (s.N_CTX, s.KV_TYPE, s.DRAFT_MODEL)


class ContextSizeSection(Section):
    """Rows with what a load takes, a button that loads again for them, and what happens when the
    context is full."""

    reload_requested = Signal()

    def __init__(self, prefs: Prefs) -> None:
        super().__init__(QCoreApplication.translate("ContextSizeSection", "Context size"))
        self._prefs = prefs
        self._state = EngineState()
        self._load: Load | None = None
        self._at_load: tuple[object, ...] = ()
        self._prediction: Prediction | None = None
        self.row = SettingRow(s.N_CTX, prefs)
        self.kv_row = SettingRow(s.KV_TYPE, prefs)
        self.saving = label("", "small", "secondary", wrap=True)
        self.draft = DraftRow(prefs)
        self._note = label(
            self.tr("Takes effect when the model is loaded again."), "small", "secondary", wrap=True
        )
        self.reload_button = button(self.tr("Reload"), small=True)
        self.overflow = _Stacked(s.OVERFLOW, prefs)
        self._lay_out()
        self.reload_button.clicked.connect(self.reload_requested)
        prefs.changed.connect(self._on_changed)
        self._show()

    def _lay_out(self) -> None:
        for widget in (self.row, self.kv_row, self.saving, self.draft):
            self.column.addWidget(widget)
        line = QHBoxLayout()
        line.addWidget(self._note, 1)
        line.addWidget(self.reload_button)
        self.column.addLayout(line)
        self.column.addWidget(self.overflow)

    def show_state(self, state: EngineState) -> None:
        if state.load is not self._load:
            self._load = state.load
            self._at_load = self._chosen()
        if state.load is not self._state.load or state.phase is not self._state.phase:
            self._state = state
            self._show()

    def show_prediction(self, prediction: Prediction | None) -> None:
        """The prediction for the load in force, None while there is none."""
        self._prediction = prediction
        self._show_saving()

    def _chosen(self) -> tuple[object, ...]:
        return tuple(self._prefs.get(setting) for setting in _LOADS)

    def _on_changed(self, key: str) -> None:
        if any(key == setting.key for setting in _LOADS):
            self._show()

    @property
    def differs(self) -> bool:
        """Whether a load would not be as the one in force."""
        load = self._state.load
        if self._state.loaded is None or load is None:
            return False
        now = self._chosen()
        return load.n_ctx != now[0] or load.kv_type != now[1] or self._at_load[2] != now[2]

    def _show(self) -> None:
        self._note.setVisible(self.differs)
        self.reload_button.setVisible(self.differs)
        self._show_saving()

    # --- what a precision saves ---------------------------------------------------------------

    def _show_saving(self) -> None:
        text = self._saving_text() if self._prediction is not None else ""
        set_text(self.saving, text)
        self.saving.setVisible(bool(text))
        self.kv_row.editor.setAccessibleDescription(f"{text} {translate(s.KV_TYPE.help)}".strip())

    def _saving_text(self) -> str:
        chosen, n_ctx = self._prefs.get(s.KV_TYPE), self._prefs.get(s.N_CTX)
        taken = {name: self._kv_bytes(name, n_ctx) for name, _words in s.KV_TYPE.choices}
        whole = taken["f16"]
        if not whole:
            return ""
        if chosen == "f16":
            return self.tr("{all} in f16; q8_0 would save {some}, q4_0 {more}").format(
                all=words.size(whole),
                some=words.size(whole - taken["q8_0"]),
                more=words.size(whole - taken["q4_0"]),
            )
        return self.tr("{type} saves {saved} of {all}").format(
            type=chosen, saved=words.size(whole - taken[chosen]), all=words.size(whole)
        )

    def _kv_bytes(self, kv_type: str, n_ctx: int) -> int:
        return self._prediction.kv_bytes(kv_type, n_ctx) if self._prediction else 0


class _Stacked(QWidget):
    """A setting whose words are long: its editor below its name, as wide as the section."""

    def __init__(self, setting: s.Setting, prefs: Prefs) -> None:
        super().__init__()
        self.editor = editor_for(setting, prefs, small=True)
        self.editor.setMinimumContentsLength(8)
        name = label(translate(setting.label), "small", "secondary", wrap=True)
        name.setBuddy(self.editor)
        name.setToolTip(translate(setting.help))
        self._column = column = QVBoxLayout(self)
        column.addWidget(name)
        column.addWidget(self.editor)
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self.editor.setFixedHeight(px(24))
        self._column.setContentsMargins(0, px(6), 0, 0)
        self._column.setSpacing(px(2))


class DraftRow(QWidget):
    """The model that guesses ahead; hidden where no installed one could."""

    def __init__(self, prefs: Prefs) -> None:
        super().__init__()
        self._prefs = prefs
        self.box = ComboBox(small=True)
        self.box.setMinimumContentsLength(8)
        self.box.setAccessibleName(self.tr("Draft model"))
        self.box.view().setAccessibleName(self.tr("Draft model"))
        help_text = self.tr(
            "A small model of the same family guesses ahead, and the large one checks its guesses: "
            "faster where they come true, and it takes memory of its own."
        )
        self.box.setToolTip(help_text)
        self.box.setAccessibleDescription(help_text)
        name = label(self.tr("Draft model"), "small", "secondary")
        name.setBuddy(self.box)
        name.setToolTip(help_text)
        self._column = column = QVBoxLayout(self)
        column.addWidget(name, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.box)
        self.box.activated.connect(lambda at: prefs.set(s.DRAFT_MODEL, self.box.itemData(at)))
        prefs.changed.connect(self._on_changed)
        theme().changed.connect(self._place)
        self._place()
        self.show_choices(())

    def show_choices(self, choices: Sequence[DraftChoice]) -> None:
        self.box.clear()
        self.box.addItem(self.tr("None"), "")
        for choice in choices:
            text = f"{choice.name} ({words.size(choice.size_bytes)})"
            self.box.addItem(text, choice.path)
        self._show_chosen()
        self.setVisible(bool(choices))

    def _show_chosen(self) -> None:
        self.box.setCurrentIndex(max(0, self.box.findData(self._prefs.get(s.DRAFT_MODEL))))

    def _on_changed(self, key: str) -> None:
        if key == s.DRAFT_MODEL.key:
            self._show_chosen()

    def _place(self) -> None:
        self.box.setFixedHeight(px(24))
        self._column.setContentsMargins(0, px(6), 0, px(4))
        self._column.setSpacing(px(2))
