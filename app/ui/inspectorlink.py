"""What the inspector has to know of the loaded model: its defaults, its switches, its helpers."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.core import settings as s
from app.engine.protocol import Loaded
from app.jobs.engine import EngineState, Phase
from app.jobs.fits import Fits
from app.jobs.tasks import TaskThread
from app.ui.composer import Composer
from app.ui.figures import FigureFeed, Figures
from app.ui.inspector import Inspector
from app.ui.models import Models
from app.ui.prefs import Prefs
from app.ui.sampling import model_defaults
from app.ui.thinking import ThinkToggle

if TYPE_CHECKING:
    from app.jobs.drafts import Drafts


class InspectorLink(QObject):
    def __init__(
        self,
        feed: FigureFeed,
        prefs: Prefs,
        models: Models,
        fits: Fits,
        tasks: TaskThread,
        inspector: Inspector,
        composer: Composer,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._prefs, self._models, self._tasks = prefs, models, tasks
        self._inspector = inspector
        self._loaded: Loaded | None = None
        self.think = ThinkToggle(prefs, self)
        composer.add_tool(self.think.button)
        feed.changed.connect(self._on_figures)
        models.listed.connect(self._look_for_drafts)
        fits.predicted.connect(inspector.n_ctx.show_prediction)

    @cached_property
    def drafts(self) -> Drafts:
        """Imported and made when there is a model to find some for."""
        from app.jobs.drafts import Drafts

        result = Drafts(self._tasks, self)
        result.found.connect(self._inspector.n_ctx.draft.show_choices)
        return result

    def _on_figures(self, figures: Figures) -> None:
        if figures.loaded is self._loaded:
            return
        self._loaded = figures.loaded
        self._prefs.take_defaults(self._defaults(figures.state))
        self._inspector.thinking.show_loaded(self._loaded)
        self.think.show_loaded(self._loaded)
        self._look_for_drafts()

    def _defaults(self, state: EngineState) -> dict[s.Setting, object]:
        """Its maker's for sampling, and the precision that was measured as the best here."""
        found = model_defaults(state.loaded)
        is_own_choice = self._prefs.is_set(s.KV_TYPE)
        if state.phase is not Phase.LOADING and state.load is not None and not is_own_choice:
            found[s.KV_TYPE] = state.load.kv_type
        return found

    def _look_for_drafts(self, _models: object = None) -> None:
        if self._loaded is not None and self._models.installed:
            path, size_bytes = self._loaded.path, self._loaded.size_bytes
            self.drafts.look(path, size_bytes, self._models.installed)
