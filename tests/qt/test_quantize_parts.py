"""The parts of the Quantize page by themselves: the map, the figures of a run, a look inside."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.core.errors import ModelFileError
from app.jobs.lookinside import look_inside
from app.jobs.quantizerun import Run
from app.jobs.subjects import Origin
from app.ui.models_page.listquery import ORIGINS
from app.ui.quantize.columns import measure
from app.ui.quantize.flow import Flow
from app.ui.quantize.inspect import InspectDialog
from app.ui.quantize.painting import type_colors
from app.ui.quantize.places import Mode, mode_for, places, row_height
from app.ui.quantize.progress import progress_of, seconds_left
from app.ui.quantize.swatches import TypeBar
from app.ui.quantize.tensorgrid import grid_of
from app.ui.quantize.tensormap import TensorMap
from app.ui.theme import theme
from app.ui.window import MODELS
from quantize.job import FileDone, Job, MatrixDone, MatrixProgress, TensorDone
from tests.helpers.fake_engine import bad_file
from tests.helpers.fake_quantizer import N_BLOCKS, plan_for, planned_tensors
from tests.helpers.window_kit import WindowKit

JOB = Job("/data/Qwen3-4B", ("Q8_0", "Q4_K_M"), "/models")


# --- the map ------------------------------------------------------------------------------------


def test_the_grid_holds_the_matrices_of_the_blocks() -> None:
    grid = grid_of(planned_tensors("Q4_K_M"))
    assert grid.n_blocks == N_BLOCKS
    assert grid.kinds == (
        "attn_k",
        "attn_output",
        "attn_q",
        "attn_v",
        "ffn_down",
        "ffn_gate",
        "ffn_up",
    )
    assert (grid.usual, grid.types) == ("Q4_K", ("Q4_K", "Q6_K"))
    number = grid.cells["ffn_down", 0]
    assert grid.tensors[number].name == "blk.0.ffn_down.weight"


def test_names_that_are_no_blocks_make_an_empty_grid() -> None:
    tensors = tuple(
        msgspec.structs.replace(tensor, name=f"odd.{number}")
        for number, tensor in enumerate(planned_tensors("Q4_K_M", 2))
    )
    assert grid_of(tensors).cells == {}


def test_keys_go_from_cell_to_cell_and_say_what_it_is(qtbot: QtBot) -> None:
    tensor_map = TensorMap()
    qtbot.addWidget(tensor_map)
    tensor_map.show_grid(grid_of(planned_tensors("Q4_K_M")))
    tensor_map.show_done(5)
    tensor_map.show()
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Down):
        QTest.keyClick(tensor_map, key)
    description = tensor_map.accessibleDescription()
    assert description.startswith("blk.1.attn_output.weight\nQ4_K, ")
    assert description.endswith("still to do")


@pytest.mark.parametrize("width", [320, 640, 1200])
def test_the_map_is_painted_at_any_width(qtbot: QtBot, width: int) -> None:
    tensor_map = TensorMap()
    qtbot.addWidget(tensor_map)
    tensor_map.show_grid(grid_of(planned_tensors("Q4_K_M")))
    tensor_map.resize(width, tensor_map.height())
    before = tensor_map.grab().toImage()
    tensor_map.show_done(len(planned_tensors("Q4_K_M")))
    assert tensor_map.grab().toImage() != before


def test_more_bits_are_deeper_and_plain_numbers_grey(qtbot: QtBot) -> None:
    colors = type_colors(("F32", "Q4_K", "Q6_K", "Q8_0"))
    assert colors["F32"] == theme().color("memoryWork")
    lightness = [colors[name].lightness() for name in ("Q4_K", "Q6_K", "Q8_0")]
    assert lightness == sorted(lightness, reverse=True)
    assert len(set(lightness)) == 3


def test_the_bar_of_types_says_its_shares(qtbot: QtBot) -> None:
    bar = TypeBar("Bytes")
    qtbot.addWidget(bar)
    bar.show_types({"Q6_K": 250, "Q4_K": 750, "F32": 1})
    assert bar.accessibleDescription() == "Q4_K 75 %, Q6_K 25 %, F32 < 1 %"


# --- the table's rows ---------------------------------------------------------------------------


@pytest.mark.parametrize("width", [272, 320, 500, 700, 900, 1100, 1208, 1900])
def test_the_parts_of_a_row_do_not_overlap(qtbot: QtBot, width: int) -> None:
    columns = measure()
    mode = mode_for(width, columns)
    row = QRect(0, 0, width, row_height(mode))
    place = places(mode, row, columns)
    parts = [place.check, place.name, place.file, place.bpw, place.bar, place.badge]
    parts += [place.time, place.words]
    shown = [part for part in parts if not part.isEmpty()]
    for number, part in enumerate(shown):
        assert row.contains(part), (mode, part)
        assert not any(part.intersects(other) for other in shown[number + 1 :]), (mode, part)
    assert mode is not Mode.WIDE or not place.words.isEmpty()


def test_a_flow_breaks_into_lines(qtbot: QtBot) -> None:
    flow = Flow()
    qtbot.addWidget(flow)
    for _ in range(5):
        flow.add(TypeBar("Bytes"))
    width = flow.sizeHint().width()
    assert flow.heightForWidth(width) < flow.heightForWidth(width // 3)


# --- a run's figures ----------------------------------------------------------------------------


def _tensor(n_done: int, eta_s: float) -> TensorDone:
    return TensorDone(n_done - 1, 326, "blk.0.x", ("Q4_K",), (1,), n_done, 326, 46.0, eta_s)


def test_a_run_that_has_just_begun_knows_nothing() -> None:
    progress = progress_of(Run(JOB))
    assert (progress.headline, progress.share, progress.files) == ("Starting…", 0.0, ())


def test_a_run_says_how_long_it_takes() -> None:
    tensor = _tensor(163, 71.0)
    run = Run(JOB, plan_for(JOB), tensor=tensor, latest=tensor)
    progress = progress_of(run)
    assert progress.headline == "1 min 11 s left"
    assert progress.share == pytest.approx(0.5)
    assert progress.speed == "46 MB/s read"
    assert progress.count == "tensor 163 of 326"
    for file in progress.files:
        assert 0 < file.share < 1


def test_the_files_come_after_the_matrix() -> None:
    job = msgspec.structs.replace(JOB, imatrix="auto")
    run = Run(job, plan_for(job), matrix=MatrixProgress("collect", 200, 400, 195.0))
    assert seconds_left(run) == pytest.approx(195 + 6 + 82)
    share = progress_of(run).share
    assert 0.3 < share < 0.5
    done = Run(job, plan_for(job), matrix_done=MatrixDone("/m", 1, 390.0))
    assert progress_of(done).share > share


def test_a_file_that_is_done_before_the_pass_is_whole() -> None:
    """The matrix's working copy, where that type was asked for."""
    first = FileDone("/models/a.gguf", "Q8_0", 10, 8.5, "00", 1.0, {"Q8_0": 10})
    files = progress_of(Run(JOB, plan_for(JOB), done=(first,))).files
    assert [file.share for file in files] == [1.0, 0.0]


# --- a look inside ------------------------------------------------------------------------------


def test_a_look_into_the_starter(starter_path: Path) -> None:
    facts = look_inside(starter_path)
    assert (facts.name, facts.architecture, facts.variant) == ("SmolLM2 135M", "llama", "Q4_1")
    assert sum(facts.composition.values()) == sum(t.n_bytes for t in facts.tensors)
    assert facts.bpw == pytest.approx(5.74, abs=0.01)
    assert "{% for message in messages %}" in facts.chat_template
    assert ("general.license", "apache-2.0") in facts.metadata
    assert dict(facts.metadata)["tokenizer.ggml.tokens"] == "[string × 49,152]"


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError):
        look_inside(bad_file(tmp_path))


def test_the_models_page_leads_inside(kit: WindowKit, starter_path: Path) -> None:
    kit.window.show_page(MODELS)
    page = kit.window.current_page
    page.list.chips.choose(ORIGINS.index(Origin.HERE))
    kit.wait(lambda: bool(page.list.model.rows))
    page.open_model(page.list.model.rows[0].key)
    kit.wait(page.detail.strip.isVisible)
    page.detail.strip.inspect_button.click()
    dialog = kit.dialog()
    assert isinstance(dialog, InspectDialog)
    kit.wait(lambda: dialog.tensors.n_shown == 272)
    assert dialog.name.text() == "SmolLM2 135M Q4_1"
    QTest.keyClicks(dialog.metadata.search, "license")
    assert dialog.metadata.n_shown == 1
    dialog.accept()


def test_a_damaged_file_is_said_in_the_same_window(kit: WindowKit, tmp_path: Path) -> None:
    dialog = kit.window.quantizing.inspect(bad_file(tmp_path))
    kit.wait(dialog.trouble.isVisible)
    assert "broken.gguf" in dialog.trouble.text
    assert not dialog.bar.isVisible()
    dialog.accept()


def test_a_window_closed_before_it_is_filled_is_left_alone(
    kit: WindowKit, starter_path: Path
) -> None:
    dialog = kit.window.quantizing.inspect(starter_path)
    with kit.qtbot.waitSignal(dialog.destroyed):
        dialog.accept()
    answers: list[None] = []
    kit.window.quantizing.job.tasks.submit(lambda: None, answers.append)
    kit.wait(lambda: bool(answers))
