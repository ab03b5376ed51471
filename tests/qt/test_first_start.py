"""The first start's cards: this computer in words, one better model, and getting it from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QMessageBox

from app.core import catalog
from app.core.catalog import CatalogFile, CatalogModel
from app.core.hardware import Gpu, GpuState, simulated
from app.core.speed import SpeedRecord
from app.hub import sent
from app.jobs.better import find_better
from app.jobs.downloadstate import Stage
from app.ui import hardwarewords
from app.ui.bettercard import BetterCard
from app.ui.window import MODELS
from tests.helpers.fake_hub import FakeHub
from tests.helpers.machines import MACHINES
from tests.helpers.tiny_gguf import write_tiny
from tests.helpers.window_kit import WindowKit

LAPTOP = MACHINES["laptop-16-no-gpu"]
Open = Callable[..., WindowKit]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    sent.forget()
    with FakeHub() as made:
        monkeypatch.setenv("HF_ENDPOINT", made.endpoint)
        yield made
    sent.forget()


@pytest.fixture
def model(hub: FakeHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CatalogModel:
    """The one model of the catalogue: what the laptop gets, not pinned, and tiny on the hub."""
    better = find_better(LAPTOP)
    assert better is not None
    files = tuple(_loose(file) for file in better.model.files)
    made = replace(better.model, files=files, mmproj=None)
    content = write_tiny(tmp_path / "tiny.gguf")
    for repo in {file.repo for file in files}:
        own = [file for file in files if file.repo == repo]
        hub.add_repo(repo, {path: content for file in own for path, _, _ in file.files})
    monkeypatch.setattr(catalog, "load_catalog", lambda: (made,))
    return made


def _loose(file: CatalogFile) -> CatalogFile:
    return replace(file, commit="", files=tuple((path, size, "") for path, size, _ in file.files))


def _card(kit: WindowKit) -> BetterCard:
    kit.wait(lambda: kit.page.first.cards.better is not None)
    card = kit.page.first.cards.better
    assert card is not None
    kit.wait(card.isVisible)
    return card


# --- this computer --------------------------------------------------------------------------------


def test_the_computer_is_described(kit: WindowKit) -> None:
    kit.wait(lambda: "Looking…" not in str([f.texts for f in kit.page.first.cards.hardware.facts]))
    processor, memory, graphics, disk = (f.texts for f in kit.page.first.cards.hardware.facts)
    assert processor == [
        ("11th Gen Intel Core i5-1135G7 @ 2.40GHz", "4 cores, AVX-512. Models run here.")
    ]
    assert memory == [("8.9 GB free of 16.9 GB", "Reads 38 GB per second, measured")]
    assert "cannot compute on it" in graphics[0][0]
    assert "Vulkan" in graphics[0][1]
    assert disk == [("187 GB free", "")]


@pytest.mark.parametrize("name", MACHINES)
def test_every_machine_has_words(name: str) -> None:
    machine = MACHINES[name]
    said = [
        hardwarewords.processor(machine),
        hardwarewords.memory(machine),
        hardwarewords.disk(machine),
        *hardwarewords.graphics(machine),
    ]
    for value, note in said:
        assert value
        assert "{" not in value + note


def test_a_container_says_that_it_is_limited() -> None:
    assert "container" in hardwarewords.memory(MACHINES["container-2gib"])[1]


def test_an_old_processor_says_that_it_is_slow() -> None:
    assert "slow" in hardwarewords.processor(MACHINES["old-4gb-no-avx2"])[1]


def test_the_states_of_graphics_are_told_apart() -> None:
    def words(state: GpuState) -> tuple[str, str]:
        gpu = Gpu("Card", "", 4 * 10**9, 3 * 10**9, state, "vulkan", missing="Vulkan driver")
        (said,) = hardwarewords.graphics(replace(LAPTOP, gpus=(gpu,)))
        return said

    said = [words(state) for state in GpuState]
    assert len(set(said)) == len(said)
    assert words(GpuState.USED) == ("Card", "3.0 GB free of 4.0 GB. Models run here, with Vulkan.")
    for state in (GpuState.NO_KERNELS, GpuState.NO_DRIVER, GpuState.UNKNOWN):
        assert words(state)[1], state


# --- a better model -------------------------------------------------------------------------------


def test_one_model_is_recommended_with_its_reasons(kit: WindowKit) -> None:
    card, better = _card(kit), find_better(LAPTOP)
    assert better is not None
    assert card.model.name.text() == better.model.name
    assert card.model.variant.text() == better.pick.candidate.variant
    assert [reason.text for reason in card.model.reasons] == [
        str(reason) for reason in better.recommendation.reasons
    ]
    assert len(card.model.reasons) == 3
    assert "of the 8.9 GB that are free" in card.model.memory.text
    assert card.model.memory.bar.accessibleDescription() == card.model.memory.text
    assert card.download_button.text().startswith("Download ")
    assert kit.window.status.network_text == "Offline: nothing has left this computer"


def test_what_was_measured_here_corrects_the_recommendation(kit: WindowKit) -> None:
    card = _card(kit)
    slow = (SpeedRecord("CPU", 100.0, 50.0),) * 20
    better = find_better(LAPTOP, measured=slow)
    assert better is not None
    assert better != find_better(LAPTOP)
    kit.page.fits.speeds = slow
    kit.page.first.look.examined.emit(LAPTOP)
    expected = [str(reason) for reason in better.recommendation.reasons]
    kit.wait(lambda: [reason.text for reason in card.model.reasons] == expected)


def test_nothing_is_recommended_where_nothing_fits(
    open_window: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = replace(simulated(10**9), ram_available_bytes=300_000_000)
    monkeypatch.setattr("app.engine.client.examine", lambda _folder: tiny)
    kit = open_window()
    card = _card(kit)
    assert not card.model.isVisible()
    kit.wait(card.nothing.isVisible)
    assert "300 MB" in card.nothing.hint.text()
    assert not card.download_button.isVisible()
    card.others_button.click()
    assert kit.window.page == MODELS


def test_it_is_downloaded_verified_and_chatted_with(
    hub: FakeHub, model: CatalogModel, open_window: Open
) -> None:
    kit = open_window()
    card = _card(kit)
    card.download_button.setFocus()
    card.download_button.click()
    assert card.strip.isVisible()
    assert not card.download_button.isVisible()
    kit.wait(card.chat_button.isVisible)
    assert not card.strip.isVisible()
    (state,) = kit.window.downloading.job.states
    assert state.stage is Stage.DONE
    kit.wait(lambda: state.model in [each.path for each in kit.window.models.installed])
    assert kit.window.status.network_text == "Only what you asked for has left this computer"
    card.chat_button.click()
    kit.wait(
        lambda: kit.engine.state.load is not None and kit.engine.state.load.path == str(state.model)
    )


def test_it_can_be_paused_and_goes_on_from_the_card(
    hub: FakeHub, model: CatalogModel, open_window: Open
) -> None:
    hub.faults.bytes_per_s = 500_000
    kit = open_window()
    card = _card(kit)
    card.download_button.click()
    job = kit.window.downloading.job
    kit.wait(lambda: job.states[0].stage is Stage.FETCHING)
    kit.wait(lambda: kit.window.status.network_text == "Online: 1 download you asked for")
    card.strip.pause_button.click()
    assert job.states[0].stage is Stage.PAUSED
    assert card.strip.main_button.text() == "Continue"
    hub.faults.bytes_per_s = 0
    card.strip.main_button.click()
    kit.wait(card.chat_button.isVisible)


def test_offline_it_says_so_and_the_chat_goes_on(
    hub: FakeHub, model: CatalogModel, open_window: Open
) -> None:
    hub.go_offline()
    kit = open_window()
    card = _card(kit)
    card.download_button.click()
    job = kit.window.downloading.job
    kit.wait(lambda: job.states[0].stage in (Stage.OFFLINE, Stage.FAILED))
    assert job.states[0].stage is Stage.OFFLINE
    assert "by itself" in card.strip.texts[1]
    assert kit.window.status.network_text == "No connection: 1 download waits for it"
    kit.ask("Hi")
    assert kit.answer("Hello").text == "Hello"
    assert not kit.window.findChildren(QMessageBox)


def test_what_is_here_already_is_not_downloaded_again(
    hub: FakeHub, model: CatalogModel, open_window: Open
) -> None:
    kit = open_window()
    card = _card(kit)
    card.download_button.click()
    kit.wait(card.chat_button.isVisible)
    hub.forget()
    card = _card(open_window())
    assert hub.traffic == 0


def test_an_unfinished_one_is_taken_up_after_a_restart(
    hub: FakeHub, model: CatalogModel, open_window: Open
) -> None:
    hub.faults.bytes_per_s = 500_000
    kit = open_window()
    _card(kit).download_button.click()
    job = kit.window.downloading.job
    kit.wait(lambda: job.states[0].done_bytes > 0)
    kit = open_window()
    card = _card(kit)
    kit.wait(lambda: bool(kit.window.downloading.job.states))
    kit.wait(card.strip.isVisible)
    assert card.strip.main_button.text() == "Continue"
    assert kit.window.status.network_text == "Only what you asked for has left this computer"
    hub.faults.bytes_per_s = 0
    card.strip.main_button.click()
    kit.wait(card.chat_button.isVisible)


# --- room -----------------------------------------------------------------------------------------


def test_in_a_narrow_window_the_cards_stand_in_the_column(kit: WindowKit) -> None:
    card = _card(kit)
    assert not kit.column.first_start.isAncestorOf(card)
    kit.window.resize(900, 700)
    assert kit.column.first_start.isAncestorOf(card)
    kit.window.resize(1280, 800)
    assert not kit.column.first_start.isAncestorOf(card)


def test_memory_and_disk_stand_in_the_status_line_of_other_pages(kit: WindowKit) -> None:
    status = kit.window.status
    kit.window.show_page(MODELS)
    kit.wait(lambda: all(status.machine_texts))
    memory, disk = status.machine_texts
    assert memory.endswith("of memory free")
    assert disk.endswith("of disk free")
