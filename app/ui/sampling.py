"""How the model is asked to write, and how much it sees: settings beside the conversation."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout

from app.core import settings as s
from app.jobs.engine import EngineState
from app.ui import icons
from app.ui.controls import button, label
from app.ui.prefs import Prefs
from app.ui.section import Section, SettingRow
from app.ui.theme import px, theme

_MAIN = (s.TEMPERATURE, s.TOP_P, s.TOP_K, s.MIN_P)
_MORE = (s.REPEAT_PENALTY, s.SEED, s.MAX_TOKENS)


class SamplingSection(Section):
    def __init__(self, prefs: Prefs) -> None:
        super().__init__(QCoreApplication.translate("SamplingSection", "Sampling"))
        defaults = button(self.tr("Model defaults"), "link")
        defaults.setToolTip(self.tr("Set all of these back"))
        defaults.clicked.connect(lambda: prefs.reset(*s.SAMPLING))
        self.set_right(defaults)
        self._rows = [SettingRow(setting, prefs) for setting in (*_MAIN, *_MORE)]
        self._fold = button(self.tr("More sampling settings"), "fold")
        self._fold.setCheckable(True)
        for number, row in enumerate(self._rows):
            if number == len(_MAIN):
                self.column.addWidget(self._fold, 0, Qt.AlignmentFlag.AlignLeft)
            self.column.addWidget(row)
        self._fold.toggled.connect(self._on_folded)
        theme().changed.connect(self._show_chevron)
        self._on_folded(False)

    def _on_folded(self, shown: bool) -> None:
        for row in self._rows[len(_MAIN) :]:
            row.setVisible(shown)
        self._show_chevron()

    def _show_chevron(self) -> None:
        name = "chevron-down" if self._fold.isChecked() else "chevron-right"
        self._fold.setIcon(icons.icon(name, size_px=px(16)))

    def row(self, setting: s.Setting) -> SettingRow:
        return next(row for row in self._rows if row.setting is setting)

    def focus_first(self) -> None:
        self._rows[0].editor.setFocus(Qt.FocusReason.ShortcutFocusReason)


class ContextSizeSection(Section):
    """How large a context the next load takes, and a button that loads again for it."""

    reload_requested = Signal()

    def __init__(self, prefs: Prefs) -> None:
        super().__init__(QCoreApplication.translate("ContextSizeSection", "Context size"))
        self._prefs = prefs
        self._state = EngineState()
        self.row = SettingRow(s.N_CTX, prefs)
        self._note = label(
            self.tr("Takes effect when the model is loaded again."), "small", "secondary", wrap=True
        )
        self.reload_button = button(self.tr("Reload"), small=True)
        self.column.addWidget(self.row)
        line = QHBoxLayout()
        line.addWidget(self._note, 1)
        line.addWidget(self.reload_button)
        self.column.addLayout(line)
        self.reload_button.clicked.connect(self.reload_requested)
        prefs.changed.connect(self._on_changed)
        self._show()

    def show_state(self, state: EngineState) -> None:
        if state.load is not self._state.load or state.phase is not self._state.phase:
            self._state = state
            self._show()

    def _on_changed(self, key: str) -> None:
        if key == s.N_CTX.key:
            self._show()

    def _show(self) -> None:
        load = self._state.load
        differs = self._state.loaded is not None and load is not None
        differs = differs and load.n_ctx != self._prefs.get(s.N_CTX)
        self._note.setVisible(differs)
        self.reload_button.setVisible(differs)
