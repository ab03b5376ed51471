"""The button in the page bar that names the model and lists those that can take its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QPoint, Signal
from PySide6.QtWidgets import QFileDialog, QMenu, QSizePolicy, QWidget

from app.core.library import InstalledModel
from app.jobs.engine import EngineState, Phase
from app.ui.controls import ElidedLabel, IconLabel, LayoutButton, label, set_text
from app.ui.theme import px
from app.ui.words import translate


class ModelPicker(LayoutButton):
    """Shows a state and a list; says which file is wanted."""

    chosen = Signal(object)  # Path
    list_requested = Signal()
    free_requested = Signal()

    def __init__(self) -> None:
        super().__init__(margins=(12, 10))
        self._models: Sequence[InstalledModel] = ()
        self._path: Path | None = None
        self._is_loaded = False
        self._menu = QMenu(self)
        self._menu.setToolTipsVisible(True)
        self._name = ElidedLabel()
        self._variant = label("", "small", "secondary")
        self._name.setProperty("strong", True)
        self.add(IconLabel("models", "textSecondary", 16))
        self.add(self._name, 1)
        self.add(self._variant)
        self.add(IconLabel("chevron-down", "textSecondary", 16))
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setToolTip(self.tr("Choose the model ({keys})").format(keys="Ctrl+L"))
        self.clicked.connect(self.open_menu)
        self._show("", "")

    @property
    def menu_entries(self) -> QMenu:
        return self._menu

    def show_state(self, state: EngineState, name: str) -> None:
        """`name` is that of the model loaded or being loaded."""
        loaded = state.loaded
        self._is_loaded = loaded is not None and state.phase is not Phase.RESTING
        if loaded is not None and state.phase is Phase.RESTING:
            self._path = None
            self._show(loaded.name, self.tr("Unloaded"))
        elif loaded is not None:
            self._path = Path(loaded.path)
            self._show(loaded.name, loaded.variant)
        elif state.phase is Phase.LOADING:
            self._show(name, self.tr("Loading…"))
        elif state.phase is Phase.FAILED and name:
            self._show(name, self.tr("Not loaded"))
        else:
            self._path = None
            self._show("", "")

    def _show(self, name: str, variant: str) -> None:
        set_text(self._name, name or self.tr("Choose a model"))
        set_text(self._variant, variant)
        self._variant.setVisible(bool(variant))
        spoken = f"{name} {variant}".strip()
        self.setAccessibleName(
            self.tr("Model: {name}").format(name=spoken) if spoken else self.tr("Choose a model")
        )
        self.updateGeometry()

    def show_models(self, models: Sequence[InstalledModel]) -> None:
        """The list has come; an open menu takes it up."""
        self._models = models
        if self._menu.isVisible():
            self._fill()

    def open_menu(self) -> None:
        self.list_requested.emit()
        self._fill()
        self._menu.setMinimumWidth(self.width())
        self._menu.popup(self.mapToGlobal(QPoint(0, self.height() + px(2))))

    def _fill(self) -> None:
        self._menu.clear()
        for model in self._models:
            # An ampersand in a name is no shortcut.
            text = f"{model.name}  {model.variant}".strip().replace("&", "&&")
            action = self._menu.addAction(text)
            action.setCheckable(True)
            action.setChecked(model.path == self._path)
            action.setEnabled(model.is_usable)
            why = "" if model.notice is None else translate(model.notice.text)
            action.setToolTip(why or str(model.path))
            action.triggered.connect(lambda _=False, path=model.path: self.chosen.emit(path))
        if not self._models:
            self._menu.addAction(self.tr("No models found")).setDisabled(True)
        self._menu.addSeparator()
        self._menu.addAction(self.tr("Open a file…"), self.ask_for_file)
        if self._is_loaded:
            self._menu.addAction(self.tr("Free its memory now"), self.free_requested.emit)

    def ask_for_file(self) -> None:
        ask_for_model_file(self.window(), self.chosen.emit)


def ask_for_model_file(parent: QWidget, on_chosen: Callable[[Path], None]) -> QFileDialog:
    """Let a GGUF file be chosen; nothing happens where the dialog is cancelled."""
    translate = QCoreApplication.translate
    dialog = QFileDialog(parent, translate("ModelPicker", "Open a model"))
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters(
        [translate("ModelPicker", "Models (*.gguf)"), translate("ModelPicker", "All files (*)")]
    )
    dialog.fileSelected.connect(lambda name: on_chosen(Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
    return dialog
