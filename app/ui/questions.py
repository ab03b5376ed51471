"""What is asked in a dialog, because it cannot be undone or leaves Nibble."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QMessageBox, QWidget

from app.ui.controls import restyle
from app.ui.words import size

translate = QCoreApplication.translate
_SCHEMES = ("http", "https", "mailto")


def ask_to_open(parent: QWidget, address: str) -> QMessageBox | None:
    """Ask whether to open `address`, shown in full. Other schemes than web and mail are ignored."""
    url = QUrl(address)
    if not url.isValid() or url.scheme().lower() not in _SCHEMES:
        return None
    box = _box(parent, translate("Questions", "Open this address outside Nibble?"))
    # Encoded, so that look-alike letters of other scripts show.
    box.setInformativeText(url.toString(QUrl.ComponentFormattingOption.FullyEncoded))
    opening = box.addButton(translate("Questions", "Open"), QMessageBox.ButtonRole.AcceptRole)
    opening.clicked.connect(lambda: QDesktopServices.openUrl(url))
    _add_cancel(box)
    box.open()
    return box


def ask_to_delete(parent: QWidget, title: str, on_yes: Callable[[], None]) -> QMessageBox:
    """Ask whether the conversation called `title` may go."""
    box = _box(parent, translate("Questions", "Delete “{title}”?").format(title=title))
    box.setInformativeText(
        translate("Questions", "All its messages and branches go. This cannot be undone.")
    )
    delete = box.addButton(translate("Questions", "Delete"), QMessageBox.ButtonRole.DestructiveRole)
    delete.setProperty("kind", "danger")
    restyle(delete)
    delete.clicked.connect(lambda: on_yes())
    _add_cancel(box)
    box.open()
    return box


def ask_to_stop_quantizing(parent: QWidget, on_yes: Callable[[], None]) -> QMessageBox:
    """Ask whether to close although files are being made."""
    box = _box(parent, translate("Questions", "Stop quantizing and close?"))
    box.setInformativeText(
        translate("Questions", "The files are not finished. What there is of them is thrown away.")
    )
    stop = box.addButton(
        translate("Questions", "Stop and close"), QMessageBox.ButtonRole.DestructiveRole
    )
    stop.setProperty("kind", "danger")
    restyle(stop)
    stop.clicked.connect(lambda: on_yes())
    _add_cancel(box, translate("Questions", "Go on"))
    box.open()
    return box


def ask_to_discard(
    parent: QWidget, name: str, n_bytes: int, on_yes: Callable[[], None]
) -> QMessageBox:
    """Ask whether what has arrived of the download `name` may go."""
    box = _box(parent, translate("Questions", "Cancel the download of {name}?").format(name=name))
    text = translate(
        "Questions", "{size} have arrived and are thrown away. To go on later, pause it instead."
    )
    box.setInformativeText(text.format(size=size(n_bytes)))
    throw = box.addButton(
        translate("Questions", "Throw it away"), QMessageBox.ButtonRole.DestructiveRole
    )
    throw.setProperty("kind", "danger")
    restyle(throw)
    throw.clicked.connect(lambda: on_yes())
    _add_cancel(box, translate("Questions", "Keep it"))
    box.open()
    return box


def _box(parent: QWidget, text: str) -> QMessageBox:
    box = QMessageBox(parent)
    box.setWindowTitle("Nibble")
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(text)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return box


def _add_cancel(box: QMessageBox, text: str = "") -> None:
    text = text or translate("Questions", "Cancel")
    cancel = box.addButton(text, QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(cancel)
    box.setEscapeButton(cancel)
