"""Links in answers: a model may write any address, so it is shown in full before it is opened."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QMessageBox, QWidget

_SCHEMES = ("http", "https", "mailto")


def ask_to_open(parent: QWidget, address: str) -> QMessageBox | None:
    """Ask whether to open `address` outside Nibble. Other schemes than web and mail are ignored."""
    url = QUrl(address)
    if not url.isValid() or url.scheme().lower() not in _SCHEMES:
        return None
    translate = QCoreApplication.translate
    box = QMessageBox(parent)
    box.setWindowTitle(translate("Links", "Open a link"))
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(translate("Links", "Open this address outside Nibble?"))
    # Encoded, so that look-alike letters of other scripts show.
    box.setInformativeText(url.toString(QUrl.ComponentFormattingOption.FullyEncoded))
    opening = box.addButton(translate("Links", "Open"), QMessageBox.ButtonRole.AcceptRole)
    box.addButton(translate("Links", "Cancel"), QMessageBox.ButtonRole.RejectRole)
    opening.clicked.connect(lambda: QDesktopServices.openUrl(url))
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.open()
    return box
