"""Files dropped anywhere on the window: models are opened, folders offered for the library.

While something is dragged over the window a sheet lies over it that says what will happen; the
sheet also takes the drop. Pages that do something else with a drop take it themselves, first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QMimeData, QObject, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QAbstractScrollArea, QMessageBox, QVBoxLayout, QWidget

from app.core import library
from app.jobs.tasks import TaskThread
from app.ui import words
from app.ui.controls import IconLabel, label, set_text
from app.ui.models import Models
from app.ui.theme import px, theme

if TYPE_CHECKING:
    from app.core.library import Dropped, FolderOfModels

translate = QCoreApplication.translate
_MAX_SEEN = 64


def local_paths(mime: QMimeData) -> list[Path]:
    """The files and folders of this computer that are dragged; none where others are too."""
    urls = mime.urls()[:_MAX_SEEN] if mime.hasUrls() else []
    if not all(url.isLocalFile() for url in urls):
        return []
    return [Path(url.toLocalFile()) for url in urls if url.toLocalFile()]


class FileDrops(QObject):
    """Makes `window` take files. What they are is found out on the task thread."""

    opened = Signal(object)  # Path: one model, to be loaded and talked to
    listed = Signal()  # several models are in the list now
    refused = Signal(object)  # AppError

    def __init__(self, window: QWidget, models: Models, tasks: TaskThread) -> None:
        super().__init__(window)
        self._window, self._models, self._tasks = window, models, tasks
        self.sheet = DropSheet(window)
        self.sheet.dropped.connect(self.take)
        window.setAcceptDrops(True)
        window.installEventFilter(self)

    def leave_to_window(self, field: QAbstractScrollArea) -> None:
        """A text field takes dropped text, and would paste the name of a dropped file."""
        field.viewport().installEventFilter(self)

    def take(self, places: list[Path]) -> None:
        """Open what lies in `places`, or say what it is."""
        self._tasks.submit(lambda: library.look_at(places), self._on_known)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind == QEvent.Type.DragEnter and local_paths(event.mimeData()):
            if watched is self._window:
                self.sheet.show_over(self._window, local_paths(event.mimeData()))
                _accept(event)
            else:
                event.ignore()  # it goes on to the window
            return True
        return watched is self._window and self._on_window_event(event)

    def _on_window_event(self, event: QEvent) -> bool:
        """The sheet takes what comes after the first moment; the window has that one."""
        kind = event.type()
        if kind == QEvent.Type.Resize:
            self.sheet.setGeometry(self._window.rect())
        elif kind == QEvent.Type.DragLeave:
            QTimer.singleShot(0, self.sheet, self.sheet.hide_unless_used)
        elif kind == QEvent.Type.Drop and local_paths(event.mimeData()):
            self.sheet.dropEvent(event)
            return True
        return False

    def _on_known(self, dropped: Dropped) -> None:
        for error in dropped.errors:
            self.refused.emit(error)
        for folder in dropped.folders:
            self._offer(folder)
        models = [model.path for model in dropped.models]
        if models:
            self._models.remember(models)
        if len(models) == 1:
            self.opened.emit(models[0])
        elif models:
            self._models.scan()
            self.listed.emit()

    def _offer(self, folder: FolderOfModels) -> QMessageBox:
        box = QMessageBox(self._window)
        box.setWindowTitle("Nibble")
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setText(translate("Dropping", "Add this folder to your models?"))
        found = (
            translate("Dropping", "{folder} holds 1 model.")
            if folder.n_models == 1
            else translate("Dropping", "{folder} holds {n} models.")
        ).format(folder=folder.path, n=words.count(folder.n_models))
        stays = translate("Dropping", "They are used where they lie; nothing is copied.")
        box.setInformativeText(f"{found}\n{stays}")
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add = box.addButton(translate("Dropping", "Add folder"), QMessageBox.ButtonRole.AcceptRole)
        add.clicked.connect(lambda: self._add(folder))
        cancel = box.addButton(translate("Dropping", "Cancel"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(add)
        box.setEscapeButton(cancel)
        box.open()
        return box

    def _add(self, folder: FolderOfModels) -> None:
        self._models.add_folder(folder.path)
        self.listed.emit()


class DropSheet(QWidget):
    """Lies over the whole window while files are dragged, and takes them."""

    dropped = Signal(object)  # list[Path]

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._is_used = False
        self.setAcceptDrops(True)
        self._icon = IconLabel("models", "accentText", 40)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._words = label("", "title")
        self._hint = label("", tone="secondary")
        column = QVBoxLayout(self)
        column.addStretch(1)
        for widget in (self._icon, self._words, self._hint):
            column.addWidget(widget, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self.hide()

    @property
    def text(self) -> str:
        return self._words.text()

    def show_over(self, window: QWidget, places: list[Path]) -> None:
        text, hint = _promise(places)
        set_text(self._words, text)
        set_text(self._hint, hint)
        self.setAccessibleName(text)
        self.setGeometry(window.rect())
        self.show()
        self.raise_()

    def hide_unless_used(self) -> None:
        if not self._is_used:
            self.hide()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if local_paths(event.mimeData()):
            self._is_used = True
            _accept(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._is_used = False
        self.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self._is_used = False
        self.hide()
        _accept(event)
        self.dropped.emit(local_paths(event.mimeData()))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = theme().color("content")
        ground.setAlphaF(0.94)
        painter.fillRect(self.rect(), ground)
        painter.setPen(QPen(theme().color("accentText"), 2, Qt.PenStyle.DashLine))
        margin = px(16)
        area = QRectF(self.rect()).adjusted(margin, margin, -margin, -margin)
        painter.drawRoundedRect(area, px(10), px(10))


def _accept(event: QDropEvent) -> None:
    """To open is to copy, for whoever dragged the file: it must not go from its place."""
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()


def _promise(places: list[Path]) -> tuple[str, str]:
    """What will happen, as far as the names tell: nothing is read while the mouse moves."""
    gguf = [path for path in places if path.suffix.lower() == ".gguf"]
    if len(gguf) == 1 and len(places) == 1:
        text = translate("Dropping", "Drop to open {name}").format(name=gguf[0].name)
        return text, translate("Dropping", "It is used where it lies.")
    if gguf:
        return (
            translate("Dropping", "Drop to add {n} files").format(n=words.count(len(gguf))),
            translate("Dropping", "They are used where they lie."),
        )
    if all(not path.suffix for path in places):
        return (
            translate("Dropping", "Drop to add the folder"),
            translate("Dropping", "Nibble then lists the models in it."),
        )
    return (
        translate("Dropping", "Drop a model here"),
        translate("Dropping", "Nibble opens .gguf files and folders that hold some."),
    )
