"""The rows of the table of variants, as a model: what each says, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from PySide6.QtCore import QAbstractTableModel, QCoreApplication, QModelIndex, Qt

from app.core.fit import Fit, MemoryPlan
from app.hub.repo import RemoteFile
from app.jobs.downloadstate import DownloadState, Stage
from app.jobs.subjects import Assessed, Offer, Subject
from app.ui import words
from app.ui.models_page import quality, wording

RowRole = Qt.ItemDataRole.UserRole + 1
translate = QCoreApplication.translate


class Column(StrEnum):
    NAME = "name"
    FILE = "file"
    BAR = "bar"
    TOTAL = "total"
    FIT = "fit"
    SPEED = "speed"
    QUALITY = "quality"
    ACTION = "action"


COLUMNS = tuple(Column)


class Action(StrEnum):
    """What Enter and the words at the right of a row do."""

    NONE = "none"
    DOWNLOAD = "download"
    WATCH = "watch"  # it is being downloaded: the dock has it
    CHAT = "chat"
    WHY = "why"  # it does not fit


@dataclass(frozen=True, slots=True)
class VariantRow:
    """`number`: of the offer. `percent`: of a download that has begun."""

    number: int
    variant: str
    size_bytes: int
    quality: str = ""
    plan: MemoryPlan | None = None
    tps: float = 0.0
    action: Action = Action.NONE
    is_recommended: bool = False
    is_here: bool = False
    is_estimate: bool = False
    is_waiting: bool = False  # its figures are on the way
    percent: int | None = None

    @property
    def size(self) -> str:
        return words.size(self.size_bytes)

    @property
    def fit(self) -> Fit | None:
        return self.plan.fit if self.plan else None

    @property
    def fit_name(self) -> str:
        return wording.fit_name(self.fit) if self.fit else ""

    @property
    def total(self) -> str:
        if self.plan is None:
            return "…" if self.is_waiting else ""
        return words.size(self.plan.total_bytes, 1)

    @property
    def speed(self) -> str:
        if self.plan is None or self.tps <= 0:
            return "…" if self.is_waiting else ""
        return translate("VariantRows", "{n} t/s").format(n=wording.speed(self.tps))

    @property
    def action_text(self) -> str:
        texts = {
            Action.NONE: "",
            Action.DOWNLOAD: translate("VariantRows", "Download"),
            Action.WATCH: translate("VariantRows", "{n} %").format(n=self.percent or 0),
            Action.CHAT: translate("VariantRows", "Chat"),
            Action.WHY: translate("VariantRows", "Why?"),
        }
        return texts[self.action]

    @property
    def memory_words(self) -> str:
        if self.plan is None:
            return ""
        return translate("VariantRows", "{need} of {free} memory, predicted").format(
            need=words.size(self.plan.total_bytes, 1), free=words.size(self.plan.free_bytes, 1)
        )

    @property
    def spoken(self) -> str:
        """The whole row for a screen reader."""
        parts = [self.variant]
        if self.is_recommended:
            parts.append(translate("VariantRows", "recommended"))
        if self.is_here:
            parts.append(translate("VariantRows", "on disk"))
        parts += [self.size, self.memory_words, self.fit_name]
        if self.plan is not None and self.tps > 0:
            text = translate("VariantRows", "about {n} tokens per second, predicted")
            parts.append(text.format(n=wording.speed(self.tps)))
        action = self.action_text
        if self.action is Action.WATCH:
            action = translate("VariantRows", "downloading, {state}").format(state=action)
        return ", ".join(part for part in (*parts, self.quality, action) if part)

    def text(self, column: Column) -> str:
        """What a cell says."""
        texts = {
            Column.NAME: self.variant,
            Column.FILE: self.size,
            Column.BAR: self.memory_words,
            Column.TOTAL: self.total,
            Column.FIT: self.fit_name,
            Column.SPEED: self.speed,
            Column.QUALITY: self.quality,
            Column.ACTION: self.action_text,
        }
        return texts[column]


def rows_of(
    subject: Subject,
    assessed: Assessed | None,
    downloads: Sequence[DownloadState],
    *,
    is_waiting: bool,
) -> tuple[VariantRow, ...]:
    """One row for each offer. `is_waiting`: what is not known yet is on the way."""
    if assessed is not None and len(assessed.assessments) != len(subject.offers):
        assessed = None  # of an earlier look at the repository
    rows = []
    for number, offer in enumerate(subject.offers):
        found = assessed.assessments[number] if assessed else None
        download = download_of(offer, downloads)
        plan = found.plan if found else None
        rows.append(
            VariantRow(
                number=number,
                variant=wording.one_line(offer.variant),
                size_bytes=offer.size_bytes,
                quality=quality.words_of(offer.variant, offer.kind),
                plan=plan,
                tps=found.predicted_tps if found else 0.0,
                action=_action(offer, plan, download),
                is_recommended=assessed is not None
                and number == assessed.pick
                and len(subject.offers) > 1,
                is_here=offer.installed is not None,
                is_estimate=offer.is_estimate,
                is_waiting=is_waiting,
                percent=round(100 * download.share) if download else None,
            )
        )
    return tuple(rows)


def download_of(offer: Offer, downloads: Sequence[DownloadState]) -> DownloadState | None:
    """The download that brings this offer and is not over."""
    if not offer.files:
        return None
    first = offer.files[0]
    open_ones = (each for each in downloads if each.stage is not Stage.DONE)
    return next((d for d in open_ones if any(_is_same(first, f) for f in d.request.files)), None)


def _is_same(wanted: RemoteFile, file: RemoteFile) -> bool:
    """Also where only one of the two is pinned to a commit yet."""
    loose = not wanted.commit or not file.commit
    same_commit = loose or wanted.commit == file.commit
    return same_commit and (wanted.repo, wanted.path) == (file.repo, file.path)


def _action(offer: Offer, plan: MemoryPlan | None, download: DownloadState | None) -> Action:
    if offer.installed is not None:
        return Action.CHAT
    if download is not None and download.stage is not Stage.FAILED:
        return Action.WATCH
    if plan is not None and not plan.fits:
        return Action.WHY
    return Action.DOWNLOAD if offer.files else Action.NONE


class VariantModel(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[VariantRow, ...] = ()

    @property
    def rows(self) -> tuple[VariantRow, ...]:
        return self._rows

    def show(self, rows: tuple[VariantRow, ...]) -> None:
        """Rows of the same variants are changed in place, so that the current one stays it."""
        if [row.variant for row in rows] != [row.variant for row in self._rows]:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
        elif rows != self._rows:
            self._rows = rows
            last = self.index(len(rows) - 1, len(COLUMNS) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row, column = self._rows[index.row()], COLUMNS[index.column()]
        if role == RowRole:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.text(column)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return row.spoken if column is Column.NAME else row.text(column)
        return None

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> object:
        if orientation is Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return headings()[COLUMNS[section]]
        return None


def headings() -> dict[Column, str]:
    return {
        Column.NAME: translate("VariantRows", "Variant"),
        Column.FILE: translate("VariantRows", "File"),
        Column.BAR: translate("VariantRows", "Memory"),
        Column.TOTAL: "",
        Column.FIT: translate("VariantRows", "Fit"),
        Column.SPEED: translate("VariantRows", "Speed"),
        Column.QUALITY: translate("VariantRows", "Quality"),
        Column.ACTION: "",
    }
