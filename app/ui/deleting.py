"""The question before a model is deleted: which files go, and how much room that makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from app.ui import words
from app.ui.controls import restyle

if TYPE_CHECKING:
    from app.core.library import Deletion

translate = QCoreApplication.translate
_MAX_NAMES = 6


def ask_to_delete_files(
    parent: QWidget | None, deletion: Deletion, on_yes: Callable[[], None]
) -> QMessageBox:
    """Ask; nothing happens where the answer is no."""
    box = QMessageBox(parent)
    box.setWindowTitle("Nibble")
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(question(deletion))
    box.setInformativeText(_files(deletion))
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    delete = box.addButton(translate("Deleting", "Delete"), QMessageBox.ButtonRole.DestructiveRole)
    delete.setProperty("kind", "danger")
    restyle(delete)
    delete.clicked.connect(lambda: on_yes())
    cancel = box.addButton(translate("Deleting", "Cancel"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(cancel)
    box.setEscapeButton(cancel)
    box.open()
    return box


def question(deletion: Deletion) -> str:
    """ "Delete 2 files and free 18.9 GB?" """
    n_files = len(deletion.files)
    if n_files == 1:
        text = translate("Deleting", "Delete 1 file and free {size}?")
    else:
        text = translate("Deleting", "Delete {n} files and free {size}?")
    return text.format(n=words.count(n_files), size=words.size(deletion.freed_bytes))


def _files(deletion: Deletion) -> str:
    model = deletion.model
    lines = [f"{model.name} {model.variant}".strip()]
    lines += [path.name for path in deletion.files[:_MAX_NAMES]]
    n_more = len(deletion.files) - _MAX_NAMES
    if n_more > 0:
        lines.append(translate("Deleting", "and {n} more").format(n=words.count(n_more)))
    if deletion.freed_bytes == 0:
        lines.append(
            translate("Deleting", "This makes no room: the file is also kept under another name.")
        )
    lines.append(translate("Deleting", "This cannot be undone."))
    return "\n".join(lines)
