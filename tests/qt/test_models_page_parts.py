"""The parts of the Models page: rows, words of strangers, keys, cards, tokens, large text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QModelIndex, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.core import settings as s
from app.core.catalog import FileKind
from app.hub import sent
from app.hub.repo import RemoteFile, RepoSummary
from app.hub.token import get_token
from app.jobs.downloadstate import DownloadState, Stage
from app.jobs.subjects import Offer, Origin, Subject
from app.ui import style
from app.ui.models_page import quality, wording
from app.ui.models_page.cardview import CardView
from app.ui.models_page.detail import Detail
from app.ui.models_page.listquery import ListQuery, SortMenu
from app.ui.models_page.listrows import row_of_result
from app.ui.models_page.page import ModelsPage
from app.ui.models_page.places import Mode
from app.ui.models_page.variantrows import Action, Column, rows_of
from app.ui.theme import px
from app.ui.window import LAB, MODELS
from tests.helpers.fake_hub import FakeHub
from tests.helpers.tiny_gguf import write_tiny
from tests.helpers.window_kit import WindowKit, named

NASTY = "<img src=x onerror=alert(1)>\u202egnp.exe\n" + "very-long-" * 40


@pytest.fixture
def page(kit: WindowKit) -> ModelsPage:
    kit.window.show_page(MODELS)
    shown = kit.window.current_page
    kit.wait(lambda: len(shown.list.model.rows) > 20)
    return shown


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    sent.forget()
    with FakeHub() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        yield made
    sent.forget()


def _open(kit: WindowKit, page: ModelsPage, name: str = "qwen3-8b") -> None:
    page.open_model(name)
    kit.wait(lambda: bool(page.detail.model.rows) and page.detail.model.rows[0].plan is not None)


# --- words ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "words"),
    [
        ("F16", "No loss"),
        ("Q8_0", "Almost no loss"),
        ("UD-Q4_K_XL", "Small loss"),
        ("IQ3_M", "Clear loss"),
        ("IQ2_XXS", "Heavy loss"),
        ("whatever", ""),
        ("", ""),
    ],
)
def test_what_a_variant_loses(variant: str, words: str) -> None:
    assert quality.words_of(variant) == words


def test_a_qat_build_and_an_original_lose_less_than_their_bits_say() -> None:
    assert quality.words_of("Q4_0", FileKind.QAT) == "Trained for 4 bits"
    assert quality.words_of("MXFP4", FileKind.ORIGINAL) == "As published"


def test_a_strangers_name_is_one_harmless_line() -> None:
    line = wording.one_line(NASTY)
    assert "\n" not in line
    assert "\u202e" not in line
    assert line.startswith("<img")
    assert len(line) <= wording.NAME_MAX


@pytest.mark.parametrize(
    ("text", "repo_id"),
    [
        ("unsloth/Qwen3-8B-GGUF", "unsloth/Qwen3-8B-GGUF"),
        (" https://huggingface.co/a/b-c.d/tree/main ", "a/b-c.d"),
        ("https://huggingface.co/a/b", "a/b"),
        ("a/b:Q4_K_M", "a/b"),
        ("https://ollama.com/library/llama3.2", ""),
        ("qwen 8b", ""),
        ("a/", ""),
        ("a/b c", ""),
        ("../../etc/passwd" * 20, ""),
    ],
)
def test_a_pasted_repository_is_recognised(text: str, repo_id: str) -> None:
    assert ListQuery(text=text).repo_id == repo_id


def test_a_result_says_where_it_is_from(qtbot: QtBot) -> None:
    result = RepoSummary("unsloth/Qwen3-8B-GGUF", 1_234_567, has_gguf=True, n_params=8_200_000_000)
    row = row_of_result(result, None, None, None)
    assert (row.name, row.about) == ("Qwen3-8B", "unsloth · 8.2 B · 1.2 million downloads")
    gated = row_of_result(replace(result, gated="manual"), None, None, None)
    assert "Needs a token" in gated.spoken
    assert row_of_result(replace(result, has_gguf=False), None, None, 40).state == "40 %"


def test_a_download_is_told_in_its_row(qtbot: QtBot, tmp_path: Path) -> None:
    from app.hub.pull import Request

    loose = RemoteFile("a/b", "", "x-Q8_0.gguf", 100)
    subject = Subject("hub:a/b", Origin.HUB, "b", (Offer("Q8_0", 100, files=(loose,)),))
    pinned = replace(loose, commit="c" * 40)
    state = DownloadState(1, Request((pinned,), tmp_path, "b"), Stage.FETCHING, 65, 100)
    (row,) = rows_of(subject, None, (state,), is_waiting=False)
    assert (row.action, row.action_text) == (Action.WATCH, "65 %")
    assert "downloading, 65 %" in row.spoken
    (row,) = rows_of(subject, None, (replace(state, stage=Stage.FAILED),), is_waiting=False)
    assert row.action is Action.DOWNLOAD


# --- the table ------------------------------------------------------------------------------------


def test_the_recommended_row_is_current(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    kit.wait(lambda: page.detail.table.current is not None)
    row = page.detail.table.current
    assert row is not None
    assert row.is_recommended
    assert row.action is Action.DOWNLOAD


def test_arrows_move_and_enter_acts(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    table = page.detail.table
    table.setFocus()
    table.choose(1)
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Up):
        QTest.keyClick(table, key)
    assert table.currentIndex().row() == 0
    with kit.qtbot.waitSignal(table.acted) as blocker:
        QTest.keyClick(table, Qt.Key.Key_Return)
    assert blocker.args[0].number == 0
    page._job.set_wish(replace(page._job.wish, n_ctx=2048))
    kit.wait(lambda: page._job.found[page.subject.key].n_ctx == 2048)
    assert table.currentIndex().row() == 0  # what the user took stays, whatever is recommended


def test_a_press_on_the_words_acts_and_one_beside_chooses(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    table, model = page.detail.table, page.detail.model
    acted = []
    table.acted.connect(lambda row: acted.append(row.number))

    def press(index: QModelIndex, x: int) -> None:
        area = table.visualRect(index)
        QTest.mouseClick(
            table.viewport(),
            Qt.MouseButton.LeftButton,
            pos=QPoint(area.x() + x if x > 0 else area.right() + x, area.center().y()),
        )

    press(model.index(2, 0), 30)
    assert table.currentIndex().row() == 2
    assert acted == []
    press(model.index(3, 7), -px(50))
    assert acted == [3]


def test_every_cell_is_said(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    model = page.detail.model
    role = Qt.ItemDataRole.AccessibleTextRole
    whole = model.index(3, 0).data(role)
    for column in (Column.FILE, Column.BAR, Column.FIT, Column.ACTION):
        assert model.index(3, list(Column).index(column)).data(role) in whole
    assert " memory, predicted" in whole
    assert "tokens per second, predicted" in whole


@pytest.mark.parametrize(("width", "mode"), [(1280, Mode.WIDE), (1000, Mode.MEDIUM)])
def test_rows_break_where_there_is_little_room(
    kit: WindowKit, page: ModelsPage, width: int, mode: Mode
) -> None:
    _open(kit, page)
    kit.window.resize(width, 800)
    kit.wait(lambda: page.detail.table.mode is mode)
    assert page.detail.table.width() <= page.detail.width()
    assert not page.detail.scroll.horizontalScrollBar().isVisible()


def test_large_text_grows_the_rows(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    before = page.detail.table.rowHeight(0)
    style.apply_text_scale(200)
    kit.window.resize(1280, 820)
    kit.wait(lambda: page.detail.table.rowHeight(0) > before)
    assert page.list.isVisible() != page.detail.isVisible()  # there is room for one of them
    page._enter()
    assert page.detail.isVisible()
    assert page.detail.head.back_button.isVisible()
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert page.list.isVisible()


def test_tool_tips_say_what_figures_are(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    delegate, row = page.detail.table._delegate, page.detail.model.rows[0]
    assert "Predicted: " in delegate._help_for(Column.BAR, row)
    assert "predicted" in delegate._help_for(Column.SPEED, row)
    assert "Llama 3 8B" in delegate._help_for(Column.QUALITY, row)


def test_moving_the_mouse_paints_nothing_odd(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    viewport = page.detail.table.viewport()
    for x in (5, 400, 870):
        place = QPointF(x, 60)
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            place,
            place,
            Qt.MouseButton.NoButton,
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(viewport, event)
        page.detail.grab()


# --- the list -------------------------------------------------------------------------------------


def test_f6_goes_through_the_parts(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    places = []
    for _ in range(3):
        QTest.keyClick(kit.window, Qt.Key.Key_F6)
        places.append(QApplication.focusWidget())
    assert page.list.view in places
    assert page.detail.table in places


def test_ctrl_f_finds_models_here_and_conversations_there(kit: WindowKit, page: ModelsPage) -> None:
    QTest.keyClick(kit.window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert page.list.search.hasFocus()
    assert kit.window.page == MODELS


def test_the_order_and_the_filters(kit: WindowKit, page: ModelsPage) -> None:
    kit.wait(lambda: len(page._job.found) == len(page._job.subjects))
    n_all = len(page.list.model.rows)
    page.list.set_query(replace(page.list.query, sort="name"))
    names = [row.name.lower() for row in page.list.model.rows]
    assert names == sorted(names)
    page.list.set_query(replace(page.list.query, only_fitting=True))
    assert 0 < len(page.list.model.rows) < n_all
    menu = SortMenu(page).fill(ListQuery(origin=Origin.HUB, author="unsloth"), "")
    texts = [action.text() for action in menu.actions() if action.isChecked()]
    assert texts == ["Most downloads first", "GGUF only", "Only from unsloth"]


def test_a_pasted_repository_goes_to_the_hub(
    kit: WindowKit, page: ModelsPage, hub: FakeHub, tmp_path: Path
) -> None:
    hub.add_repo("nibbler/tiny-GGUF", {"tiny-Q8_0.gguf": write_tiny(tmp_path / "tiny.gguf")})
    page.list.search.setText(f"{hub.endpoint}/nibbler/tiny-GGUF")
    assert page.list.query.origin is Origin.HUB
    assert page.list.model.rows[0].key == "hub:nibbler/tiny-GGUF"  # before anything was found
    QTest.keyClick(page.list.search, Qt.Key.Key_Return)
    kit.wait(lambda: len(page.detail.model.rows) == 1)
    assert page.detail.head.name.text() == "tiny"


def test_names_from_a_hub_are_shown_as_text(kit: WindowKit, page: ModelsPage) -> None:
    offer = Offer("<b>Q4</b>" + "x" * 400, 10, files=(RemoteFile("a/b", "c", "x.gguf", 10),))
    subject = Subject("hub:nasty", Origin.HUB, NASTY, (offer,), license="<script>", gguf_repo=NASTY)
    page._job.subjects[subject.key] = subject
    page.open_model(subject.key)
    page._show_detail()
    head = page.detail.head
    assert head.name.textFormat() == head.license.textFormat() == Qt.TextFormat.PlainText
    assert head.license.text() == "<script>"
    assert head.facts.textFormat() == Qt.TextFormat.PlainText
    assert page.detail.width() <= kit.window.width()
    page.detail.grab()


def test_the_lab_is_led_to(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    page.detail.note.lab_link.click()
    assert kit.window.page == LAB


def test_choices_are_how_models_are_loaded(kit: WindowKit, page: ModelsPage) -> None:
    _open(kit, page)
    box = page.detail.options.kept
    box.setCurrentIndex(box.findData("q8_0"))
    box.activated.emit(box.currentIndex())
    assert kit.window.prefs.get(s.KV_TYPE) == "q8_0"
    kit.wait(lambda: page._job.found[page.subject.key].kv_type == "q8_0")


# --- cards and tokens -----------------------------------------------------------------------------


def test_a_card_is_drawn_without_its_pictures(
    kit: WindowKit, page: ModelsPage, hub: FakeHub, tmp_path: Path
) -> None:
    card = "---\nlicense: x\n---\n# Tiny\n<script>bad()</script>\n![p](http://x/y.png)\n\nWords.\n"
    files = {"tiny-Q8_0.gguf": write_tiny(tmp_path / "tiny.gguf")}
    hub.add_repo("nibbler/tiny-GGUF", files, card=card + "```sh\nls\n```\n")
    page.open_model("hub:nibbler/tiny-GGUF")
    kit.wait(lambda: bool(page.detail.model.rows))
    dialog = page.acting.show_card()
    assert dialog is not None
    kit.wait(lambda: bool(dialog.view.texts) and dialog.view.is_whole)
    text = "\n".join(dialog.view.texts)
    assert "Tiny" in text
    assert "Words." in text
    assert "ls" in text
    assert "script" not in text
    assert "license" not in text
    assert not hub.requests("y.png")
    dialog.accept()


def test_a_card_that_cannot_be_had_is_one_sentence(
    kit: WindowKit, page: ModelsPage, hub: FakeHub
) -> None:
    _open(kit, page)
    hub.go_offline()
    dialog = page.acting.show_card()
    assert dialog is not None
    kit.wait(dialog.trouble.isVisible)
    assert named(dialog, QAbstractButton, "Try again")
    dialog.accept()


def test_a_long_card_does_not_hold_up_the_window(qtbot: QtBot) -> None:
    view = CardView()
    qtbot.addWidget(view)
    view.resize(700, 600)
    view.show()
    view.show_markdown("\n\n".join(f"## Part {n}\n\n" + "Many words. " * 40 for n in range(150)))
    assert not view.is_whole  # it comes in pieces
    qtbot.waitUntil(lambda: view.is_whole, timeout=20_000)
    assert view.widget().height() > 5_000


def test_a_token_opens_what_was_closed(
    kit: WindowKit, page: ModelsPage, hub: FakeHub, tmp_path: Path
) -> None:
    files = {"closed-Q8_0.gguf": write_tiny(tmp_path / "closed.gguf")}
    hub.add_repo("nibbler/closed-GGUF", files, gated="manual")
    hub.add_token("hf_right", access=("nibbler/closed-GGUF",))
    page.open_model("hub:nibbler/closed-GGUF")
    kit.wait(lambda: page.detail.gated.isVisible() or bool(page.detail.model.rows))
    if not page.detail.gated.isVisible():  # its list is public, its files are not
        page.acting.act(page.detail.model.rows[0])
        kit.wait(page.detail.gated.isVisible)
    gated = page.detail.gated
    assert not gated.save_button.isEnabled()
    assert "nibbler/closed-GGUF" in gated.text.text()
    gated.field.setText(" hf_right ")
    gated.save_button.click()
    assert gated.field.text() == ""  # it is not kept in the window
    kit.wait(lambda: get_token() == "hf_right")
    kit.wait(lambda: not gated.isVisible())
    kit.wait(lambda: any(row.action is Action.CHAT for row in page.detail.model.rows))


def test_nothing_is_shown_before_a_model_is_chosen(qtbot: QtBot) -> None:
    detail = Detail()
    qtbot.addWidget(detail)
    detail.show()
    detail.show_nothing("Choose a model at the left.")
    shown = [each.text() for each in detail.findChildren(QLabel) if each.isVisible()]
    assert shown == ["Choose a model at the left."]
