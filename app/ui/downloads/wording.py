"""What is said of a download: how much is here, how long still, why it waits, what came of it."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from app.jobs.downloadstate import DownloadState, Stage
from app.ui import words
from app.ui.words import translate as sentence

translate = QCoreApplication.translate
ICONS = {
    Stage.PAUSED: ("pause", "textSecondary"),
    Stage.OFFLINE: ("offline", "textSecondary"),
    Stage.FAILED: ("does-not-fit", "doesNotFit"),
    Stage.DONE: ("fits", "fits"),
}
USUAL_ICON = ("download", "textSecondary")


def name_of(state: DownloadState) -> str:
    return f"{state.title} {state.variant}".strip()


def amount(state: DownloadState) -> str:
    """ "1.62 of 2.50 GB"; the whole alone where nothing has come yet."""
    whole = words.size(state.total_bytes)
    if not state.done_bytes:
        return whole
    part = words.part_of(state.done_bytes, state.total_bytes)
    return translate("Downloads", "{part} of {size}").format(part=part, size=whole)


def doing(state: DownloadState) -> str:
    """A few words beside the bar: the time still to wait, or what it waits for."""
    if state.stage is Stage.FETCHING:
        if state.eta_s is None:
            return ""
        left = translate("Downloads", "{time} left")
        return left.format(time=words.duration(state.eta_s))
    texts = {
        Stage.WAITING: translate("Downloads", "Its turn comes"),
        Stage.CHECKING: translate("Downloads", "Looking…"),
        Stage.VERIFYING: translate("Downloads", "Checking…"),
        Stage.RETRYING: translate("Downloads", "Trying again…"),
        Stage.PAUSED: translate("Downloads", "Paused"),
        Stage.OFFLINE: translate("Downloads", "No connection"),
    }
    return texts.get(state.stage, "")


def help_for(state: DownloadState) -> str:
    """The same at length."""
    if state.note is not None:
        return f"{sentence(state.note)} {translate('Downloads', 'It tries again by itself.')}"
    if state.stage is Stage.OFFLINE:
        return translate("Downloads", "It goes on by itself when there is a network again.")
    texts = {
        Stage.WAITING: translate("Downloads", "It begins when another download is done."),
        Stage.CHECKING: translate("Downloads", "Looking at what is here already."),
        Stage.VERIFYING: translate("Downloads", "Comparing what has arrived with its checksum."),
    }
    return texts.get(state.stage, "")


def spoken(state: DownloadState) -> str:
    """The bar in words."""
    return ", ".join(part for part in (amount(state), doing(state)) if part)


def result(state: DownloadState) -> tuple[str, str]:
    """What came of it, and the way on."""
    if state.error is not None:
        hint = sentence(state.error.hint) if state.error.hint else ""
        return sentence(state.error.text), hint
    return translate("Downloads", "Complete. The checksum agrees."), ""


def finished(state: DownloadState) -> str:
    text = translate("Downloads", "{name} is complete. The checksum agrees.")
    return text.format(name=name_of(state))


def per_second(bytes_per_s: float) -> str:
    """ "11.8 MB/s"."""
    if bytes_per_s >= 1e6:
        return f"{words.decimal(bytes_per_s / 1e6, 1)} MB/s"
    return f"{words.decimal(bytes_per_s / 1e3, 0)} kB/s"
