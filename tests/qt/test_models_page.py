"""The Models page: catalogue, what is here, the hub; variants, advice, downloads, no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton

from app.core import settings as s
from app.core.fit import Fit
from app.hub import sent
from app.jobs.subjects import Origin
from app.ui.models_page.listquery import ListQuery
from app.ui.models_page.page import ModelsPage
from app.ui.models_page.variantrows import Action
from app.ui.window import CHAT, MODELS
from tests.helpers.fake_hub import FakeHub
from tests.helpers.tiny_gguf import write_tiny
from tests.helpers.window_kit import WindowKit, named

LLAMA = "llama-3.1-8b-instruct"


@pytest.fixture
def page(kit: WindowKit) -> ModelsPage:
    kit.window.show_page(MODELS)
    shown = kit.window.current_page
    kit.wait(lambda: shown.subject is not None and shown.list.view.model().rowCount() > 20)
    return shown


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    sent.forget()
    with FakeHub() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        yield made
    sent.forget()


def _open(kit: WindowKit, page: ModelsPage, name: str) -> None:
    """Look at a model of the catalogue and wait until it is assessed."""
    page.open_model(name)
    kit.wait(lambda: all(row.plan is not None for row in page.detail.model.rows))
    kit.wait(lambda: bool(page.detail.advice.text))


def _here(kit: WindowKit, page: ModelsPage) -> None:
    page.list.set_query(ListQuery(origin=Origin.HERE))
    kit.wait(lambda: page.list.view.model().rowCount() == 1)
    page.open_model(page.list.model.rows[0].key)
    kit.wait(lambda: page.subject is not None and page.subject.origin is Origin.HERE)


def test_the_catalogue_is_listed_and_judged(kit: WindowKit, page: ModelsPage) -> None:
    kit.wait(lambda: len(page._job.found) >= 40)
    fits = [found.fit for found in page._job.found.values()]
    assert Fit.FITS in fits
    assert Fit.DOES_NOT_FIT in fits
    assert "8.9 GB" in page.list.foot.text()


def test_a_models_variants_are_planned_and_one_is_recommended(
    kit: WindowKit, page: ModelsPage
) -> None:
    _open(kit, page, LLAMA)
    rows = {row.variant: row for row in page.detail.model.rows}
    assert rows["Q8_0"].fit is Fit.DOES_NOT_FIT
    assert rows["Q8_0"].action is Action.WHY
    assert rows["Q4_K_M"].is_recommended
    assert rows["Q4_K_M"].fit_name in rows["Q4_K_M"].spoken
    assert page.detail.advice.text.startswith("Take Q4_K_M. ")
    assert sum(row.is_recommended for row in rows.values()) == 1


def test_a_longer_context_takes_more_and_is_remembered(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page, LLAMA)
    before = {row.variant: row.plan.total_bytes for row in page.detail.model.rows}
    box = page.detail.options.context
    box.setCurrentIndex(box.count() - 1)
    box.activated.emit(box.currentIndex())
    kit.wait(lambda: page.detail.model.rows[0].plan.total_bytes > before["Q8_0"] + 10**9)
    assert {row.fit for row in page.detail.model.rows} == {Fit.DOES_NOT_FIT}
    assert page.detail.model.rows[0].plan.n_ctx == 131_072


def test_what_does_not_fit_says_what_would_make_it_fit(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page, LLAMA)
    page.detail.table.choose(0)
    QTest.keyClick(page.detail.table, Qt.Key.Key_Return)
    kit.wait(page.detail.why.isVisible)
    texts = page.detail.why.texts
    assert texts[0].startswith("Q8_0 needs ")
    assert len(texts) > 1
    assert named(page.detail.why, QAbstractButton, "Take Q4_K_M")


def test_words_narrow_the_list(kit: WindowKit, page: ModelsPage) -> None:
    page.list.search.setFocus()
    QTest.keyClicks(page.list.search, "gemma 27b")
    kit.wait(lambda: page.list.view.model().rowCount() == 1)
    QTest.keyClick(page.list.search, Qt.Key.Key_Down)
    assert page.list.view.hasFocus()


def test_nothing_found_leads_to_the_hub(kit: WindowKit, page: ModelsPage) -> None:
    QTest.keyClicks(page.list.search, "no such model")
    kit.wait(lambda: page.list.view.model().rowCount() == 0)
    assert page.list.notice.isVisible()
    assert page.list.notice.button.isVisible()


def test_a_model_that_is_here_is_chatted_with(kit: WindowKit, page: ModelsPage) -> None:
    _here(kit, page)
    row = page.detail.model.rows[0]
    assert row.action is Action.CHAT
    page.detail.table.choose(0)
    with kit.qtbot.waitSignal(kit.window.models.accepted):
        QTest.keyClick(page.detail.table, Qt.Key.Key_Return)
    assert kit.window.page == CHAT


def test_a_file_that_is_here_is_described(kit: WindowKit, page: ModelsPage) -> None:
    _here(kit, page)
    strip = page.detail.strip
    kit.wait(strip.isVisible)
    assert strip.path.accessibleName().endswith(".gguf")
    assert strip.inspect_button.accessibleName() == "Inspect SmolLM2 135M Q4_1"
    assert strip.delete_button.accessibleName() == "Delete SmolLM2 135M Q4_1"


# --- the hub ----------------------------------------------------------------------------------


@pytest.fixture
def repo(hub: FakeHub, tmp_path: Path) -> str:
    content = write_tiny(tmp_path / "tiny.gguf")
    files = {"tiny-Q8_0.gguf": content, "tiny-Q4_K_M.gguf": content, "README.md": b"# Tiny\n"}
    hub.add_repo("nibbler/tiny-GGUF", files, card="# Tiny\nA <script>bad()</script> model.")
    hub.add_repo("nibbler/words-only", {"README.md": b"# Words\n"}, gguf=False)
    return "nibbler/tiny-GGUF"


def _search(kit: WindowKit, page: ModelsPage, text: str) -> None:
    page.list.set_query(ListQuery(origin=Origin.HUB))
    page.list.search.setText(text)
    QTest.keyClick(page.list.search, Qt.Key.Key_Return)


def test_a_repository_is_found_read_and_downloaded(
    kit: WindowKit, page: ModelsPage, hub: FakeHub, repo: str
) -> None:
    _search(kit, page, "tiny")
    kit.wait(lambda: page.list.view.model().rowCount() == 1)
    page.open_model(f"hub:{repo}")
    kit.wait(lambda: len(page.detail.model.rows) == 2)
    kit.wait(lambda: all(row.plan is not None for row in page.detail.model.rows))
    page.detail.table.choose(0)
    QTest.keyClick(page.detail.table, Qt.Key.Key_Return)
    kit.wait(lambda: page.detail.model.rows[0].action is Action.CHAT)
    kit.wait(lambda: "asked for" in kit.window.status.network_text)


def test_a_repository_without_gguf_offers_to_quantize(
    kit: WindowKit, page: ModelsPage, hub: FakeHub, repo: str
) -> None:
    page.open_model("hub:nibbler/words-only")
    kit.wait(page.detail.empty.isVisible)
    assert "holds no GGUF files" in page.detail.empty.text
    assert page.detail.empty.button.text() == "Quantize it yourself"


def test_a_gated_repository_asks_for_a_token(
    kit: WindowKit, page: ModelsPage, hub: FakeHub, tmp_path: Path
) -> None:
    content = write_tiny(tmp_path / "tiny.gguf")
    hub.add_repo("nibbler/closed-GGUF", {"closed-Q8_0.gguf": content}, gated="manual")
    page.open_model("hub:nibbler/closed-GGUF")
    kit.wait(lambda: page.detail.gated.isVisible() or len(page.detail.model.rows) == 1)


def test_without_a_network_everything_here_still_works(
    kit: WindowKit, page: ModelsPage, hub: FakeHub
) -> None:
    hub.go_offline()
    _search(kit, page, "anything")
    notice = page.list.notice
    kit.wait(lambda: notice.isVisible() and "failed" in notice.text)
    assert notice.hint.startswith("Everything on this computer still works. The catalogue is from ")
    assert notice.button.text() == "Try again"
    _here(kit, page)
    assert page.detail.model.rows[0].action is Action.CHAT


def test_a_repository_that_is_not_there_is_one_sentence(
    kit: WindowKit, page: ModelsPage, hub: FakeHub
) -> None:
    page.open_model("hub:nobody/nothing-GGUF")
    kit.wait(page.detail.trouble.isVisible)
    assert "nobody/nothing-GGUF" in page.detail.trouble.text


def test_a_narrow_window_shows_one_thing_at_a_time(kit: WindowKit, page: ModelsPage) -> None:
    kit.window.resize(760, 700)
    kit.wait(lambda: page.list.isVisible() != page.detail.isVisible())
    _open(kit, page, LLAMA) if page.detail.isVisible() else None
    kit.window.resize(1280, 800)
    kit.wait(lambda: page.list.isVisible() and page.detail.isVisible())


def test_the_context_in_the_settings_is_where_the_page_begins(kit: WindowKit) -> None:
    kit.settings.set(s.N_CTX, 16384)
    kit.window.show_page(MODELS)
    page = kit.window.current_page
    kit.wait(lambda: bool(page._job.found))
    assert page._job.wish.n_ctx == 16384
