"""The rows of the table of variants, as a model: what each says, and its tick."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QCoreApplication, QModelIndex, Qt, Signal

from app.core.fit import Fit, MemoryPlan
from app.ui import words
from app.ui.quantize.columns import fit_name
from app.ui.quantize.draft import NONE, Draft
from app.ui.quantize.ladder import words_of
from quantize.job import PlannedFile

RowRole = Qt.ItemDataRole.UserRole + 1
translate = QCoreApplication.translate


@dataclass(frozen=True, slots=True)
class VariantRow:
    """One variant. Without `file` its figures are not known yet; `problem`: it cannot be made."""

    type: str
    words: str
    is_ticked: bool = False
    is_recommended: bool = False
    file: PlannedFile | None = None
    need: MemoryPlan | None = None
    fit: Fit | None = None
    free_bytes: int = 0
    problem: str = ""

    @property
    def size(self) -> str:
        return words.size(self.file.size_bytes) if self.file else "…"

    @property
    def bpw(self) -> str:
        return words.decimal(self.file.bpw, 2) if self.file else "…"

    @property
    def time(self) -> str:
        known = self.file is not None and self.file.seconds > 0
        return words.duration(self.file.seconds) if known else "…"

    @property
    def fit_name(self) -> str:
        return fit_name(self.fit) if self.fit else ""

    @property
    def spoken(self) -> str:
        """The whole row for a screen reader."""
        parts = [self.type]
        if self.is_recommended:
            parts.append(translate("VariantRows", "recommended"))
        if self.file is not None:
            parts += [self.size, translate("VariantRows", "{n} bits per weight").format(n=self.bpw)]
            parts += [self.memory_words, self.fit_name]
            parts.append(translate("VariantRows", "{time} predicted").format(time=self.time))
        return ", ".join([*(part for part in parts if part), self.problem or self.words])

    @property
    def memory_words(self) -> str:
        if self.need is None:
            return ""
        return translate("VariantRows", "{need} of {free} memory, predicted").format(
            need=words.size(self.need.total_bytes), free=words.size(self.free_bytes, 1)
        )


def rows_of(draft: Draft) -> tuple[VariantRow, ...]:
    """The largest first once sizes are known; what is ticked or recommended is marked."""
    files = {file.type: file for file in draft.plan.files} if draft.plan else {}
    recommended, ticked = draft.recommended, draft.ticked
    result = []
    for name in draft.types:
        file = files.get(name)
        facts = _facts(draft, file) if file else {}
        can_tick = file is None or draft.can_make(file)
        result.append(
            VariantRow(
                type=name,
                words=words_of(name),
                is_ticked=can_tick and name in ticked,
                is_recommended=name in recommended,
                file=file,
                **facts,
            )
        )
    result.sort(key=lambda row: -row.file.size_bytes if row.file else 0)
    return tuple(result)


def _facts(draft: Draft, file: PlannedFile) -> dict[str, object]:
    assert draft.plan is not None
    return {
        "need": draft.need_of(file),
        "fit": draft.fit_of(file),
        "free_bytes": draft.plan.memory_free_bytes,
        "problem": _problem(draft, file),
    }


def _problem(draft: Draft, file: PlannedFile) -> str:
    if file.problem is not None and file.needs_imatrix and draft.imatrix == NONE:
        return translate(
            "VariantRows", "Needs an importance matrix: choose Automatic or a file above."
        )
    if file.problem is not None:
        hint = f" {words.translate(file.hint)}" if file.hint else ""
        return words.translate(file.problem) + hint
    if draft.exceeds_disk(file):
        assert draft.plan is not None
        free = words.size(draft.plan.disk_free_bytes)
        return translate("VariantRows", "Too big for the disk, where {free} are free.").format(
            free=free
        )
    return ""


class VariantModel(QAbstractListModel):
    """`ticked` says which tick the user changed, and to what."""

    ticked = Signal(str, bool)

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[VariantRow, ...] = ()

    @property
    def rows(self) -> tuple[VariantRow, ...]:
        return self._rows

    def show(self, rows: tuple[VariantRow, ...]) -> None:
        """Rows of the same variants are changed in place, so that the current one stays it."""
        same = [row.type for row in rows] == [row.type for row in self._rows]
        if not same:
            self.beginResetModel()
        self._rows = rows
        if not same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == RowRole:
            return row
        if role == Qt.ItemDataRole.CheckStateRole:
            return Qt.CheckState.Checked if row.is_ticked else Qt.CheckState.Unchecked
        if role == Qt.ItemDataRole.DisplayRole:
            return row.type
        return row.spoken if role == Qt.ItemDataRole.AccessibleTextRole else None

    def setData(self, index: QModelIndex, value: object, role: int = 0) -> bool:
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        row = self._rows[index.row()]
        if row.problem:
            return False
        self.ticked.emit(row.type, Qt.CheckState(value) == Qt.CheckState.Checked)
        return True

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """A row that cannot be made can be reached and read, but not ticked."""
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        if index.isValid() and not self._rows[index.row()].problem:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags
