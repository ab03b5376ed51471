"""The first start's recommendation: one better model for this computer, why, and how to get it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core.errors import Message
from app.core.fit import Fit
from app.core.hardware import Hardware
from app.jobs.better import Better
from app.jobs.downloadstate import DownloadState, Stage
from app.ui import words
from app.ui.controls import (
    Badge,
    Hairline,
    IconLabel,
    Surface,
    button,
    label,
    set_icon,
    set_text,
    tag,
)
from app.ui.downloads.strip import DownloadStrip
from app.ui.fitbar import PredictedMemory
from app.ui.quantize.flow import Flow
from app.ui.quantize.scrolled import empty
from app.ui.theme import px, theme
from app.ui.words import translate as sentence

translate = QCoreApplication.translate
_HOST = "Hugging Face"


class BetterCard(QWidget):
    """Shows a model and how its download stands, or that there is none."""

    download_requested = Signal(object)  # Request
    chat_requested = Signal(object)  # Path
    others_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._better: Better | None = None
        self._download: DownloadState | None = None
        self.model = _Model()
        self.nothing = _Nothing()
        self._card = Surface("card")
        self.strip = DownloadStrip()
        self.download_button = button("", "primary")
        self.chat_button = button(self.tr("Chat with it"), "primary")
        self.others_button = button(self.tr("See other models"))
        self._buttons = Flow(8)
        self._foot = label("", "small", "secondary", wrap=True)
        self._lay_out()
        self.download_button.clicked.connect(self._on_download)
        self.chat_button.clicked.connect(self._on_chat)
        self.others_button.clicked.connect(self.others_requested)
        theme().changed.connect(self._place)
        self._place()
        self._show()

    def _lay_out(self) -> None:
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        title = self.tr("A better model for this computer")
        self._column.addWidget(label(title, "small", "secondary", strong=True))
        self._column.addWidget(self._card)
        self._inner = QVBoxLayout(self._card)
        for each in (self.model, self.nothing, self.strip):
            self._inner.addWidget(each)
        for each in (self.download_button, self.chat_button, self.others_button):
            self._buttons.add(each)
        self._inner.addWidget(self._buttons)
        self._inner.addWidget(self._foot)

    # --- what there is ------------------------------------------------------------------------

    def show_better(self, better: Better | None, hardware: Hardware) -> None:
        """What was found; None where nothing fits."""
        self._better = better
        if better is not None:
            self.model.show_better(better)
            text = self.tr("Download {size}").format(size=words.size(better.download_bytes))
            self.download_button.setText(text)
        else:
            self.nothing.show_none(hardware)
        self._show()

    def show_downloads(self, states: tuple[DownloadState, ...]) -> None:
        """How the download of this model stands, if there is one."""
        if self._better is None:
            return
        mine = (s for s in states if _is_of(s, self._better))
        self._download = next(mine, None)
        self._show()

    def _show(self) -> None:
        better, download = self._better, self._download
        file = self._file()
        goes = download is not None and download.stage is not Stage.DONE
        self.model.setVisible(better is not None)
        self.nothing.setVisible(better is None)
        if download is not None and goes:
            self.strip.show_state(download)
        self.strip.setVisible(goes)
        if goes and self.download_button.hasFocus():
            self.strip.pause_button.setFocus()
        self.chat_button.setVisible(file is not None)
        self.download_button.setVisible(better is not None and not goes and file is None)
        self._buttons.rearrange()
        set_text(self._foot, self._foot_text(goes, file))
        self._foot.setVisible(bool(self._foot.text()))

    def _file(self) -> Path | None:
        """The model, where it is on this computer."""
        if self._download is not None and self._download.stage is Stage.DONE:
            return self._download.model
        return self._better.here if self._better is not None else None

    def _foot_text(self, goes: bool, file: Path | None) -> str:
        if self._better is None:
            return ""
        if file is not None:
            if self._download is None:
                return self.tr("It is on this computer already.")
            return self.tr("Complete. The checksum agrees.")
        if goes:
            return self.tr("You can go on chatting. If you close Nibble, what has arrived is kept.")
        text = self.tr("From {host}, checked when it arrives. You can go on chatting.")
        text = text.format(host=_HOST)
        extra = self._better.download_bytes - self._better.pick.candidate.size_bytes
        if self._better.model.sees and extra > 0:
            more = self.tr("{size} of it are for seeing pictures.")
            text = f"{text} {more.format(size=words.size(extra))}"
        return text

    # --- what the user does -------------------------------------------------------------------

    def _on_download(self) -> None:
        if self._better is not None:
            self.download_requested.emit(self._better.request)

    def _on_chat(self) -> None:
        file = self._file()
        if file is not None:
            self.chat_requested.emit(file)

    def _place(self) -> None:
        self._column.setSpacing(px(8))
        self._inner.setContentsMargins(px(16), px(16), px(16), px(16))
        self._inner.setSpacing(px(12))
        set_icon(self.download_button, "download", "onAccent")


class _Model(QWidget):
    """Name, what it is for, what it takes, why this one."""

    def __init__(self) -> None:
        super().__init__()
        self.name = label("", "title", wrap=True)
        self.variant = tag("")
        self.badge = Badge()
        self.note = label("", tone="secondary", wrap=True)
        self.memory = PredictedMemory()
        self.reasons: list[_Reason] = []
        self._head = QHBoxLayout()
        self._head.addWidget(self.name)
        self._head.addWidget(self.variant)
        self._head.addStretch(1)
        self._head.addWidget(self.badge)
        self._reasons = QVBoxLayout()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addLayout(self._head)
        for widget in (self.note, self.memory, Hairline()):
            self._column.addWidget(widget)
        self._column.addLayout(self._reasons)
        theme().changed.connect(self._place)
        self._place()

    def show_better(self, better: Better) -> None:
        model, pick = better.model, better.pick
        self.name.setText(model.name)
        self.variant.setText(pick.candidate.variant)
        self.badge.show_state(pick.plan.fit.value, _fit_name(pick.plan.fit))
        good_for = sentence(model.good_for)
        self.note.setText(f"{good_for[:1].upper()}{good_for[1:]}. {model.license}.")
        self.memory.show_plan(pick.plan)
        empty(self._reasons)
        self.reasons = [
            _Reason(reason, "info" if _names_another(reason, better) else "check")
            for reason in better.recommendation.reasons
        ]
        for reason in self.reasons:
            self._reasons.addWidget(reason)

    def _place(self) -> None:
        self._head.setSpacing(px(8))
        self._reasons.setSpacing(px(8))
        self._column.setSpacing(px(8))


class _Reason(QWidget):
    def __init__(self, reason: Message, icon: str) -> None:
        super().__init__()
        self.icon, self.text = icon, sentence(reason)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(px(8))
        row.addWidget(IconLabel(icon, "accentText", 16), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(label(self.text, wrap=True), 1)


class _Nothing(QWidget):
    """There is no model to show."""

    def __init__(self) -> None:
        super().__init__()
        self.text = label(translate("BetterCard", "No better model fits here now."), wrap=True)
        self.hint = label("", "small", "secondary", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.text)
        column.addWidget(self.hint)

    def show_none(self, hardware: Hardware) -> None:
        hint = translate(
            "BetterCard",
            "{free} of memory are free. Closing other programs may make room for one.",
        )
        self.hint.setText(hint.format(free=words.size(hardware.ram_available_bytes, 1)))


def _is_of(state: DownloadState, better: Better) -> bool:
    """By the files' names: the commit may have been asked for meanwhile."""
    return state.request.folder == better.request.folder and [
        (file.repo, file.path) for file in state.request.files
    ] == [(file.repo, file.path) for file in better.request.files]


def _names_another(reason: Message, better: Better) -> bool:
    """Whether the reason is about what was not taken."""
    text = str(reason)
    others = (other.candidate.variant for other in better.recommendation.others)
    return any(name in text for name in others if name != better.pick.candidate.variant)


def _fit_name(fit: Fit) -> str:
    names = {
        Fit.FITS: translate("BetterCard", "Fits"),
        Fit.TIGHT: translate("BetterCard", "Tight"),
        Fit.DOES_NOT_FIT: translate("BetterCard", "Does not fit"),
    }
    return names[fit]
