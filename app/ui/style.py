"""The window's looks: one palette and one small style sheet per theme, both from the tokens.

Widgets say what they are with dynamic properties (`kind`, `step`, `tone`, `surface`) and the sheet
does the rest. It is set on windows, not on the application, so that it reaches nothing else.
"""

from __future__ import annotations

from string import Template

from PySide6.QtWidgets import QApplication, QWidget

from app.ui.theme import BODY, palette, px, theme, tokens


def apply_text_scale(percent: int) -> None:
    """Set the application's font to the body size times `percent`; everything follows."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    font = app.font()
    size = round(tokens()["type"][BODY]["px"] * percent / 100)
    if font.pixelSize() != size:
        font.setPixelSize(size)
        app.setFont(font)
        theme().changed.emit()


def apply_theme(window: QWidget) -> None:
    """Give `window` and all in it the colours and sizes in force."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    app.setPalette(palette())
    window.setStyleSheet(sheet())


def sheet() -> str:
    """The style sheet for the theme and text size in force."""
    colors = {token: theme().css(token) for token in tokens()["themes"][theme().name]["colors"]}
    sizes = {f"p{n}": f"{px(n)}px" for n in _SIZES}
    accent = theme().color("accent")
    hover = accent.lighter(112) if theme().name == "highContrast" else accent.darker(112)
    return _SHEET.substitute(colors, **sizes, accentHover=hover.name())


_SIZES = (1, 2, 3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 40, 52, 56)
_SHEET = Template("""
QMainWindow, QDialog, QWidget[surface="content"] { background: $content; }
QWidget[surface="sidebar"] { background: $sidebar; }
QFrame[surface="card"] { background: $raised; border: 1px solid $border; border-radius: $p8; }
QFrame[surface="card"][dropping="true"] { border: 2px solid $accentText; }
QFrame[surface="advice"] { background: $accentSoft; border: none; border-radius: $p8; }
QFrame[surface="warning"] { background: $tightBackground; border: none; border-radius: $p8; }
QFrame[surface="segments"] { background: $raised; border: 1px solid $controlBorder;
  border-radius: $p6; }
QFrame[surface="line"] { background: $border; border: none; }
QScrollArea, QScrollArea > QWidget > QWidget[surface="none"] { background: transparent;
  border: none; }
QStackedWidget { background: transparent; border: none; }

QLabel { background: transparent; }
QLabel[step="body"] { font-size: $p14; }
QLabel[strong="true"] { font-weight: 600; }
QLabel[step="small"] { font-size: $p12; }
QLabel[step="title"] { font-size: $p20; font-weight: 600; }
QLabel[tone="secondary"] { color: $textSecondary; }
QLabel[tone="tertiary"] { color: $textTertiary; }
QLabel[tone="tight"] { color: $tight; }
QLabel[tone="doesNotFit"] { color: $doesNotFit; }
QLabel[tone="accent"] { color: $accentText; }
QLabel[tag="plain"] { background: $track; color: $textSecondary; font-size: $p12;
  border-radius: $p4; padding: $p2 $p4; }
QLabel[tag="key"] { color: $textSecondary; font-size: $p12; border: 1px solid $controlBorder;
  border-radius: $p2; padding: 0 $p4; }

QPushButton { background: $raised; color: $text; border: 1px solid $controlBorder;
  border-radius: $p6; padding: 0 $p12; min-height: $p30;
  font-size: $p14; font-weight: 500; outline: none; }
QPushButton:hover, QPushButton:pressed { background: $hover; }
QPushButton:disabled { background: transparent; color: $textTertiary; border-color: $border; }
QPushButton[compact="true"] { min-height: $p26; }
QPushButton[kind="primary"] { background: $accent; color: $onAccent; border-color: $accent; }
QPushButton[kind="primary"]:hover { background: $accentHover; border-color: $accentHover; }
QPushButton[kind="primary"]:disabled { background: transparent; color: $textTertiary;
  border-color: $border; }
QPushButton[kind="danger"] { color: $doesNotFit; border-color: $doesNotFit; }
QPushButton[kind="danger"]:hover { background: $doesNotFitBackground; }
QPushButton[kind="quiet"] { background: transparent; border-color: transparent; }
QPushButton[kind="quiet"]:hover { background: $hover; }
QPushButton[kind="quiet"]:checked { background: $accentSoft; color: $accentText; }
QPushButton[kind="link"] { background: transparent; border: none; color: $accentText;
  padding: 0; min-height: $p20; font-size: $p12; }
QPushButton[kind="link"]:hover { text-decoration: underline; }
QPushButton[kind="link"]:disabled { color: $textTertiary; text-decoration: none; }
QPushButton[kind="fold"] { background: transparent; border: none; color: $textSecondary;
  padding: 0; min-height: $p28; font-size: $p12; font-weight: 400; text-align: left; }
QPushButton[kind="fold"]:hover { color: $text; }
QDialog QPushButton:focus { border: 2px solid $accentText; }

QToolButton[kind="icon"] { background: transparent; border: none; border-radius: $p6; }
QToolButton[kind="icon"]:hover { background: $hover; }
QToolButton[kind="icon"]:checked { background: $accentSoft; }
QToolButton::menu-indicator { image: none; }
QToolButton[kind="rail"] { background: transparent; border: none; border-radius: $p6;
  color: $textSecondary; font-size: $p12; padding: $p4 0 $p2 0; }
QToolButton[kind="rail"]:hover { background: $hover; }
QToolButton[kind="rail"]:checked { background: $accentSoft; color: $accentText;
  font-weight: 600; }
QToolButton[kind="segment"] { background: transparent; border: none; border-radius: $p4;
  color: $textSecondary; font-size: $p12; padding: 0 $p10; }
QToolButton[kind="segment"]:hover { background: $hover; }
QToolButton[kind="segment"]:checked { background: $accentSoft; color: $accentText;
  font-weight: 600; }

QLineEdit, QPlainTextEdit[kind="field"] { background: $raised; color: $text;
  border: 1px solid $controlBorder; border-radius: $p6; selection-background-color: $accent;
  selection-color: $onAccent; }
QLineEdit { padding: 0 $p8; min-height: $p26; }
QLineEdit:focus, QPlainTextEdit[kind="field"]:focus { border-color: $accentText; }
QPlainTextEdit[kind="field"] { padding: $p4; font-size: $p12; }
QPlainTextEdit[kind="bare"] { background: transparent; border: none;
  selection-background-color: $accent; selection-color: $onAccent; }
QLineEdit[kind="title"] { background: transparent; border: 1px solid transparent;
  font-size: $p14; font-weight: 600; padding: 0 $p6; }
QLineEdit[kind="search"] { font-size: $p12; padding: 0 $p4; }
QLineEdit[kind="title"]:hover:!read-only { border-color: $border; }
QLineEdit[kind="title"]:focus:!read-only { background: $raised; border-color: $accentText; }
QLineEdit:disabled, QPlainTextEdit:disabled { color: $textTertiary; border-color: $border; }

QAbstractSpinBox, QComboBox { background: $raised; color: $text;
  border: 1px solid $controlBorder; border-radius: $p6; padding: 0; min-height: $p26;
  selection-background-color: $accent; selection-color: $onAccent; }
QAbstractSpinBox[compact="true"], QComboBox[compact="true"] { min-height: $p22; font-size: $p12; }
QAbstractSpinBox QLineEdit { border: none; background: transparent; padding: 0 $p6;
  min-height: 0; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { border: none; width: $p18;
  background: transparent; }
QAbstractSpinBox::up-arrow, QAbstractSpinBox::down-arrow { image: none; width: 0; height: 0; }
QComboBox { padding: 0 $p28 0 $p8; }
QComboBox::drop-down { border: none; width: $p28; }
QComboBox::down-arrow { image: none; }
QComboBox QAbstractItemView { background: $raised; color: $text; border: 1px solid $border;
  selection-background-color: $accentSoft; selection-color: $text; outline: none; }

QMenu { background: $raised; color: $text; border: 1px solid $border; padding: $p4; }
QMenu::item { padding: $p6 $p24 $p6 $p12; border-radius: $p4; }
QMenu::item:selected { background: $accentSoft; }
QMenu::item:disabled { color: $textTertiary; }
QMenu::separator { height: 1px; background: $border; margin: $p4 0; }
QMenu::indicator { width: $p16; height: $p16; left: $p6; }
QMenu::item:checked { font-weight: 600; }
QToolTip { background: $raised; color: $text; border: 1px solid $border; padding: $p4 $p6; }

QTableView { background: $content; color: $text; border: 1px solid $border;
  border-radius: $p6; gridline-color: $border; outline: none;
  selection-background-color: $accentSoft; selection-color: $text; }
QTableView::item { padding: 0 $p6; border: none; }
QHeaderView { background: $content; border: none; }
QHeaderView::section { background: $content; color: $textSecondary; border: none;
  border-bottom: 1px solid $border; padding: $p6 $p8; font-size: $p12; font-weight: 600; }
QListView { background: transparent; border: none; outline: none; }
QSplitter::handle { background: $border; }
QScrollBar { background: transparent; border: none; margin: 0; }
QScrollBar:vertical { width: $p10; }
QScrollBar:horizontal { height: $p10; }
QScrollBar::handle { background: $border; border-radius: $p3; margin: $p2; }
QScrollBar::handle:vertical { min-height: $p32; }
QScrollBar::handle:horizontal { min-width: $p32; }
QScrollBar::handle:hover, QScrollBar::handle:pressed { background: $controlBorder; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
""")
