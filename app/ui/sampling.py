"""How the model is asked to write: the samplers' settings, beside the conversation.

Four of them are always there, the others in folds that are made when they are first opened.
"""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core import settings as s
from app.core.settings import Setting
from app.engine.protocol import Loaded
from app.ui import words
from app.ui.controls import button
from app.ui.folds import Fold
from app.ui.prefs import Prefs
from app.ui.samplingrows import FieldRow, SamplingRow
from app.ui.section import Section
from app.ui.theme import px, theme

MAIN = (s.TEMPERATURE, s.TOP_P, s.TOP_K, s.MIN_P)
LENGTH = (s.MAX_TOKENS, s.SEED)
REPETITION = (
    s.REPEAT_PENALTY,
    s.FREQUENCY_PENALTY,
    s.PRESENCE_PENALTY,
    s.PENALTY_LAST_N,
    s.DRY_MULTIPLIER,
    s.DRY_BASE,
    s.DRY_ALLOWED_LENGTH,
    s.DRY_PENALTY_LAST_N,
)
VARIETY = (s.TYPICAL_P, s.TOP_N_SIGMA, s.XTC_PROBABILITY, s.XTC_THRESHOLD)
MIROSTAT = (s.MIROSTAT, s.MIROSTAT_TAU, s.MIROSTAT_ETA)
FORM = (s.STOP_STRINGS, s.JSON_SCHEMA, s.GRAMMAR, s.LOGIT_BIAS)


class SamplingSection(Section):
    def __init__(self, prefs: Prefs) -> None:
        super().__init__(QCoreApplication.translate("SamplingSection", "Sampling"))
        self._prefs = prefs
        self._defaults = button(self.tr("Model defaults"), "link")
        self._defaults.setToolTip(self.tr("Set all of these back"))
        self._defaults.clicked.connect(lambda: prefs.reset(*s.SAMPLING))
        self.set_right(self._defaults)
        self._rows = {setting: SamplingRow(setting, prefs) for setting in MAIN}
        for row in self._rows.values():
            self.column.addWidget(row)
        self.folds: dict[tuple[Setting, ...], Fold] = {}
        self._add_fold(self.tr("Length and seed"), LENGTH)
        self._add_fold(self.tr("Repetition"), REPETITION)
        self._add_fold(self.tr("Variety"), VARIETY)
        self._add_fold(self.tr("Mirostat"), MIROSTAT)
        self._add_fold(self.tr("Shape of the answer"), FORM)
        prefs.changed.connect(self._on_changed)
        self._show_marks()

    def _add_fold(self, title: str, settings: tuple[Setting, ...]) -> None:
        fold = self.folds[settings] = Fold(title, lambda: self._make(settings))
        self.column.addWidget(fold)

    def _make(self, settings: tuple[Setting, ...]) -> QWidget:
        result = _Rows()
        for setting in settings:
            kind = FieldRow if setting.multiline else SamplingRow
            row = self._rows[setting] = kind(setting, self._prefs)
            result.column.addWidget(row)
        return result

    def _on_changed(self, key: str) -> None:
        if any(key == setting.key for setting in s.SAMPLING):
            self._show_marks()

    def _show_marks(self) -> None:
        n_all = 0
        for settings, fold in self.folds.items():
            n_changed = sum(self._is_changed(setting) for setting in settings)
            mark = self.tr("{n} changed").format(n=words.count(n_changed))
            fold.show_mark(mark if n_changed else "")
            n_all += n_changed
        self._defaults.setEnabled(n_all > 0 or any(map(self._is_changed, MAIN)))

    def _is_changed(self, setting: Setting) -> bool:
        return self._prefs.is_set(setting) and not self._prefs.is_default(setting)

    def row(self, setting: Setting) -> SamplingRow:
        """The row of `setting`; its fold's content is made for it, where it was not yet."""
        if setting not in self._rows:
            next(fold for settings, fold in self.folds.items() if setting in settings).make()
        return self._rows[setting]

    def focus_first(self) -> None:
        self._rows[s.TEMPERATURE].editor.setFocus(Qt.FocusReason.ShortcutFocusReason)


class _Rows(QWidget):
    """What a fold holds, set off to the right."""

    def __init__(self) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        theme().changed.connect(self._place)
        self._place()

    def _place(self) -> None:
        self.column.setContentsMargins(px(8), 0, 0, px(4))
        self.column.setSpacing(px(4))


def model_defaults(loaded: Loaded | None) -> dict[Setting, object]:
    """What the loaded file's maker wants of the samplers, as values of the settings."""
    given = dict(loaded.sampling) if loaded is not None else {}
    return {
        setting: _as_value(setting, given[name])
        for setting in s.SAMPLING
        if (name := setting.key.rpartition(".")[2]) in given
    }


def _as_value(setting: Setting, value: float) -> object:
    """Files hold single precision: 0.6 is not to be 0.6000000238."""
    if setting is s.MIROSTAT:
        return str(int(value)) if value else "off"
    return int(value) if isinstance(setting.default, int) else round(value, 4)
