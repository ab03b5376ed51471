"""The Models page's job: a hub that is slow or changes its mind, and answers nobody wants."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.core.errors import AppError, Message
from app.hub.client import Hub
from app.hub.errors import AccessError, OfflineError
from app.jobs.assessing import Wish
from app.jobs.catalogue import CatalogueJob, Query
from app.jobs.latest import Latest
from app.jobs.subjects import Origin, hub_key
from tests.helpers.fake_hub import FakeHub
from tests.helpers.machines import MACHINES
from tests.helpers.tiny_gguf import write_tiny

LAPTOP = MACHINES["laptop-16-no-gpu"]


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with FakeHub() as made:
        yield made


@pytest.fixture
def job(qtbot: QtBot, hub: FakeHub) -> Iterator[CatalogueJob]:
    made = CatalogueJob(lambda: (LAPTOP, False), lambda: Hub(hub.endpoint, timeout_s=5.0))
    yield made
    made.close()


@pytest.fixture
def tiny(hub: FakeHub, tmp_path: Path) -> str:
    content = write_tiny(tmp_path / "tiny.gguf")
    hub.add_repo("nibbler/tiny-GGUF", {"tiny-Q8_0.gguf": content, "tiny-Q4_0.gguf": content})
    return "nibbler/tiny-GGUF"


def test_the_catalogue_is_there_before_it_is_judged(qtbot: QtBot, job: CatalogueJob) -> None:
    with qtbot.waitSignal(job.subjects_changed):
        job.begin()
    assert len(job.of(Origin.CATALOGUE)) > 20
    qtbot.waitUntil(lambda: len(job.found) == len(job.subjects), timeout=10_000)


def test_another_context_judges_anew(qtbot: QtBot, job: CatalogueJob) -> None:
    job.begin()
    qtbot.waitUntil(lambda: len(job.found) == len(job.subjects) > 0, timeout=10_000)
    job.set_wish(Wish(2048, "f16"))
    job.set_wish(Wish(16384, "q8_0"))  # the one before is dropped
    qtbot.waitUntil(lambda: all(each.kv_type == "q8_0" for each in job.found.values()))


def test_nothing_is_asked_before_the_user_asks(
    qtbot: QtBot, job: CatalogueJob, hub: FakeHub
) -> None:
    job.begin()
    qtbot.waitUntil(lambda: bool(job.found))
    assert hub.log == []


def test_typing_asks_once(qtbot: QtBot, job: CatalogueJob, hub: FakeHub, tiny: str) -> None:
    for text in ("t", "ti", "tin", "tiny"):
        job.ask(Query(text))
    qtbot.waitUntil(lambda: not job.search.is_running)
    assert [result.id for result in job.search.results] == [tiny]
    assert len(hub.requests("/api/models")) == 1


def test_a_late_answer_is_not_shown(
    qtbot: QtBot, job: CatalogueJob, hub: FakeHub, tiny: str
) -> None:
    hub.add_repo("nibbler/other-GGUF", {"a-Q8_0.gguf": b"x"})
    hub.faults.latency_ms = 300
    job.ask(Query("tiny"), at_once=True)
    qtbot.waitUntil(lambda: bool(hub.requests("tiny")))
    hub.faults.latency_ms = 0
    seen = []
    job.search_changed.connect(lambda search: seen.append(search.query.text))
    job.ask(Query("other"), at_once=True)
    qtbot.waitUntil(lambda: not job.search.is_running)
    qtbot.waitUntil(lambda: hub.requests("tiny")[0].status == 200)
    assert set(seen) == {"other"}
    assert [result.id for result in job.search.results] == ["nibbler/other-GGUF"]


def test_a_search_can_be_given_up(qtbot: QtBot, job: CatalogueJob, hub: FakeHub) -> None:
    hub.faults.latency_ms = 200
    job.ask(Query("tiny"), at_once=True)
    job.cancel_search()
    assert not job.search.is_running


def test_no_network_is_said_and_over_when_it_is_back(
    qtbot: QtBot, job: CatalogueJob, hub: FakeHub, tiny: str
) -> None:
    hub.go_offline()
    with qtbot.waitSignal(job.online_changed):
        job.ask(Query("tiny"), at_once=True)
    assert isinstance(job.search.error, OfflineError)
    hub.go_online()
    with qtbot.waitSignal(job.online_changed):
        job.ask(Query("tiny"), at_once=True)
    assert job.is_online
    assert job.search.results


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_hub_in_trouble_is_one_sentence(
    qtbot: QtBot, job: CatalogueJob, hub: FakeHub, status: int
) -> None:
    hub.faults.status = status
    job.ask(Query("tiny"), at_once=True)
    qtbot.waitUntil(lambda: job.search.error is not None)
    assert not job.search.is_running


def test_a_repository_comes_in_steps(
    qtbot: QtBot, job: CatalogueJob, hub: FakeHub, tiny: str
) -> None:
    job.begin()
    qtbot.waitUntil(lambda: job.hardware is not None)
    shapes = []
    key = hub_key(tiny)
    job.subjects_changed.connect(
        lambda: key in job.subjects and shapes.append([o.shape for o in job.subjects[key].offers])
    )
    job.open_repo(key, tiny)
    qtbot.waitUntil(lambda: key in job.found and job.found[key].fit is not None)
    assert shapes[0] == [None, None]  # sizes first
    offers = job.subjects[key].offers
    assert sorted(offer.is_estimate for offer in offers) == [False, True]
    number = next(n for n, offer in enumerate(offers) if offer.is_estimate)
    job.read_offer(key, number)
    qtbot.waitUntil(lambda: not any(o.is_estimate for o in job.subjects[key].offers))


def test_a_header_that_is_no_header_leaves_the_sizes(
    qtbot: QtBot, job: CatalogueJob, hub: FakeHub
) -> None:
    hub.add_repo("a/bad-GGUF", {"bad-Q8_0.gguf": b"not a model" * 100})
    job.begin()
    key = hub_key("a/bad-GGUF")
    job.open_repo(key, "a/bad-GGUF")
    qtbot.waitUntil(lambda: key in job.found)
    assert job.found[key].fit is None
    assert job.subjects[key].offers[0].size_bytes == 1100


def test_a_gated_original_wants_a_token_first(
    qtbot: QtBot, job: CatalogueJob, hub: FakeHub, tiny: str
) -> None:
    hub.add_repo("meta/big", {"model.safetensors": b"x", "config.json": b"{}"}, gated="manual")
    key = hub_key("meta/big")
    job.open_repo(key, "meta/big")
    qtbot.waitUntil(lambda: key in job.subjects)
    errors: list[AppError] = []
    job.find_original(job.subjects[key], lambda _request: None, errors.append)
    qtbot.waitUntil(lambda: bool(errors))
    assert isinstance(errors[0], AccessError)
    assert "meta/big" in str(dict(errors[0].text.args)["repo"])


def test_the_originals_card_or_that_of_the_files(
    qtbot: QtBot, job: CatalogueJob, hub: FakeHub, tiny: str
) -> None:
    hub.add_repo(tiny, {"tiny-Q8_0.gguf": b"x"}, card="# Files", base_model="nobody/gone")
    key = hub_key(tiny)
    job.open_repo(key, tiny)
    qtbot.waitUntil(lambda: key in job.subjects)
    cards: list[str] = []
    job.read_card(job.subjects[key], cards.append, lambda _error: None)
    qtbot.waitUntil(lambda: bool(cards))
    assert "Files" in cards[0]


def test_the_hubs_client_is_not_imported_for_the_catalogue() -> None:
    """Only a search needs it; it takes a third of a second."""
    import subprocess

    code = (
        "import sys, app.jobs.catalogue, app.ui.models_page.page, app.ui.models_page.link;"
        "sys.exit('huggingface_hub' in sys.modules or 'httpx2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code]).returncode == 0


# --- the latest of several ----------------------------------------------------------------------


def test_only_the_latest_is_heard(qtbot: QtBot) -> None:
    latest, heard, go = Latest("test"), [], threading.Event()
    latest.run(lambda _ticket: go.wait(5) and "old", heard.append, heard.append)
    latest.run(lambda _ticket: "new", heard.append, heard.append)
    qtbot.waitUntil(lambda: heard == ["new"])
    go.set()
    latest.close()
    assert heard == ["new"]


def test_what_is_told_under_way_comes_first(qtbot: QtBot) -> None:
    latest, heard = Latest("test"), []

    def work(ticket) -> str:
        ticket.tell(heard.append, "half")
        return "whole"

    latest.run(work, heard.append, heard.append)
    qtbot.waitUntil(lambda: heard == ["half", "whole"])
    latest.close()


def test_an_error_is_heard_as_one(qtbot: QtBot) -> None:
    latest, heard = Latest("test"), []
    error = AppError(Message("test", "No."))

    def work(_ticket) -> str:
        raise error

    latest.run(work, lambda _result: None, heard.append)
    qtbot.waitUntil(lambda: heard == [error])
    latest.close()
