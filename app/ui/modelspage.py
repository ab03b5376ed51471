"""The Models page: what is on this computer, with a way to load it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.library import InstalledModel
from app.ui import words
from app.ui.controls import Badge, ElidedLabel, Hairline, IconButton, Surface, button, label, tag
from app.ui.figures import FigureFeed, Figures
from app.ui.modelpicker import ask_for_model_file
from app.ui.models import Models
from app.ui.pages import ScrollPage
from app.ui.theme import px
from app.ui.trouble import TroubleCard


class ModelsPage(ScrollPage):
    """A card with a row for each model. Loading one is asked of Models."""

    inspect_requested = Signal(object)  # Path

    def __init__(self, models: Models, feed: FigureFeed) -> None:
        super().__init__(QCoreApplication.translate("ModelsPage", "Models on this computer"))
        self._models = models
        self._loaded_path = ""
        self.rows: list[ModelRow] = []
        self.trouble = TroubleCard("doesNotFit")
        self._buttons()
        self.column.addWidget(self.trouble)
        self._card = Surface("card")
        self._list = QVBoxLayout(self._card)
        self._list.setContentsMargins(1, 0, 1, 0)
        self._list.setSpacing(0)
        self.column.addWidget(self._card)
        models.listed.connect(self._show_models)
        models.refused.connect(self.trouble.show_error)
        models.accepted.connect(self.trouble.hide)
        feed.changed.connect(self._on_figures)
        self._show_models(models.installed)
        self._on_figures(feed.figures())

    def _buttons(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(px(8))
        row.addWidget(
            label(
                self.tr("GGUF files in Nibble's folder, and those you opened."), tone="secondary"
            ),
            1,
        )
        self.folder_button = button(self.tr("Open folder"))
        self.folder_button.clicked.connect(self._open_folder)
        self.file_button = button(self.tr("Open a file…"), "primary")
        self.file_button.clicked.connect(self._ask_for_file)
        row.addWidget(self.folder_button)
        row.addWidget(self.file_button)
        self.column.addLayout(row)

    def _ask_for_file(self) -> None:
        ask_for_model_file(self, self._models.choose)

    def _open_folder(self) -> None:
        self._models.with_folder(_show_folder)

    def _show_models(self, models: tuple[InstalledModel, ...]) -> None:
        while self._list.count():
            self._list.takeAt(0).widget().deleteLater()
        self.rows = []
        for model in models:
            if self.rows:
                self._list.addWidget(Hairline())
            row = ModelRow(model)
            row.load_requested.connect(self._models.choose)
            row.inspect_requested.connect(self.inspect_requested)
            row.show_loaded(self._loaded_path)
            self.rows.append(row)
            self._list.addWidget(row)
        if not models:
            note = label(self.tr("There is no model yet. Open a file to begin."), tone="secondary")
            note.setContentsMargins(px(16), px(16), px(16), px(16))
            self._list.addWidget(note)

    def _on_figures(self, figures: Figures) -> None:
        loaded = figures.loaded
        path = loaded.path if loaded else ""
        self.trouble.follow(figures.state)
        if path != self._loaded_path:
            self._loaded_path = path
            for row in self.rows:
                row.show_loaded(path)


class ModelRow(QWidget):
    """One file: name, variant, where it lies, how large it is."""

    load_requested = Signal(object)  # Path
    inspect_requested = Signal(object)  # Path

    def __init__(self, model: InstalledModel) -> None:
        super().__init__()
        self._model = model
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), px(10), px(16), px(10))
        row.setSpacing(px(12))
        row.addLayout(self._words(), 1)
        row.addWidget(label(words.size(model.size_bytes), tone="secondary"))
        self._badge = Badge()
        self._badge.show_state("fits", self.tr("Loaded"))
        row.addWidget(self._badge)
        name = f"{model.name} {model.variant}".strip()
        self.inspect_button = IconButton("info", self.tr("Inspect {name}").format(name=name))
        self.inspect_button.clicked.connect(lambda: self.inspect_requested.emit(model.path))
        row.addWidget(self.inspect_button)
        self.load_button = button(self.tr("Load"), small=True)
        self.load_button.setAccessibleName(self.tr("Load {name}").format(name=name))
        self.load_button.clicked.connect(lambda: self.load_requested.emit(model.path))
        row.addWidget(self.load_button)

    def _words(self) -> QVBoxLayout:
        head = QHBoxLayout()
        head.setSpacing(px(8))
        name = ElidedLabel(self._model.name)
        name.setProperty("strong", True)
        head.addWidget(name)
        head.addWidget(label(self._model.variant, "small", "secondary"))
        if self._model.is_starter:
            head.addWidget(tag(self.tr("Starter")))
        head.addStretch(1)
        place = ElidedLabel(str(self._model.path), Qt.TextElideMode.ElideMiddle)
        place.setProperty("step", "small")
        place.setProperty("tone", "secondary")
        column = QVBoxLayout()
        column.setSpacing(2)
        column.addLayout(head)
        column.addWidget(place)
        return column

    def show_loaded(self, path: str) -> None:
        is_loaded = str(self._model.path) == path
        self._badge.setVisible(is_loaded)
        self.load_button.setVisible(not is_loaded)


def _show_folder(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
