"""What the list shows for a query: its rows, or the words that stand in their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QCoreApplication

from app.hub.errors import OfflineError
from app.hub.repo import RepoSummary
from app.jobs.catalogue import CatalogueJob
from app.jobs.downloadstate import DownloadState
from app.jobs.subjects import Origin, Subject, hub_key
from app.ui import words
from app.ui.models_page import wording
from app.ui.models_page.listpanel import ListPanel
from app.ui.models_page.listquery import ListQuery, chosen
from app.ui.models_page.listrows import ListRow, row_of, row_of_result
from app.ui.models_page.variantrows import download_of

translate = QCoreApplication.translate


def rows(
    query: ListQuery, job: CatalogueJob, downloads: Sequence[DownloadState]
) -> tuple[ListRow, ...]:
    if query.origin is not Origin.HUB:
        return tuple(
            row_of(subject, job.found.get(subject.key), percent_of(subject, downloads))
            for subject in chosen(query, job)
        )
    return tuple(_hub_row(result, job, downloads) for result in _results(query, job))


def _results(query: ListQuery, job: CatalogueJob) -> list[RepoSummary]:
    """What was found; before it the repository that was named, found or not."""
    results = list(job.search.results)
    named = query.repo_id.lower()
    if named:
        exact = [result for result in results if result.id.lower() == named]
        rest = [result for result in results if result.id.lower() != named]
        results = [*(exact or [RepoSummary(query.repo_id, has_gguf=True)]), *rest]
    return results


def _hub_row(result: RepoSummary, job: CatalogueJob, downloads: Sequence[DownloadState]) -> ListRow:
    key = hub_key(result.id)
    subject = job.subjects.get(key)
    percent = percent_of(subject, downloads) if subject else None
    return row_of_result(result, subject, job.found.get(key), percent)


def percent_of(subject: Subject, downloads: Sequence[DownloadState]) -> int | None:
    """How far the subject's download is, None without one."""
    if not downloads:
        return None
    found = (download_of(offer, downloads) for offer in subject.offers)
    running = next((each for each in found if each is not None and each.is_open), None)
    return round(100 * running.share) if running else None


def foot(job: CatalogueJob) -> str:
    """What the badges were reckoned for."""
    if job.hardware is None:
        return translate("Listing", "Looking at this computer…")
    free = max((found.free_bytes for found in job.found.values()), default=0)
    if not free:
        return ""
    text = translate("Listing", "Shown for {n} tokens of context and the {free} that are free now.")
    return text.format(n=words.count(job.wish.n_ctx), free=words.size(free, 1))


def show_notice(
    panel: ListPanel,
    query: ListQuery,
    job: CatalogueJob,
    shown: Sequence[ListRow],
    look: Callable[[Origin], None],
) -> None:
    """The words above the rows or in their place; most often none."""
    if query.origin is Origin.HUB:
        _show_hub_notice(panel, query, job, shown, look)
    elif shown or not (query.text or query.only_fitting or query.origin is Origin.HERE):
        panel.notice.hide()
    elif query.origin is Origin.HERE and not query.text:
        panel.notice.show_words(
            translate("Listing", "There is no model here yet."),
            translate("Listing", "Take one from the catalogue, or drop a GGUF file here."),
            translate("Listing", "Open the catalogue"),
            lambda: look(Origin.CATALOGUE),
            icon="models",
            primary=True,
        )
    else:
        panel.notice.show_words(
            translate("Listing", "Nothing here is called that."),
            translate("Listing", "There may be one among all models of Hugging Face."),
            translate("Listing", "Search Hugging Face"),
            lambda: look(Origin.HUB),
            icon="search",
        )


def _show_hub_notice(
    panel: ListPanel,
    query: ListQuery,
    job: CatalogueJob,
    shown: Sequence[ListRow],
    look: Callable[[Origin], None],
) -> None:
    search = job.search
    again = translate("Listing", "Try again")
    if isinstance(search.error, OfflineError):
        text, hint = offline_words(search.error)
        panel.notice.show_words(text, hint, again, lambda: look(Origin.HUB), icon="offline")
    elif search.error is not None:
        panel.notice.show_error(search.error, again, lambda: look(Origin.HUB))
    elif not shown and not search.is_running:
        panel.notice.show_words(
            translate("Listing", "No model of Hugging Face is called that."),
            translate("Listing", "Try fewer words, or allow repositories without GGUF files.")
            if query.gguf_only
            else translate("Listing", "Try fewer words."),
            icon="search",
        )
    else:
        panel.notice.hide()


def offline_words(error: OfflineError) -> tuple[str, str]:
    """What is wrong, and what goes on all the same."""
    from app.core.catalog import catalog_date

    day = wording.day(catalog_date())
    hint = translate("Listing", "The catalogue is from {day}. Search and downloads wait.")
    if not error.text.template.startswith("You are offline."):  # a proxy, or the hub itself
        still = translate("Listing", "Everything on this computer still works.")
        hint = f"{still} {hint}"
    return words.translate(error.text), hint.format(day=day) if day else ""
