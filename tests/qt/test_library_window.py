"""The library in the window: dropping, folders, deleting, files that changed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMessageBox, QWidget

from app import paths
from app.core import hashes
from app.core import settings as s
from app.core.library import InstalledModel, Source
from app.jobs.engine import Phase
from app.ui.shortcuts import CHAT, MODELS, SETTINGS
from app.ui.trouble import TroubleCard
from tests.helpers.model_folders import (
    mmproj_bytes,
    model_bytes,
    ollama_model,
    put,
    put_split,
)
from tests.helpers.window_kit import WindowKit, named


class Drag:
    """Files dragged over a widget, as the window system reports it."""

    def __init__(self, *urls: str | Path) -> None:
        self.mime = QMimeData()
        self.mime.setUrls(
            [QUrl(url) if isinstance(url, str) else QUrl.fromLocalFile(str(url)) for url in urls]
        )

    def enter(self, widget: QWidget) -> bool:
        event = QDragEnterEvent(
            QPoint(5, 5),
            Qt.DropAction.CopyAction | Qt.DropAction.MoveAction,
            self.mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        event.ignore()
        QApplication.sendEvent(widget, event)
        assert not event.isAccepted() or event.dropAction() is Qt.DropAction.CopyAction
        return event.isAccepted()

    def drop(self, widget: QWidget) -> None:
        event = QDropEvent(
            QPointF(5, 5),
            Qt.DropAction.CopyAction,
            self.mime,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(widget, event)
        assert event.isAccepted()

    def onto(self, kit: WindowKit) -> None:
        assert self.enter(kit.window)
        sheet = kit.window.drops.sheet
        assert sheet.isVisible()
        assert self.enter(sheet)
        self.drop(sheet)
        assert not sheet.isVisible()
        kit.wait_for_tasks()


def message(kit: WindowKit) -> QMessageBox:
    box = kit.dialog()
    assert isinstance(box, QMessageBox)
    return box


def installed(kit: WindowKit) -> list[InstalledModel]:
    """All but the starter, after a new scan."""
    kit.window.models.scan()
    kit.wait_for_tasks()
    return [model for model in kit.window.models.installed if not model.is_starter]


def troubles(kit: WindowKit) -> list[str]:
    cards = kit.window.trouble.findChildren(TroubleCard)
    return [card.text for card in cards if card.isVisible()]


# --- dropping -----------------------------------------------------------------------------------


def test_a_dropped_model_is_opened(kit: WindowKit, tmp_path: Path) -> None:
    path = put(tmp_path / "dropped.gguf")
    kit.window.show_page(SETTINGS)
    drag = Drag(path)
    assert drag.enter(kit.window)
    assert kit.window.drops.sheet.text == "Drop to open dropped.gguf"
    drag.drop(kit.window.drops.sheet)
    kit.wait(lambda: kit.fake.loads[-1].path == str(path))
    assert kit.window.page == CHAT
    assert path in [model.path for model in kit.window.models.installed]


def test_a_drop_before_the_sheet_was_reached(kit: WindowKit, tmp_path: Path) -> None:
    path = put(tmp_path / "dropped.gguf")
    drag = Drag(path)
    assert drag.enter(kit.window)
    drag.drop(kit.window)
    kit.wait(lambda: kit.fake.loads[-1].path == str(path))
    assert not kit.window.drops.sheet.isVisible()


def test_the_sheet_goes_when_the_mouse_does(kit: WindowKit, tmp_path: Path) -> None:
    drag, sheet = Drag(put(tmp_path / "m.gguf")), kit.window.drops.sheet
    drag.enter(kit.window)
    QApplication.sendEvent(kit.window, QDragLeaveEvent())  # the sheet is under the mouse now
    drag.enter(sheet)
    kit.qtbot.wait(10)
    assert sheet.isVisible()
    QApplication.sendEvent(sheet, QDragLeaveEvent())
    assert not sheet.isVisible()
    drag.enter(kit.window)
    QApplication.sendEvent(kit.window, QDragLeaveEvent())  # out again at once
    kit.wait(lambda: not sheet.isVisible())


def test_the_composer_leaves_files_to_the_window(kit: WindowKit, tmp_path: Path) -> None:
    """It would paste the name as text."""
    path = put(tmp_path / "m.gguf")
    assert Drag(path).enter(kit.composer.editor.viewport())
    assert kit.window.drops.sheet.isVisible()
    assert kit.composer.text == ""


def test_the_quantize_page_takes_its_own_drops(kit: WindowKit, tmp_path: Path) -> None:
    kit.window.show_page(2)
    assert Drag(put(tmp_path / "m.gguf")).enter(kit.window.current_page)
    assert not kit.window.drops.sheet.isVisible()


@pytest.mark.parametrize("url", ["https://example.com/m.gguf", "data:text/plain,x"])
def test_what_lies_elsewhere_is_not_taken(kit: WindowKit, url: str) -> None:
    assert not Drag(url).enter(kit.window)
    assert not kit.window.drops.sheet.isVisible()


def test_several_models_are_listed(kit: WindowKit, tmp_path: Path) -> None:
    files = [put(tmp_path / f"{name}.gguf") for name in "ab"]
    n_loads = len(kit.fake.loads)
    Drag(*files, *put_split(tmp_path / "big", "big", 2)).onto(kit)
    kit.wait(lambda: kit.window.page == MODELS)
    found = {model.path.name: model.source for model in installed(kit)}
    assert found == {
        "a.gguf": Source.OPENED,
        "b.gguf": Source.OPENED,
        "big-00001-of-00002.gguf": Source.OPENED,
    }
    assert len(kit.fake.loads) == n_loads


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("notes.txt", b"hello", "notes.txt is not a GGUF file"),
        ("mmproj-m.gguf", mmproj_bytes(), "what a model sees with"),
        ("model.safetensors", b"x", "original weights"),
    ],
)
def test_what_is_no_model_gets_one_sentence(
    kit: WindowKit, tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    n_loads = len(kit.fake.loads)
    Drag(put(tmp_path / name, data)).onto(kit)
    (text,) = troubles(kit)
    assert words in text
    assert len(kit.fake.loads) == n_loads


def test_a_dropped_folder_is_offered(kit: WindowKit, tmp_path: Path) -> None:
    path = put(tmp_path / "mine" / "deep" / "m.gguf")
    Drag(tmp_path / "mine").onto(kit)
    box = message(kit)
    assert box.text() == "Add this folder to your models?"
    assert "mine holds 1 model." in box.informativeText()
    named(box, QAbstractButton, "Add folder").click()
    kit.wait(lambda: path in [model.path for model in kit.window.models.installed])
    assert kit.window.page == MODELS
    kit.window.prefs.flush()
    assert kit.settings.get(s.LIBRARY_FOLDERS) == f'["{tmp_path / "mine"}"]'


def test_a_folder_without_models_gets_one_sentence(kit: WindowKit, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path / "weights" / "model.safetensors", b"x")
    Drag(tmp_path / "empty", tmp_path / "weights").onto(kit)
    assert troubles(kit) == [
        "There is no GGUF model in empty.",
        "weights holds original weights, which Nibble does not chat with.",
    ]


# --- folders ------------------------------------------------------------------------------------


def test_folders_are_added_and_removed_in_the_settings(kit: WindowKit, tmp_path: Path) -> None:
    path = put(tmp_path / "mine" / "m.gguf")
    kit.window.show_page(SETTINGS)
    page = kit.window.current_page
    assert named(page, QLabel, str(paths.models_dir()))
    kit.window.models.add_folder(tmp_path / "mine")
    kit.wait(lambda: path in [model.path for model in kit.window.models.installed])
    kit.window.models.add_folder(tmp_path / "mine")
    assert kit.window.models.folders == (tmp_path / "mine",)
    assert named(page, QLabel, str(tmp_path / "mine"))
    named(page, QAbstractButton, f"Remove {tmp_path / 'mine'} from the list").click()
    kit.wait(lambda: path not in [model.path for model in kit.window.models.installed])
    assert path.exists()
    kit.window.prefs.flush()
    assert kit.settings.get(s.LIBRARY_FOLDERS) == ""


# --- deleting -----------------------------------------------------------------------------------


def test_deleting_asks_with_files_and_bytes(kit: WindowKit) -> None:
    folder = paths.models_dir() / "org" / "seeing"
    path = put(folder / "m-Q4_0.gguf", model_bytes("M") + bytes(2_000_000))
    see = put(folder / "mmproj-F16.gguf", mmproj_bytes())
    (model,) = installed(kit)
    kit.window.models.delete(model)
    box = message(kit)
    assert box.text() == "Delete 2 files and free 2 MB?"
    assert box.informativeText().splitlines() == [
        "M Q4_0",
        see.name,
        path.name,
        "This cannot be undone.",
    ]
    with kit.qtbot.waitSignal(kit.window.models.deleted) as done:
        named(box, QAbstractButton, "Delete").click()
    assert done.args[1] == path_size(model) + model.mmproj_bytes
    assert not folder.parent.exists()
    assert installed(kit) == []


def path_size(model: InstalledModel) -> int:
    return model.size_bytes


def test_no_means_no(kit: WindowKit) -> None:
    path = put(paths.models_dir() / "m.gguf")
    (model,) = installed(kit)
    kit.window.models.delete(model)
    box = message(kit)
    assert box.text().startswith("Delete 1 file and free ")
    assert box.defaultButton().text() == "Cancel"
    named(box, QAbstractButton, "Cancel").click()
    kit.wait_for_tasks()
    assert path.exists()


def test_an_apps_model_is_refused_in_a_sentence(kit: WindowKit) -> None:
    ollama_model(
        Path.home() / ".ollama" / "models", "registry.ollama.ai/library/m/1b", model_bytes("M")
    )
    (model,) = installed(kit)
    with kit.qtbot.waitSignal(kit.window.models.refused) as refused:
        kit.window.models.delete(model)
    assert str(refused.args[0].text) == "M belongs to Ollama, so Nibble leaves it alone."


def test_the_loaded_model_is_refused(kit: WindowKit, starter_path: Path) -> None:
    path = paths.models_dir() / "copy.gguf"
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(starter_path, path)
    kit.window.models.choose(path)
    kit.wait(lambda: kit.fake.loads[-1].path == str(path))
    kit.wait(lambda: kit.engine.state.phase is Phase.READY)
    model = next(model for model in installed(kit) if model.path == path)
    with kit.qtbot.waitSignal(kit.window.models.refused) as refused:
        kit.window.models.delete(model)
    assert "is loaded" in str(refused.args[0].text)
    assert path.exists()


# --- changes ------------------------------------------------------------------------------------


def test_a_changed_file_is_noticed_in_quiet_times(
    open_window: Callable[..., WindowKit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.jobs.library.IDLE_MS", 1)
    kit = open_window()
    kit.window.models.check._idle.setInterval(1)
    path = put(paths.models_dir() / "m.gguf", model_bytes("Tiny"))
    hashes.record(path, hashlib.sha256(b"what was downloaded").hexdigest(), "org/m")
    put(path, model_bytes("Tony") + b" ")
    kit.window.models.scan()
    kit.wait(lambda: any(model.notice for model in kit.window.models.installed))
    (model,) = [model for model in kit.window.models.installed if not model.is_starter]
    assert model.notice is not None
    assert "has changed since it was downloaded" in str(model.notice.text)
    kit.window.models.keep(model)
    kit.wait(lambda: not any(model.notice for model in kit.window.models.installed))


def test_verifying_reads_a_file_now(kit: WindowKit) -> None:
    path = put(paths.models_dir() / "m.gguf")
    hashes.record(path, "0" * 64)
    (model,) = installed(kit)
    assert model.notice is None
    with kit.qtbot.waitSignal(kit.window.models.check.checked):
        kit.window.models.verify(model)
    kit.wait(lambda: any(model.notice for model in kit.window.models.installed))


def test_a_model_that_cannot_be_loaded_cannot_be_chosen(kit: WindowKit) -> None:
    put_split(paths.models_dir(), "big", 2)[1].unlink()
    kit.ask("Hi")
    kit.answer("Hello")
    installed(kit)
    picker = kit.column.bar.picker
    picker.open_menu()
    action = next(a for a in picker.menu_entries.actions() if "Split" in a.text())
    assert not action.isEnabled()
    assert action.toolTip() == "Part 2 of 2 is missing."
    picker.menu_entries.close()
