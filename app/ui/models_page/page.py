"""The Models page: puts list, detail and downloads together, and says what each leads to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.core import settings as s
from app.core.errors import AppError
from app.core.library import InstalledModel
from app.core.measured import LoadRecord
from app.engine.protocol import Loaded
from app.hub.errors import AccessError
from app.jobs.assessing import Wish
from app.jobs.catalogue import CatalogueJob, Query, Search
from app.jobs.downloads import Downloads
from app.jobs.downloadstate import DownloadState
from app.jobs.subjects import Origin, Subject
from app.ui.controls import Hairline
from app.ui.figures import FigureFeed, Figures
from app.ui.models import Models
from app.ui.models_page import listing, wording
from app.ui.models_page.acting import Acting
from app.ui.models_page.detail import Detail
from app.ui.models_page.listpanel import ListPanel
from app.ui.models_page.listquery import ListQuery
from app.ui.models_page.variantrows import VariantRow
from app.ui.prefs import Prefs
from app.ui.theme import px, theme, tokens

_ONE_AT_A_TIME_PX = 760  # a page narrower than this shows the list or the model
_READ_MS = 700  # a row that is looked at for so long has its own header read


class ModelsPage(QWidget):
    """`dock` stands at the foot. `read_loads` tells what models took when they were loaded;
    `endpoint` gives the hub's address, for its pages."""

    chat_requested = Signal(object)  # Path
    inspect_requested = Signal(object)  # Path
    quantize_requested = Signal(object)  # Path of weights that are here
    lab_requested = Signal()

    def __init__(
        self,
        models: Models,
        feed: FigureFeed,
        prefs: Prefs,
        job: CatalogueJob,
        downloads: Downloads,
        dock: QWidget,
        read_loads: Callable[[Callable[[tuple[LoadRecord, ...]], None]], None],
        endpoint: Callable[[], str],
    ) -> None:
        super().__init__()
        self._models, self._prefs, self._job = models, prefs, job
        self._downloads, self._read_loads = downloads, read_loads
        self._loads: tuple[LoadRecord, ...] = ()  # the latest first
        self._loaded: Loaded | None = None
        self._key = ""
        self._detail_is_open = False  # where there is room for one part only
        self._is_narrow = False
        self._failed: dict[str, AppError] = {}
        self.list = ListPanel()
        self.detail = Detail()
        self.dock = dock
        self.acting = Acting(job, downloads, self.detail, endpoint)
        self._reader = QTimer(self)
        self._reader.setSingleShot(True)
        self._reader.setInterval(_READ_MS)
        self._reader.timeout.connect(self._read_current)
        self._lay_out()
        self._connect_parts()
        self._connect_jobs(feed)
        theme().changed.connect(self._arrange)
        self._begin(feed)

    def _lay_out(self) -> None:
        self._line = Hairline(Qt.Orientation.Vertical)
        right = QVBoxLayout()
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(0)
        right.addWidget(self.detail, 1)
        right.addWidget(self.dock)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self._row.addWidget(self.list)
        self._row.addWidget(self._line)
        self._row.addLayout(right, 1)

    def _connect_parts(self) -> None:
        detail, head = self.detail, self.detail.head
        self.acting.chat_requested.connect(self.chat_requested)
        self.acting.quantize_requested.connect(self.quantize_requested)
        self.acting.dock_requested.connect(self._focus_dock)
        self.list.query_changed.connect(self._on_query)
        self.list.open_requested.connect(self.open_model)
        self.list.entered.connect(self._enter)
        self.list.waiting.cancelled.connect(self._job.cancel_search)
        head.back_requested.connect(self._go_back)
        detail.row_changed.connect(self._on_row)
        detail.waiting.cancelled.connect(self._cancel_look)
        detail.options.changed.connect(self._on_wish)
        detail.note.lab_requested.connect(self.lab_requested)
        detail.note.repo_requested.connect(self._open_all_variants)
        strip = detail.strip
        strip.inspect_requested.connect(lambda model: self.inspect_requested.emit(model.path))
        strip.folder_requested.connect(lambda model: _show_folder(model.path.parent))
        strip.delete_requested.connect(self._models.delete)
        strip.keep_requested.connect(self._models.keep)
        detail.trouble.add_button(self.tr("Try again"), self._open_again, "primary")

    def _connect_jobs(self, feed: FigureFeed) -> None:
        job = self._job
        job.subjects_changed.connect(self._show)
        job.assessed.connect(self._on_assessed)
        job.search_changed.connect(self._on_search)
        job.subject_failed.connect(self._on_subject_failed)
        job.online_changed.connect(lambda _online: self._show_list())
        self._downloads.changed.connect(self._on_downloads)
        self._downloads.finished.connect(lambda _files, _state: self._job.look_again())
        self._models.listed.connect(job.set_installed)
        self._models.refused.connect(self.detail.warning.show_error)
        self._models.accepted.connect(self.detail.warning.hide)
        self._prefs.changed.connect(self._on_setting)
        feed.changed.connect(self._on_figures)

    def _begin(self, feed: FigureFeed) -> None:
        self._on_setting(s.N_CTX.key)
        self._job.set_installed(self._models.installed)
        self._on_figures(feed.figures())
        self._job.begin()
        self._arrange()
        self._show()

    @property
    def subject(self) -> Subject | None:
        """The model that is looked at."""
        return self._job.subjects.get(self._key)

    # --- the list -----------------------------------------------------------------------------

    def _on_query(self, query: ListQuery, confirmed: bool) -> None:
        if query.origin is Origin.HUB:
            text = query.repo_id.rpartition("/")[2] or query.text
            asked = Query(text.strip(), query.author, query.gguf_only, query.hub_sort)
            self._job.ask(asked, at_once=confirmed)
        else:
            self._job.cancel_search()
        self._show_list()

    def _on_search(self, search: Search) -> None:
        if search.is_running and self.list.query.origin is Origin.HUB:
            self.list.waiting.begin(self.tr("Searching Hugging Face…"))
        else:
            self.list.waiting.finish()
        self._show_list()

    def _show_list(self) -> None:
        query = self.list.query
        rows = listing.rows(query, self._job, self._downloads.states)
        self.list.show_rows(rows, self._key)
        listing.show_notice(self.list, query, self._job, rows, self._look_elsewhere)
        self.list.show_foot(listing.foot(self._job))

    def _look_elsewhere(self, origin: Origin) -> None:
        """The same words, where there is more; or the same question again."""
        query = replace(self.list.query, origin=origin)
        if query == self.list.query:
            self._on_query(query, True)
        else:
            self.list.set_query(query)

    def open_model(self, key: str) -> None:
        """Look at the model with this key, or id of the catalogue."""
        key = key if ":" in key else f"catalogue:{key}"
        if key == self._key and key not in self._failed:
            return
        self._key = key
        self._failed.pop(key, None)
        self._reader.stop()
        self._job.cancel_look()
        self.list.owner = ""
        if key.startswith("hub:"):
            self._open_repo(key)
        self.list.mark(key)
        self._show_detail()

    def _open_repo(self, key: str) -> None:
        repo_id = key.removeprefix("hub:")
        self.list.owner = repo_id.partition("/")[0]
        if key not in self._job.subjects:
            name = wording.one_line(repo_id)
            self.detail.show_nothing("")
            self.detail.waiting.begin(self.tr("Reading what {name} holds…").format(name=name))
            self._job.open_repo(key, repo_id)

    def _open_again(self) -> None:
        key, self._key = self._key, ""
        self.detail.trouble.hide()
        self.open_model(key)

    def _open_all_variants(self) -> None:
        subject = self.subject
        if subject is not None and subject.gguf_repo:
            self.list.search.setText(subject.gguf_repo)
            self.open_model(f"hub:{subject.gguf_repo}")

    # --- the model ----------------------------------------------------------------------------

    def _show(self) -> None:
        if not self._key:
            self._open_first()
        self._show_list()
        self._show_detail()

    def _on_assessed(self, keys: tuple[str, ...]) -> None:
        self._show_list()
        if self._key in keys:
            self._show_detail()

    def _open_first(self) -> None:
        """The page does not begin empty: the first model that there is."""
        rows = listing.rows(self.list.query, self._job, self._downloads.states)
        if rows and self.list.query.origin is not Origin.HUB:
            self._key = rows[0].key

    def _show_detail(self) -> None:
        subject = self.subject
        if subject is None:
            if self.detail.waiting.isHidden() and self._key not in self._failed:
                self.detail.show_nothing(self.tr("Choose a model at the left."))
            return
        found = self._job.found.get(subject.key)
        is_waiting = found is None or any(
            offer.shape is None and offer.files for offer in subject.offers
        )
        if subject.origin is not Origin.HUB or found is not None:
            self.detail.waiting.finish()
        self.detail.show_subject(
            subject, found, self._downloads.states, self._job.wish, is_waiting=is_waiting
        )
        if not subject.offers:
            self.detail.waiting.finish()
            self._show_empty()
        self._show_strip()

    def _on_downloads(self, states: tuple[DownloadState, ...]) -> None:
        self.acting.follow(states)
        self._show()

    def _show_empty(self) -> None:
        self.detail.empty.show_words(
            self.tr("This repository holds no GGUF files."),
            self.tr("Nibble can download the original weights and quantize them here."),
            self.tr("Quantize it yourself"),
            self.acting.quantize,
            icon="quantize",
            primary=True,
        )

    def _on_subject_failed(self, key: str, error: AppError) -> None:
        if key != self._key:
            return
        self._failed[key] = error
        self.detail.show_nothing("")
        if isinstance(error, AccessError):
            self.acting.ask_for_token(key.removeprefix("hub:"), error, self._open_again)
        else:
            self.detail.trouble.show_error(error)

    def _cancel_look(self) -> None:
        self._job.cancel_look()
        self._key = ""
        self.detail.show_nothing(self.tr("Choose a model at the left."))
        self.list.mark("")

    # --- a variant ----------------------------------------------------------------------------

    def _on_row(self, _row: VariantRow) -> None:
        self._show_strip()
        self._reader.start()

    def _read_current(self) -> None:
        """The exact figures of the row that is looked at, where they are an estimate."""
        subject, row = self.subject, self.detail.table.current
        if subject is None or row is None or not row.is_estimate or not self._job.is_online:
            return
        self._job.read_offer(subject.key, row.number)

    def _show_strip(self) -> None:
        subject, row = self.subject, self.detail.table.current
        if subject is None or row is None or row.number >= len(subject.offers):
            self.detail.strip.show_file(None, None)
            return
        model = subject.offers[row.number].installed
        record = self._last_load(model) if model is not None else None
        self.detail.strip.show_file(model, record)

    def _last_load(self, model: InstalledModel) -> LoadRecord | None:
        """What it took when it was loaded last."""
        same = (each for each in self._loads if (each.model, each.variant) == _names(model))
        return next(same, None)

    # --- how it is to be run ------------------------------------------------------------------

    def _on_wish(self, wish: Wish) -> None:
        """What is chosen here is how models are loaded from now on."""
        self._prefs.set(s.N_CTX, wish.n_ctx)
        self._prefs.set(s.KV_TYPE, wish.kv_type)

    def _on_setting(self, key: str) -> None:
        if key in (s.N_CTX.key, s.KV_TYPE.key):
            self._job.set_wish(Wish(self._prefs.get(s.N_CTX), self._prefs.get(s.KV_TYPE)))
            self.detail.why.hide()
            self._show()

    def _on_figures(self, figures: Figures) -> None:
        self.detail.warning.follow(figures.state)
        if figures.loaded is not self._loaded:
            self._loaded = figures.loaded
            self._read_loads(self._show_loads)

    def _show_loads(self, loads: tuple[LoadRecord, ...]) -> None:
        self._loads = loads
        self._show_strip()

    # --- room and keys ------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """What is free may have changed since the page was seen last."""
        super().showEvent(event)
        self._job.look_again()
        self._read_loads(self._show_loads)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        self._is_narrow = self.width() < px(_ONE_AT_A_TIME_PX)
        self.list.setFixedWidth(
            self.width() if self._is_narrow else px(tokens()["size"]["catalogueList"])
        )
        shows_detail = not self._is_narrow or self._detail_is_open
        self.list.setVisible(not self._is_narrow or not self._detail_is_open)
        self._line.setVisible(not self._is_narrow)
        self.detail.setVisible(shows_detail)
        self.detail.head.back_button.setVisible(self._is_narrow)

    def _enter(self) -> None:
        """A row was pressed: the model takes the focus, and the room where there is little."""
        self._detail_is_open = True
        self._arrange()
        if self._is_narrow or not self.list.search.hasFocus():
            self.detail.focus_first()

    def _go_back(self) -> None:
        self._detail_is_open = False
        self._arrange()
        self.list.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def find(self) -> None:
        """Ctrl+F."""
        if self._is_narrow:
            self._go_back()
        self.list.focus_search()

    def regions(self) -> list[tuple[QWidget, object]]:
        """The parts that F6 goes through, each with what gives it the focus."""
        parts = [(self.list, self.list.focus_view), (self.detail, self.detail.focus_first)]
        if not self.dock.isHidden():
            parts.append((self.dock, self._focus_dock))
        return [(part, focus) for part, focus in parts if part.isVisible()]

    def _focus_dock(self) -> None:
        first = next((w for w in self.dock.findChildren(QWidget) if _takes_tab(w)), None)
        if first is not None:
            first.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._is_narrow and self._detail_is_open:
            self._go_back()
            return
        super().keyPressEvent(event)


def _names(model: InstalledModel) -> tuple[str, str]:
    return model.name, model.variant


def _takes_tab(widget: QWidget) -> bool:
    return widget.isVisible() and bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def _show_folder(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
