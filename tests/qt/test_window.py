"""The frame: pages, keys, narrow windows, looks, names for screen readers."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractScrollArea,
    QApplication,
    QComboBox,
    QLabel,
    QLineEdit,
    QTextEdit,
    QWidget,
)

from app.core import settings as s
from app.core.errors import Message, SettingsError
from app.ui.theme import theme
from app.ui.window import CHAT, LAB, MODELS, QUANTIZE, SETTINGS
from tests.helpers.window_kit import WindowKit, named

Ctrl = Qt.KeyboardModifier.ControlModifier


def _press(kit: WindowKit, key: Qt.Key, modifiers: Qt.KeyboardModifier = Ctrl) -> None:
    QTest.keyClick(kit.window, key, modifiers)


@pytest.fixture
def chatting(kit: WindowKit) -> WindowKit:
    """A window with one conversation open."""
    kit.ask("Bread orders")
    kit.answer("Noted")
    return kit


def test_every_focusable_widget_says_what_it_is(chatting: WindowKit) -> None:
    for page in (CHAT, MODELS, QUANTIZE, LAB, SETTINGS):
        chatting.window.show_page(page)
        chatting.wait_for_tasks()
    nameless = [
        widget
        for widget in chatting.window.findChildren(QWidget)
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus and not _name_of(widget)
    ]
    assert nameless == [], [(type(w).__name__, w.parentWidget()) for w in nameless]


def _name_of(widget: QWidget) -> str:
    if isinstance(widget.parentWidget(), QAbstractScrollArea) and widget.objectName().startswith(
        "qt_scrollarea"
    ):
        return widget.parentWidget().accessibleName() or "a scroll area's"
    if isinstance(widget, QLineEdit) and widget.parentWidget().accessibleName():
        return widget.parentWidget().accessibleName()  # the field of a spin box
    text = widget.text() if isinstance(widget, QAbstractButton | QLabel) else ""
    if isinstance(widget, QTextEdit):  # what a message says is what it is
        text = widget.toPlainText()
    return widget.accessibleName() or text


@pytest.mark.parametrize(
    ("key", "page"),
    [
        (Qt.Key.Key_2, MODELS),
        (Qt.Key.Key_3, QUANTIZE),
        (Qt.Key.Key_4, LAB),
        (Qt.Key.Key_Comma, SETTINGS),
    ],
)
def test_keys_lead_to_the_pages(kit: WindowKit, key: Qt.Key, page: int) -> None:
    _press(kit, key)
    assert kit.window.page == page
    _press(kit, Qt.Key.Key_1)
    assert kit.window.page == CHAT
    assert kit.composer.editor.hasFocus()


def test_no_part_of_a_page_is_a_window_of_its_own(kit: WindowKit) -> None:
    """A widget shown before it has a parent flashes up and takes the keys away."""
    for page in (MODELS, QUANTIZE, LAB, SETTINGS, CHAT):
        kit.window.show_page(page)
        kit.wait_for_tasks()
        assert kit.window.isActiveWindow()


def test_empty_pages_say_so(kit: WindowKit) -> None:
    kit.window.show_page(LAB)
    texts = [label.text() for label in kit.window.current_page.findChildren(QLabel)]
    sentence = "Measuring variants against each other comes in a later version."
    assert sentence in texts


def test_control_n_begins_a_conversation(chatting: WindowKit) -> None:
    _press(chatting, Qt.Key.Key_N)
    assert chatting.chat.open is None
    assert chatting.composer.editor.hasFocus()
    assert chatting.column.prompts.isVisible()
    assert chatting.titles() == ["Bread orders"]


def test_control_b_and_control_i_hide_the_panels(chatting: WindowKit) -> None:
    page = chatting.page
    for key, panel, setting in (
        (Qt.Key.Key_B, page.list, s.SHOW_LIST),
        (Qt.Key.Key_I, page.inspector, s.SHOW_INSPECTOR),
    ):
        assert panel.isVisible()
        _press(chatting, key)
        assert not panel.isVisible()
        page.flush()
        assert not chatting.settings.get(setting)
        _press(chatting, key)
        assert panel.isVisible()


def test_control_l_opens_the_picker_and_control_f_the_search(chatting: WindowKit) -> None:
    _press(chatting, Qt.Key.Key_L)
    assert chatting.column.bar.picker.menu_entries.isVisible()
    chatting.column.bar.picker.menu_entries.close()
    _press(chatting, Qt.Key.Key_F)
    assert chatting.page.list.search.hasFocus()


def test_f6_goes_round(chatting: WindowKit) -> None:
    seen = []
    for _ in range(5):
        _press(chatting, Qt.Key.Key_F6, Qt.KeyboardModifier.NoModifier)
        seen.append(QApplication.focusWidget())
    page, window = chatting.page, chatting.window
    areas = [page.inspector, window.rail, page.list, chatting.column.bar, chatting.column]
    for area, widget in zip(areas, seen, strict=True):
        assert area.isAncestorOf(widget)
    assert seen[-1] is chatting.composer.editor


def test_tab_goes_from_left_to_right(chatting: WindowKit) -> None:
    page, window = chatting.page, chatting.window
    regions = [window.rail, page.list, chatting.column.bar, chatting.column, page.inspector]
    window.rail.focus_chosen()
    order: list[int] = []
    for _ in range(60):
        focused = QApplication.focusWidget()
        number = next(n for n, area in enumerate(regions) if area.isAncestorOf(focused))
        if not order or order[-1] != number:
            order.append(number)
        if len(order) > 5:
            break
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    assert order[:6] == [0, 1, 2, 3, 4, 0]


def test_the_focus_ring_follows_the_keyboard(chatting: WindowKit) -> None:
    ring = chatting.window.ring
    chatting.page.inspector.focus_first()
    focused = QApplication.focusWidget()
    assert ring.isVisible()
    outer = ring.geometry()
    inner = focused.rect().translated(focused.mapTo(chatting.window, focused.rect().topLeft()))
    assert outer == inner.adjusted(-4, -4, 4, 4)
    chatting.composer.focus()
    assert not ring.isVisible()  # its frame takes the accent instead


# --- narrow windows -------------------------------------------------------------------------------


def test_a_narrow_window_lays_the_panels_over(chatting: WindowKit) -> None:
    page, window = chatting.page, chatting.window
    window.resize(1000, 700)
    assert page.list.isVisible()
    assert not page.inspector.isVisible()
    window.resize(760, 700)
    assert not page.list.isVisible()
    assert window.rail.width() < 60
    QApplication.processEvents()
    transcript_width = chatting.column.transcript.width()
    chatting.column.bar.list_button.click()
    assert page.list.isVisible()
    assert page.list.search.hasFocus()
    assert chatting.column.transcript.width() == transcript_width
    QTest.keyClick(page.list.search, Qt.Key.Key_Escape)
    assert not page.list.isVisible()
    assert chatting.composer.editor.hasFocus()
    _press(chatting, Qt.Key.Key_I)
    assert page.inspector.isVisible()
    QTest.mouseClick(page.panels.childAt(5, 300), Qt.MouseButton.LeftButton)
    assert not page.inspector.isVisible()
    window.resize(1280, 700)
    assert page.list.isVisible()
    assert page.inspector.isVisible()


def test_large_text_makes_room(chatting: WindowKit) -> None:
    page = chatting.page
    chatting.window.prefs.set(s.TEXT_SCALE, 200)
    assert QApplication.font().pixelSize() == 28
    assert not page.inspector.isVisible()
    assert not page.list.isVisible()
    bar, composer = chatting.column.bar, chatting.composer
    assert bar.height() >= 90
    assert composer.send_button.height() == 64
    assert bar.width() <= chatting.window.width()
    _press(chatting, Qt.Key.Key_I)
    assert page.inspector.isVisible()
    assert page.inspector.width() <= chatting.window.width()


# --- looks and settings ---------------------------------------------------------------------------


def test_the_theme_changes_at_once(chatting: WindowKit) -> None:
    chatting.window.show_page(SETTINGS)
    box = named(chatting.window.current_page, QComboBox, "Colours")
    for choice, ground in (("dark", "#1d1c1b"), ("highContrast", "#000000"), ("light", "#ffffff")):
        box.setCurrentIndex(box.findData(choice))
        box.activated.emit(box.currentIndex())
        assert theme().name == choice
        image = chatting.window.grab().toImage()
        assert image.pixelColor(image.width() - 300, 20).name() == ground


def test_the_transcript_follows_the_theme(chatting: WindowKit) -> None:
    ground = chatting.column.transcript.viewport()
    for choice in ("dark", "light", "dark"):
        chatting.window.prefs.set(s.THEME, choice)
        assert ground.palette().base().color() == theme().color("content")


def test_settings_are_kept(open_window: Callable[..., WindowKit]) -> None:
    kit = open_window()
    kit.window.show_page(SETTINGS)
    page = kit.window.current_page
    page.line(s.TEMPERATURE).editor.setValue(1.5)
    page.line(s.SYSTEM_PROMPT).editor.setPlainText("Be brief.")
    kit = open_window()
    assert kit.settings.get(s.TEMPERATURE) == 1.5
    assert kit.settings.get(s.SYSTEM_PROMPT) == "Be brief."
    assert kit.page.inspector.sampling.row(s.TEMPERATURE).editor.value() == 1.5
    kit.window.show_page(SETTINGS)
    line = kit.window.current_page.line(s.TEMPERATURE)
    assert line.reset_button.isVisible()
    line.reset_button.click()
    assert line.editor.value() == s.TEMPERATURE.default
    assert kit.page.inspector.sampling.row(s.TEMPERATURE).editor.value() == s.TEMPERATURE.default
    kit.page.flush()
    assert kit.settings.get(s.TEMPERATURE) == s.TEMPERATURE.default


def test_settings_that_cannot_be_saved_say_so(kit: WindowKit) -> None:
    error = SettingsError(Message("test", "The settings could not be saved."))

    def fail(*_: object) -> None:
        raise error

    kit.settings.set = fail  # type: ignore[method-assign]
    kit.window.prefs.set(s.TOP_K, 12)
    kit.page.flush()
    assert kit.window.trouble.texts == ["The settings could not be saved."]
    named(kit.window.trouble, QAbstractButton, "Dismiss").click()
    assert kit.window.trouble.texts == []
    assert not kit.window.trouble.isVisible()


def test_unreadable_settings_are_said(open_window: Callable[..., WindowKit], tmp_path) -> None:
    (tmp_path / "settings.json").write_text("{")
    kit = open_window()
    assert kit.window.trouble.texts == ["The settings could not be read, so the defaults are used."]


def test_the_window_comes_back_as_it_was(open_window: Callable[..., WindowKit]) -> None:
    kit = open_window()
    kit.ask("Hi")
    kit.page.toggle_inspector()
    kit.answer("Hello")
    with kit.qtbot.waitSignal(kit.window.closing):
        kit.window.close()
    assert kit.settings.get(s.WINDOW_GEOMETRY)
    kit = open_window()
    assert not kit.page.inspector.isVisible()


def test_geometry_that_makes_no_sense_does_no_harm(
    open_window: Callable[..., WindowKit], tmp_path
) -> None:
    (tmp_path / "settings.json").write_text('{"window.geometry": "¿no base64?"}')
    assert open_window().window.isVisible()


def test_none_is_not_lost(kit: WindowKit) -> None:
    """PySide6 6.12.0 loses a reference to None with every call that returns nothing."""
    action = QAction()
    before = sys.getrefcount(None)
    for number in range(1000):
        action.setText(str(number))
        kit.window.update()
    assert sys.getrefcount(None) > before - 100
