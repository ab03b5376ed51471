"""What the list is asked to show, and the menu beside the chips that says in which order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from app.core.fit import Fit
from app.hub.errors import NotFoundError
from app.hub.reference import parse_reference
from app.jobs.catalogue import CatalogueJob
from app.jobs.subjects import Assessed, Origin, Subject
from app.ui.models_page.wording import one_line

ORIGINS = (Origin.HERE, Origin.CATALOGUE, Origin.HUB)


@dataclass(frozen=True, slots=True)
class ListQuery:
    """`sort` is "size", "name" or "recent"; of a hub "downloads", "likes" or "recent"."""

    origin: Origin = Origin.CATALOGUE
    text: str = ""
    sort: str = "size"
    hub_sort: str = "downloads"
    only_fitting: bool = False
    gguf_only: bool = True
    author: str = ""

    @property
    def repo_id(self) -> str:
        """The repository that was typed or pasted, also as an address; "" for other words."""
        try:
            return parse_reference(self.text).repo
        except NotFoundError:
            return ""


def chosen(query: ListQuery, job: CatalogueJob) -> list[Subject]:
    """The subjects of the catalogue or of this computer that the query means, in its order."""
    words = query.text.lower().split()
    subjects = [
        subject
        for subject in job.of(query.origin)
        if _has(subject, words) and (not query.only_fitting or _fits(job.found.get(subject.key)))
    ]
    if query.sort == "name":
        subjects.sort(key=lambda subject: subject.name.lower())
    elif query.sort == "recent":
        subjects.sort(key=lambda subject: subject.released, reverse=True)
    return subjects


def _has(subject: Subject, words: list[str]) -> bool:
    texts = [subject.name, subject.repo, subject.gguf_repo, subject.license]
    texts += [offer.variant for offer in subject.offers if offer.installed is not None]
    return all(word in " ".join(texts).lower() for word in words)


def _fits(assessed: Assessed | None) -> bool:
    return assessed is not None and assessed.fit in (Fit.FITS, Fit.TIGHT)


class SortMenu(QObject):
    """`changed` carries the query with the order and filters that were chosen."""

    changed = Signal(object)  # ListQuery

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.menu = QMenu(parent)

    def fill(self, query: ListQuery, owner: str) -> QMenu:
        """`owner`: of the repository that is looked at, offered as a filter; "" for none."""
        self.menu.clear()
        is_hub = query.origin is Origin.HUB
        current = query.hub_sort if is_hub else query.sort
        group = QActionGroup(self.menu)
        for value, text in self._orders(is_hub):
            field = "hub_sort" if is_hub else "sort"
            action = self.menu.addAction(text, self._changer(query, **{field: value}))
            action.setCheckable(True)
            action.setChecked(value == current)
            group.addAction(action)
        self.menu.addSeparator()
        if is_hub:
            self._add_check(query, self.tr("GGUF only"), "gguf_only")
            self._add_author(query, owner)
        else:
            self._add_check(query, self.tr("Only what fits"), "only_fitting")
        return self.menu

    def _orders(self, is_hub: bool) -> tuple[tuple[str, str], ...]:
        if is_hub:
            return (
                ("downloads", self.tr("Most downloads first")),
                ("likes", self.tr("Most likes first")),
                ("recent", self.tr("Changed last first")),
            )
        return (
            ("size", self.tr("As they come, small to large")),
            ("name", self.tr("By name")),
            ("recent", self.tr("Newest first")),
        )

    def _add_check(self, query: ListQuery, text: str, field: str) -> None:
        value: bool = getattr(query, field)
        action = self.menu.addAction(text, self._changer(query, **{field: not value}))
        action.setCheckable(True)
        action.setChecked(value)

    def _add_author(self, query: ListQuery, owner: str) -> None:
        owner = query.author or owner
        if not owner:
            return
        # An ampersand in a name is no shortcut.
        name = one_line(owner).replace("&", "&&")
        text = self.tr("Only from {owner}").format(owner=name)
        action = self.menu.addAction(
            text, self._changer(query, author="" if query.author else owner)
        )
        action.setCheckable(True)
        action.setChecked(bool(query.author))

    def _changer(self, query: ListQuery, **changes: object):
        return lambda: self.changed.emit(replace(query, **changes))
