"""The rows of the list at the left: what each says, and how well it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QCoreApplication, QModelIndex, Qt

from app.core.fit import Fit
from app.hub.repo import RepoSummary
from app.jobs.subjects import Assessed, Origin, Subject, hub_key, name_of_repo
from app.ui import words
from app.ui.models_page import wording

RowRole = Qt.ItemDataRole.UserRole + 1
translate = QCoreApplication.translate


@dataclass(frozen=True, slots=True)
class ListRow:
    """`percent`: of a download that runs. `note`: a word in place of a badge."""

    key: str
    name: str
    about: str
    fit: Fit | None = None
    is_here: bool = False
    percent: int | None = None
    note: str = ""
    is_gated: bool = False

    @property
    def state(self) -> str:
        """What stands at the right, in words."""
        if self.percent is not None:
            return translate("ListRows", "{n} %").format(n=self.percent)
        if self.is_here:
            return translate("ListRows", "On disk")
        return wording.fit_name(self.fit) if self.fit else self.note

    @property
    def spoken(self) -> str:
        """The whole row for a screen reader."""
        state = self.state
        if self.percent is not None:
            state = translate("ListRows", "downloading, {state}").format(state=state)
        gated = translate("ListRows", "asks for a token") if self.is_gated else ""
        return ", ".join(part for part in (self.name, self.about, state, gated) if part)


def row_of(subject: Subject, assessed: Assessed | None, percent: int | None) -> ListRow:
    is_here = any(offer.installed is not None for offer in subject.offers)
    return ListRow(
        key=subject.key,
        name=wording.one_line(subject.name),
        about=_here_words(subject) if subject.origin is Origin.HERE else _about(subject),
        fit=assessed.fit if assessed else None,
        is_here=is_here and subject.origin is not Origin.HERE,
        percent=percent,
        note=translate("ListRows", "Not advised") if assessed and assessed.is_unwise else "",
        is_gated=False,
    )


def _about(subject: Subject) -> str:
    use = words.translate(subject.good_for) if subject.good_for is not None else ""
    return " · ".join(part for part in (wording.parameters(subject), use) if part)


def _here_words(subject: Subject) -> str:
    """ "Q8_0, Q4_K_M · 6.8 GB · Ollama"."""
    variants = ", ".join(dict.fromkeys(offer.variant for offer in subject.offers))
    size = words.size(sum(offer.size_bytes for offer in subject.offers))
    models = [offer.installed for offer in subject.offers if offer.installed is not None]
    apps = dict.fromkeys(getattr(model, "app_name", "") for model in models)
    starter = translate("ListRows", "starter") if any(m.is_starter for m in models) else ""
    return " · ".join(
        part for part in (variants, size, starter, ", ".join(filter(None, apps))) if part
    )


def row_of_result(
    result: RepoSummary, subject: Subject | None, assessed: Assessed | None, percent: int | None
) -> ListRow:
    """A search result; once it was opened its fit is known too."""
    is_here = subject is not None and any(offer.installed for offer in subject.offers)
    return ListRow(
        key=hub_key(result.id),
        name=wording.one_line(name_of_repo(result.id)),
        about=_result_words(result),
        fit=assessed.fit if assessed else None,
        is_here=is_here,
        percent=percent,
        note=_result_note(result),
        is_gated=bool(result.gated),
    )


def _result_note(result: RepoSummary) -> str:
    if result.gated:
        return translate("ListRows", "Needs a token")
    return "" if result.has_gguf else translate("ListRows", "No GGUF")


def _result_words(result: RepoSummary) -> str:
    parts = [wording.one_line(result.id.rpartition("/")[0])]
    if result.n_params:
        parts.append(wording.billions(result.n_params))
    if result.downloads:
        n = wording.many(result.downloads)
        parts.append(translate("ListRows", "{n} downloads").format(n=n))
    return " · ".join(part for part in parts if part)


class ListModel(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[ListRow, ...] = ()

    @property
    def rows(self) -> tuple[ListRow, ...]:
        return self._rows

    def show(self, rows: Sequence[ListRow]) -> None:
        """Rows of the same models are changed in place, so that the current one stays it."""
        rows = tuple(rows)
        if [row.key for row in rows] != [row.key for row in self._rows]:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return
        changed = [n for n, row in enumerate(rows) if row != self._rows[n]]
        self._rows = rows
        if changed:
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))

    def number_of(self, key: str) -> int:
        """-1 where there is none."""
        return next((n for n, row in enumerate(self._rows) if row.key == key), -1)

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == RowRole:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.name
        return row.spoken if role == Qt.ItemDataRole.AccessibleTextRole else None
