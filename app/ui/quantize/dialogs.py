"""The file dialogs of the page. Nothing happens where one is cancelled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QFileDialog, QWidget

translate = QCoreApplication.translate
OnChosen = Callable[[Path], object]


def ask_for_folder(parent: QWidget, on_chosen: OnChosen) -> QFileDialog:
    dialog = _dialog(parent, translate("QuantizeDialogs", "Choose a folder"), on_chosen)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.open()
    return dialog


def ask_for_gguf(parent: QWidget, on_chosen: OnChosen) -> QFileDialog:
    dialog = _dialog(parent, translate("QuantizeDialogs", "Choose a GGUF file"), on_chosen)
    return _open_for_file(dialog, translate("QuantizeDialogs", "Models (*.gguf)"))


def ask_for_matrix(parent: QWidget, on_chosen: OnChosen) -> QFileDialog:
    dialog = _dialog(parent, translate("QuantizeDialogs", "Choose an importance matrix"), on_chosen)
    kinds = translate("QuantizeDialogs", "Importance matrices (*.imatrix *.gguf *.dat)")
    return _open_for_file(dialog, kinds)


def ask_where_to_save(parent: QWidget, title: str, name: str, on_chosen: OnChosen) -> QFileDialog:
    """Existing files are asked about by the dialog itself."""
    dialog = _dialog(parent, title, on_chosen)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.selectFile(name)
    dialog.setDefaultSuffix(Path(name).suffix.removeprefix("."))
    dialog.open()
    return dialog


def _open_for_file(dialog: QFileDialog, kinds: str) -> QFileDialog:
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.setNameFilters([kinds, translate("QuantizeDialogs", "All files (*)")])
    dialog.open()
    return dialog


def _dialog(parent: QWidget, title: str, on_chosen: OnChosen) -> QFileDialog:
    dialog = QFileDialog(parent.window(), title)
    dialog.fileSelected.connect(lambda name: on_chosen(Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    return dialog
