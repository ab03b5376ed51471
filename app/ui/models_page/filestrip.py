"""The chosen variant's file on this computer: where it lies, whose it is, what it really took."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.library import InstalledModel
from app.core.measured import LoadRecord
from app.ui import words
from app.ui.controls import ElidedLabel, IconLabel, button, label, set_icon, set_text
from app.ui.models_page import wording
from app.ui.quantize.flow import Flow
from app.ui.theme import px, theme


class FileStrip(QWidget):
    """Hidden where the chosen variant is not here."""

    inspect_requested = Signal(object)  # InstalledModel
    folder_requested = Signal(object)  # InstalledModel
    delete_requested = Signal(object)  # InstalledModel
    keep_requested = Signal(object)  # InstalledModel: it changed, and that is right
    duplicate_requested = Signal(object)  # Path: where the same file lies too

    def __init__(self) -> None:
        super().__init__()
        self._model: InstalledModel | None = None
        self.path = ElidedLabel("", Qt.TextElideMode.ElideMiddle)
        self.path.setProperty("step", "small")
        self.about = label("", "small", "secondary", wrap=True)
        self.notice = label("", "small", "tight", wrap=True)
        self._buttons = Flow(gap_px=8)
        self.inspect_button = self._add(self.tr("Inspect"), "info", self.inspect_requested)
        self.folder_button = self._add(self.tr("Show in folder"), "folder", self.folder_requested)
        self.keep_button = self._add(self.tr("Keep it as it is"), "check", self.keep_requested)
        self.delete_button = self._add(self.tr("Delete…"), "trash", self.delete_requested)
        self._lay_out()
        theme().changed.connect(self._place)
        self._place()
        self.hide()

    def _add(self, text: str, icon: str, signal: Signal):
        result = button(text, small=True)
        result.setProperty("lineIcon", icon)
        result.clicked.connect(lambda: signal.emit(self._model))
        self._buttons.add(result)
        return result

    def _lay_out(self) -> None:
        texts = QVBoxLayout()
        for widget in (self.path, self.about, self.notice):
            texts.addWidget(widget)
        self._texts = texts
        line = QHBoxLayout()
        line.addWidget(IconLabel("disk", "textSecondary", 20), 0, Qt.AlignmentFlag.AlignTop)
        line.addLayout(texts, 1)
        self._line = line
        self._column = QVBoxLayout(self)
        self._column.addLayout(line)
        self._column.addWidget(self._buttons)

    @property
    def model(self) -> InstalledModel | None:
        return self._model

    def show_file(self, model: InstalledModel | None, load: LoadRecord | None) -> None:
        """`load`: what it took when it was loaded last, and what had been predicted."""
        self._model = model
        if model is None:
            self.hide()
            return
        set_text(self.path, wording.one_line(str(model.path)))
        self.path.setAccessibleName(str(model.path))
        set_text(self.about, self._about(model, load))
        self.about.setVisible(bool(self.about.text()))
        notice = model.notice
        set_text(
            self.notice,
            f"{words.translate(notice.text)} {words.translate(notice.hint)}" if notice else "",
        )
        self.notice.setVisible(notice is not None)
        self.keep_button.setVisible(notice is not None and model.is_usable)
        name = f"{model.name} {model.variant}".strip()
        self.inspect_button.setAccessibleName(self.tr("Inspect {name}").format(name=name))
        self.delete_button.setAccessibleName(self.tr("Delete {name}").format(name=name))
        self._buttons.rearrange()
        self.show()

    def _about(self, model: InstalledModel, load: LoadRecord | None) -> str:
        parts = [wording.source_name(str(model.source))]
        if len(model.files) > 1:
            parts.append(self.tr("{n} files").format(n=words.count(len(model.files))))
        if model.mmproj is not None:
            parts.append(self.tr("with the part that sees pictures"))
        if model.is_duplicate_of is not None:
            text = (
                self.tr("The same as {path}")
                if model.is_surely_duplicate
                else self.tr("Perhaps the same as {path}")
            )
            parts.append(text.format(path=wording.one_line(str(model.is_duplicate_of))))
        parts.append(self._compared(load))
        return ". ".join(part for part in parts if part)

    def _compared(self, load: LoadRecord | None) -> str:
        """ "Took 6.33 GB with 8,192 tokens, 0.8 % below the prediction"."""
        if load is None:
            return ""
        percent = 100 * load.error
        text = self.tr("Took {size} with {n_ctx} tokens, {n} % above the prediction")
        if percent < 0:
            text = self.tr("Took {size} with {n_ctx} tokens, {n} % below the prediction")
        return text.format(
            size=words.size(load.actual.total_bytes),
            n_ctx=words.count(load.n_ctx),
            n=words.decimal(abs(percent), 1),
        )

    def _place(self) -> None:
        self._column.setContentsMargins(px(24), px(12), px(24), px(4))
        self._column.setSpacing(px(8))
        self._line.setSpacing(px(12))
        self._texts.setSpacing(px(2))
        for each in (self.inspect_button, self.folder_button, self.keep_button, self.delete_button):
            set_icon(each, each.property("lineIcon"))
        self._buttons.rearrange()
