"""The Quantize page, from the empty page to the cards of finished files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QMessageBox

from app.core.errors import Message
from app.ui.quantize.page import QuantizePage
from app.ui.quantize.rows import VariantRow
from app.ui.window import CHAT, LAB, QUANTIZE
from quantize.job import Failed, Job, Plan
from tests.helpers.fake_quantizer import GB, FakeQuantizer, plan_for
from tests.helpers.window_kit import WindowKit, named

SOURCE = Path("/data/Qwen3-4B")


@pytest.fixture
def page(kit: WindowKit) -> QuantizePage:
    """The page, empty, in a window."""
    kit.window.show_page(QUANTIZE)
    kit.wait_for_tasks()
    return kit.window.current_page


@pytest.fixture
def quantizer(kit: WindowKit) -> FakeQuantizer:
    return kit.quantizer


def _choose(kit: WindowKit, page: QuantizePage) -> None:
    page.take_source(SOURCE)
    kit.wait(lambda: page.draft.plan is not None)


def _row(page: QuantizePage, name: str) -> VariantRow:
    return next(row for row in page.choosing.model.rows if row.type == name)


def _number(page: QuantizePage, name: str) -> int:
    return [row.type for row in page.choosing.model.rows].index(name)


def _press(page: QuantizePage, row: str, key: Qt.Key) -> None:
    table = page.choosing.table
    table.setCurrentIndex(page.choosing.model.index(_number(page, row)))
    QTest.keyClick(table, key)


def _run(kit: WindowKit, page: QuantizePage) -> None:
    _choose(kit, page)
    page.choosing.footer.make_button.click()
    kit.wait(lambda: bool(page.running.file_rows))


# --- choosing -----------------------------------------------------------------------------------


def test_the_empty_page_says_what_it_needs(page: QuantizePage) -> None:
    assert page.choosing.empty.isVisible()
    assert named(page, QAbstractButton, "Choose a folder…").property("kind") == "primary"
    assert not page.choosing.table.isVisible()
    assert not page.choosing.footer.isVisible()


def test_a_source_is_planned_for_all_of_the_ladder(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _choose(kit, page)
    (job,) = quantizer.jobs
    assert job.dry_run
    assert job.source == str(SOURCE)
    assert job.types == ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "IQ4_XS", "Q3_K_M", "Q2_K")
    assert page.choosing.cards.source.name.text() == "Qwen3-4B"
    assert "8.05 GB" in page.choosing.cards.source.note.text()
    row = _row(page, "Q4_K_M")
    assert (row.size, row.bpw, row.time, row.fit_name) == ("2.50 GB", "4.97", "1 min 22 s", "Fits")


def test_the_recommended_ones_are_ticked_and_marked(kit: WindowKit, page: QuantizePage) -> None:
    _choose(kit, page)
    marked = [row.type for row in page.choosing.model.rows if row.is_recommended]
    assert marked == ["Q8_0", "Q4_K_M"]
    assert page.draft.chosen == ("Q8_0", "Q4_K_M")
    assert page.choosing.footer.files.texts == ("2 files, 6.78 GB", "on disk, of 212 GB free")
    assert page.choosing.footer.make_button.text() == "Make 2 files"


def test_space_and_enter_turn_ticks_over(kit: WindowKit, page: QuantizePage) -> None:
    _choose(kit, page)
    _press(page, "Q5_K_M", Qt.Key.Key_Space)
    assert page.draft.chosen == ("Q8_0", "Q5_K_M", "Q4_K_M")
    _press(page, "Q8_0", Qt.Key.Key_Return)
    assert page.draft.chosen == ("Q5_K_M", "Q4_K_M")
    assert page.choosing.footer.make_button.text() == "Make 2 files"
    for name in ("Q5_K_M", "Q4_K_M"):
        _press(page, name, Qt.Key.Key_Space)
    assert not page.choosing.footer.make_button.isEnabled()


def test_a_click_anywhere_in_a_row_ticks_it(kit: WindowKit, page: QuantizePage) -> None:
    _choose(kit, page)
    table = page.choosing.table
    area = table.visualRect(page.choosing.model.index(_number(page, "Q6_K")))
    QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=area.center())
    assert "Q6_K" in page.draft.chosen


def test_rows_that_cannot_be_made_say_why_and_are_not_ticked(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    def plan(job: Job) -> Plan:
        made = plan_for(job, disk_free_bytes=4 * GB)
        exists = Message("test", "Qwen3-4B-Q4_K_M.gguf exists already.")
        hint = Message("test", "Move it away.")
        changed = msgspec.structs.replace(made.files[3], problem=exists, hint=hint)
        return msgspec.structs.replace(made, files=(*made.files[:3], changed, *made.files[4:]))

    quantizer.make_plan = plan
    _choose(kit, page)
    assert _row(page, "Q4_K_M").problem == "Qwen3-4B-Q4_K_M.gguf exists already. Move it away."
    assert _row(page, "Q8_0").problem == "Too big for the disk, where 4.00 GB are free."
    assert page.draft.chosen == ("Q6_K",)
    _press(page, "Q4_K_M", Qt.Key.Key_Space)
    assert page.draft.chosen == ("Q6_K",)


def test_a_type_that_needs_a_matrix_says_where_to_choose_one(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    def plan(job: Job) -> Plan:
        made = plan_for(job)
        blind = Message("test", "It needs an importance matrix.") if job.imatrix == "none" else None
        last = msgspec.structs.replace(made.files[-1], needs_imatrix=True, problem=blind)
        return msgspec.structs.replace(made, files=(*made.files[:-1], last))

    quantizer.make_plan = plan
    _choose(kit, page)
    assert _row(page, "Q2_K").problem.startswith("Needs an importance matrix: choose Automatic")
    page.draft.set_imatrix("auto")
    kit.wait(lambda: not page.draft.is_planning)
    assert _row(page, "Q2_K").problem == ""


def test_files_that_exceed_the_disk_together_cannot_be_made(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    quantizer.make_plan = lambda job: plan_for(job, disk_free_bytes=5 * GB)
    _choose(kit, page)
    assert not page.choosing.footer.make_button.isEnabled()
    assert page.choosing.footer.files.texts[1] == "too much: 5.00 GB free on disk"
    _press(page, "Q8_0", Qt.Key.Key_Space)
    assert page.choosing.footer.make_button.isEnabled()


def test_memory_says_fits_tight_and_does_not(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    quantizer.make_plan = lambda job: plan_for(job, free=3.4)
    _choose(kit, page)
    fits = {row.type: row.fit_name for row in page.choosing.model.rows}
    assert fits["Q8_0"] == "Does not fit"
    assert fits["Q4_K_M"] == "Tight"
    assert fits["Q3_K_M"] == "Fits"
    assert page.draft.recommended == ("IQ4_XS",)


def test_fallbacks_are_told(kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer) -> None:
    _choose(kit, page)
    assert page.choosing.notes.texts[0].startswith("All 326 tensors can take the chosen types")

    def plan(job: Job) -> Plan:
        made = plan_for(job)
        wanted = [msgspec.structs.replace(t, wanted="Q4_K") for t in made.files[3].tensors[:180]]
        tensors = (*wanted, *made.files[3].tensors[180:])
        file = msgspec.structs.replace(made.files[3], n_fallback=180, tensors=tensors, bpw=6.17)
        return msgspec.structs.replace(made, files=(*made.files[:3], file, *made.files[4:]))

    quantizer.make_plan = plan
    page.draft.replan()
    kit.wait(lambda: not page.draft.is_planning)
    assert page.choosing.notes.texts[0] == (
        "Q4_K_M: 180 of 326 tensors cannot take Q4_K and are kept larger: 6.17 bits per weight."
    )


def test_every_tensor_can_be_looked_up(kit: WindowKit, page: QuantizePage) -> None:
    _choose(kit, page)
    named(page, QAbstractButton, "Show every tensor").click()
    dialog = kit.dialog()
    assert dialog.choice.currentText() == "Q4_K_M"
    assert dialog.rows.n_shown == 326
    QTest.keyClicks(dialog.rows.search, "blk.3.attn_v")
    assert dialog.rows.n_shown == 1
    dialog.choice.setCurrentText("Q8_0")
    assert dialog.rows.n_shown == 1
    dialog.accept()


def test_a_plan_under_way_can_be_cancelled(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    quantizer.plans_by_itself = False
    page.take_source(SOURCE)
    assert page.choosing.notes.busy.isVisible()
    assert _row(page, "Q8_0").size == "…"
    named(page, QAbstractButton, "Cancel").click()
    assert page.choosing.empty.isVisible()
    assert not page.draft.is_planning


def test_all_types_can_be_shown_and_that_be_cancelled(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _choose(kit, page)
    quantizer.plans_by_itself = False
    named(page, QAbstractButton, "Show all types").click()
    assert "IQ1_S" in quantizer.jobs[-1].types
    assert _row(page, "IQ1_S").size == "…"
    named(page, QAbstractButton, "Cancel").click()
    assert [row.type for row in page.choosing.model.rows][-1] == "Q2_K"
    quantizer.plans_by_itself = True
    named(page, QAbstractButton, "Show all types").click()
    kit.wait(lambda: not page.draft.is_planning)
    page.draft.set_ticked("IQ4_NL", True)
    named(page, QAbstractButton, "Show the usual types").click()
    kit.wait(lambda: not page.draft.is_planning)
    assert quantizer.jobs[-1].types[-1] == "IQ4_NL"  # what is ticked stays
    assert len(quantizer.jobs[-1].types) == 8


def test_another_matrix_means_another_plan_and_the_ticks_stay(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _choose(kit, page)
    _press(page, "Q8_0", Qt.Key.Key_Space)
    page.choosing.cards.matrix.menu.actions()[1].trigger()
    kit.wait(lambda: not page.draft.is_planning)
    assert quantizer.jobs[-1].imatrix == "auto"
    assert page.draft.chosen == ("Q4_K_M",)
    assert page.choosing.cards.matrix.note.text() == "Once, about 6 min 30 s"
    assert page.choosing.footer.time.texts == ("7 min 52 s", "predicted, with the matrix")


def test_a_refused_source_is_said_with_a_way_on(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    text = Message("test", "pytorch_model.bin is a pickle; Nibble does not open it.")
    hint = Message("test", "Look for a version with .safetensors files.")
    quantizer.plan_error = Failed(text, hint, "magic 80 02")
    page.take_source(SOURCE)
    trouble = page.choosing.trouble
    kit.wait(trouble.isVisible)
    assert trouble.text == str(text)
    assert trouble.hint == str(hint)
    named(trouble, QAbstractButton, "Details").click()
    assert trouble.detail_box.toPlainText() == "magic 80 02"
    assert not page.choosing.table.isVisible()
    quantizer.plan_error = None
    named(trouble, QAbstractButton, "Try again").click()
    kit.wait(lambda: page.draft.plan is not None)
    assert not trouble.isVisible()


def test_the_plan_is_saved_for_the_ticked_files(
    kit: WindowKit, page: QuantizePage, tmp_path: Path
) -> None:
    _choose(kit, page)
    named(page, QAbstractButton, "Save the plan…").click()
    dialog = kit.dialog()
    with kit.qtbot.waitSignal(kit.window.quantizing.job.copied):
        dialog.fileSelected.emit(str(tmp_path / "plan.json"))
    dialog.reject()
    plan = msgspec.json.decode((tmp_path / "plan.json").read_bytes(), type=Plan)
    assert [file.type for file in plan.files] == ["Q8_0", "Q4_K_M"]


@pytest.mark.parametrize(
    ("dropped", "source"),
    [
        ("/data/Qwen3-4B", "/data/Qwen3-4B"),
        ("/data/Qwen3-4B/model.safetensors", "/data/Qwen3-4B"),
        ("/data/Qwen3-4B/config.json", "/data/Qwen3-4B"),
        ("/data/some.gguf", "/data/some.gguf"),
    ],
)
def test_weights_can_be_dropped(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer, dropped: str, source: str
) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(dropped)])
    button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPointF(9, 9).toPoint(), Qt.DropAction.CopyAction, data, button, keys)
    QApplication.sendEvent(page, enter)
    assert enter.isAccepted()
    drop = QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, button, keys)
    QApplication.sendEvent(page, drop)
    assert quantizer.jobs[-1].source == source


def test_text_cannot_be_dropped(page: QuantizePage) -> None:
    data = QMimeData()
    data.setText("a sentence")
    button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPointF(9, 9).toPoint(), Qt.DropAction.CopyAction, data, button, keys)
    QApplication.sendEvent(page, enter)
    assert not enter.isAccepted()


# --- running ------------------------------------------------------------------------------------


def test_a_run_shows_each_file_and_where_the_bits_go(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _run(kit, page)
    (job,) = quantizer.runs
    assert job.types == ("Q8_0", "Q4_K_M")
    assert not job.dry_run
    quantizer.tensors(163)
    kit.wait(lambda: page.running.file_rows[0].texts[0] != "0.00 of 4.28 GB")
    assert page.running.headline.text().endswith(" left")
    assert "50 %" in page.running.bar.accessibleDescription()
    assert page.running.bits.map.accessibleDescription().startswith("163 of 326 tensors written")
    assert kit.window.status.phase_text.endswith("low priority")
    assert kit.window.status.phase_text.startswith("Quantizing, 1 of ")


def test_keys_alone_lead_from_the_table_to_the_chat(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    page.choosing.empty.folder_button.setFocus()
    _choose(kit, page)
    assert page.choosing.table.hasFocus()
    QTest.keyClick(page.choosing.table, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    kit.wait(lambda: page.view is page.running)
    assert page.pause_button.hasFocus()
    quantizer.finish()
    kit.wait(lambda: page.view is page.results)
    assert page.results.cards[0].chat_button.hasFocus()


def test_a_run_that_ends_leaves_the_focus_where_it_is(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _run(kit, page)
    kit.window.show_page(CHAT)
    quantizer.finish()
    kit.wait(lambda: page.view is page.results)
    assert kit.composer.editor.hasFocus()


def test_the_matrix_has_a_row_of_its_own(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    page.draft.set_imatrix("auto")
    _run(kit, page)
    assert page.running.matrix_row.isVisible()
    quantizer.matrix(100, 400)
    kit.wait(lambda: page.running.matrix_row.bar.accessibleDescription() == "reading the text")
    quantizer.matrix_done()
    kit.wait(page.running.save_matrix.isVisible)


def test_cancelling_goes_back_to_the_choices(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _run(kit, page)
    named(page, QAbstractButton, "Cancel").click()
    kit.wait(lambda: page.view is page.choosing)
    assert page.draft.chosen == ("Q8_0", "Q4_K_M")
    assert "Ready" in kit.window.status.phase_text


def test_pausing_and_resuming(kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer) -> None:
    _run(kit, page)
    page.pause_button.click()
    assert quantizer.said == ["pause"]
    assert page.running.headline.text() == "Paused"
    assert kit.window.status.phase_text == "Quantizing is paused"
    named(page, QAbstractButton, "Resume").click()
    assert quantizer.said == ["pause", "resume"]


def test_the_chat_comes_first(kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer) -> None:
    _run(kit, page)
    kit.window.show_page(CHAT)
    kit.ask("Hi")
    kit.wait(lambda: quantizer.said == ["pause"])
    assert page.running.headline.text() == "Paused while the chat answers"
    kit.answer("Hello")
    kit.wait(lambda: quantizer.said == ["pause", "resume"])


def test_a_failure_keeps_the_choices(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _run(kit, page)
    quantizer.die()
    kit.wait(lambda: page.view is page.choosing)
    assert page.choosing.trouble.text == "Quantizing stopped: this computer ran out of memory."
    assert page.draft.chosen == ("Q8_0", "Q4_K_M")
    page.choosing.footer.make_button.click()
    assert not page.choosing.trouble.isVisible()
    assert len(quantizer.runs) == 2


def test_closing_while_it_runs_is_asked_about(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _run(kit, page)
    kit.window.close()
    box = kit.dialog()
    assert isinstance(box, QMessageBox)
    assert kit.window.isVisible()
    named(box, QAbstractButton, "Go on").click()
    assert quantizer.said == []
    kit.window.close()
    named(kit.dialog(), QAbstractButton, "Stop and close").click()
    kit.wait(lambda: not kit.window.isVisible())
    assert quantizer.said == ["cancel"]
    assert quantizer.n_closed == len(quantizer.jobs)


def test_a_session_that_ends_does_not_ask(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _run(kit, page)
    kit.window.leave()
    assert not kit.window.isVisible()
    assert quantizer.said == ["cancel"]


# --- results ------------------------------------------------------------------------------------


def _finish(kit: WindowKit, page: QuantizePage) -> None:
    _run(kit, page)
    kit.quantizer.finish()
    kit.wait(lambda: page.view is page.results)


def test_each_file_has_a_card(kit: WindowKit, page: QuantizePage) -> None:
    _finish(kit, page)
    assert page.results.headline.text() == "2 files are ready"
    first, second = page.results.cards
    assert "Q8_0 92 %" in first.bar.accessibleDescription()
    second.copy_button.click()
    assert QGuiApplication.clipboard().text() == second.done.sha256


def test_chat_with_it_loads_the_file(
    kit: WindowKit, page: QuantizePage, starter_path: Path
) -> None:
    def plan(job: Job) -> Plan:
        made = plan_for(job)
        files = tuple(msgspec.structs.replace(f, path=str(starter_path)) for f in made.files)
        return msgspec.structs.replace(made, files=files)

    kit.quantizer.make_plan = plan
    _finish(kit, page)
    n_loads = len(kit.fake.loads)
    named(page, QAbstractButton, "Chat with it: Q8_0").click()
    assert kit.window.page == CHAT
    kit.wait(lambda: len(kit.fake.loads) > n_loads)
    assert kit.fake.loads[-1].path == str(starter_path)
    assert kit.window.models.find(str(starter_path)) is not None


def test_compare_hands_the_file_to_the_lab(kit: WindowKit, page: QuantizePage) -> None:
    _finish(kit, page)
    named(page, QAbstractButton, "Compare: Q8_0").click()
    assert kit.window.page == LAB
    assert kit.window.current_page.note.text() == ("Waiting to be measured: Qwen3-4B-Q8_0.gguf")


def test_more_files_of_the_same_weights(
    kit: WindowKit, page: QuantizePage, quantizer: FakeQuantizer
) -> None:
    _finish(kit, page)
    n_jobs = len(quantizer.jobs)
    named(page, QAbstractButton, "Make more files").click()
    assert page.view is page.choosing
    assert len(quantizer.jobs) == n_jobs + 1  # what exists now is found out again


@pytest.mark.parametrize(
    ("size", "scale"), [((1280, 820), 100), ((760, 700), 100), ((1280, 820), 200)]
)
def test_no_part_is_wider_than_the_page(
    open_window: Callable[..., WindowKit], size: tuple[int, int], scale: int
) -> None:
    from app.ui import style

    kit = open_window(size=size)
    style.apply_text_scale(scale)
    kit.window.show_page(QUANTIZE)
    page = kit.window.current_page
    _run(kit, page)
    for view in (page.choosing.scroll, page.running):
        assert view.widget().minimumSizeHint().width() <= page.width()
    assert not [d for d in kit.window.findChildren(QDialog) if d.isVisible()]
