"""The settings' card with the folders that Nibble looks for models in."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from app import paths
from app.ui.controls import ElidedLabel, Hairline, IconButton, Surface, button, label
from app.ui.models import Models
from app.ui.prefs import Prefs
from app.ui.theme import px


class FoldersCard(Surface):
    """A row for each folder, and one to add another."""

    def __init__(self, models: Models, prefs: Prefs) -> None:
        super().__init__("card")
        self._models = models
        self.rows: list[FolderRow] = []
        column = QVBoxLayout(self)
        column.setContentsMargins(1, 0, 1, 0)
        column.setSpacing(0)
        column.addWidget(self._head())
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        column.addLayout(self._list)
        prefs.changed.connect(lambda _key: self._show())
        self._show()

    def _head(self) -> QWidget:
        head = QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(px(16), px(10), px(16), px(10))
        row.setSpacing(px(12))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(label(self.tr("Folders with models")))
        help_text = self.tr(
            "Nibble also looks here for GGUF files, and in the folders of Hugging Face, LM Studio, "
            "Ollama, GPT4All and Jan. Files are used where they lie."
        )
        words.addWidget(label(help_text, "small", "secondary", wrap=True))
        row.addLayout(words, 1)
        self.add_button = button(self.tr("Add folder…"))
        self.add_button.clicked.connect(self._ask_for_folder)
        row.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignVCenter)
        return head

    def _ask_for_folder(self) -> QFileDialog:
        dialog = QFileDialog(self.window(), self.tr("A folder with models"))
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda name: self._models.add_folder(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def _show(self) -> None:
        folders = self._models.folders
        if self.rows and tuple(row.folder for row in self.rows[1:]) == folders:
            return
        while self._list.count():
            self._list.takeAt(0).widget().deleteLater()
        self.rows = [FolderRow(paths.models_dir(), None)]
        self.rows += [FolderRow(folder, self._models) for folder in folders]
        for row in self.rows:
            self._list.addWidget(Hairline())
            self._list.addWidget(row)


class FolderRow(QWidget):
    """One folder. Nibble's own, which has no `models`, stays."""

    def __init__(self, folder: Path, models: Models | None) -> None:
        super().__init__()
        self.folder = folder
        self.setMinimumHeight(px(40))
        row = QHBoxLayout(self)
        row.setContentsMargins(px(16), px(6), px(16), px(6))
        row.addWidget(ElidedLabel(str(folder), Qt.TextElideMode.ElideMiddle), 1)
        if models is None:
            row.addWidget(label(self.tr("Nibble's own"), "small", "secondary"))
            return
        name = self.tr("Remove {folder} from the list").format(folder=folder)
        self.remove_button = IconButton("close", name)
        self.remove_button.clicked.connect(lambda: models.remove_folder(folder))
        row.addWidget(self.remove_button)
