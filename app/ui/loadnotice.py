"""Says what was given up when a model was loaded in a smaller way than was asked for."""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.core.errors import QT_TRANSLATE_NOOP, EngineError, Message
from app.engine.protocol import Loaded
from app.ui.figures import FigureFeed, Figures
from app.ui.trouble import TroubleCard, TroubleStack

_SMALLER = QT_TRANSLATE_NOOP(
    "loadnotice",
    "The memory was short, so the model was loaded with {n_ctx} tokens of context and "
    "{n_layers} layers on the graphics card.",
)


class LoadNotice(QObject):
    """One card for a load; it goes with that load, or when it is dismissed."""

    def __init__(self, feed: FigureFeed, stack: TroubleStack, parent: QObject) -> None:
        super().__init__(parent)
        self._stack = stack
        self._loaded: Loaded | None = None
        self._card: TroubleCard | None = None
        feed.changed.connect(self._on_figures)

    def _on_figures(self, figures: Figures) -> None:
        if figures.loaded is self._loaded:
            return
        self._loaded = figures.loaded
        if self._card is not None:
            self._stack.withdraw(self._card)
            self._card = None
        notice = _notice_of(self._loaded) if self._loaded else None
        if notice is not None:
            self._card = self._stack.add(EngineError(notice))


def _notice_of(loaded: Loaded) -> Message | None:
    if loaded.notice is None and loaded.n_smaller:
        return _SMALLER.fill(n_ctx=loaded.n_ctx, n_layers=loaded.n_gpu_layers)
    return loaded.notice
