"""How the transcript looks: fonts, pixels and text formats for the theme and text size in force.

`look()` is cheap and gives the same object until the theme or the application's font changes;
whoever keeps formats made from an old one has to make them anew then.
"""

from __future__ import annotations

from functools import cache

from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QGuiApplication,
    QTextBlockFormat,
    QTextCharFormat,
    QTextFormat,
)

from app.ui import theme as themes

BOLD, ITALIC, STRIKE, CODE, TITLE, SMALL, HEADING = 1, 2, 4, 8, 16, 32, 64
QUOTE_STEP = 16
LIST_STEP = 28
CODE_PAD = 10
FIXED = QTextBlockFormat.LineHeightTypes.FixedHeight.value


class Look:
    """Fonts and formats. Pixels are given at the normal text size and scaled by `px`."""

    def __init__(self) -> None:
        body_px = themes.tokens()["type"][themes.BODY]["px"]
        self.is_dark = themes.theme().is_dark
        self.body = themes.font()
        self.scale = self.body.pixelSize() / body_px
        self.bold = themes.font(weight=600)
        self.title = themes.font(themes.TITLE, 600)
        self.small = themes.font(themes.SMALL)
        self.small_bold = themes.font(themes.SMALL, 600)
        self.figures = tabular(themes.font(themes.SMALL))
        self.body_figures = tabular(themes.font())
        self.figures_metrics = QFontMetricsF(self.body_figures)
        self.code = themes.font(themes.CODE)
        names = themes.tokens()["themes"][themes.theme().name]["colors"]
        self.colors = {name: themes.theme().color(name) for name in names}
        self._chars: dict[tuple[int, str], QTextCharFormat] = {}
        self._syntax: dict[str, QTextCharFormat] = {}
        self._blocks: dict[tuple[int, ...], QTextBlockFormat] = {}
        self.code_width = QFontMetricsF(self.code).horizontalAdvance(" ")
        self.char_width = QFontMetricsF(self.body).averageCharWidth()

    def px(self, pixels: float) -> int:
        return round(pixels * self.scale)

    def color(self, token: str) -> QColor:
        return self.colors[token]

    def char(self, flags: int = 0, token: str = "text", href: str = "") -> QTextCharFormat:
        """The format of a run of text: a sum of flags, a colour, a place it leads to."""
        if href:
            return self._make_link(flags, href)
        made = self._chars.get((flags, token))
        if made is None:
            made = self._chars[flags, token] = self._make_char(flags, token)
        return made

    def syntax(self, token: str) -> QTextCharFormat:
        """Only a colour, to lay over code."""
        made = self._syntax.get(token)
        if made is None:
            made = self._syntax[token] = QTextCharFormat()
            made.setForeground(self.colors[token])
        return made

    def _make_char(self, flags: int, token: str) -> QTextCharFormat:
        result = QTextCharFormat()
        result.setFont(self._font(flags))
        result.setForeground(self.colors[token])
        result.setFontStrikeOut(bool(flags & STRIKE))
        return result

    def _make_link(self, flags: int, href: str) -> QTextCharFormat:
        result = self._make_char(flags, "accentText")
        result.setAnchor(True)
        result.setAnchorHref(href)
        result.setFontUnderline(True)
        return result

    def _font(self, flags: int) -> QFont:
        base = self.body
        if flags & CODE:
            base = self.code
        elif flags & TITLE:
            base = self.title
        elif flags & SMALL:
            base = self.small
        result = QFont(base)
        if flags & (BOLD | HEADING):
            result.setWeight(QFont.Weight.DemiBold)
        if flags & ITALIC:
            result.setItalic(True)
        return result

    def block(
        self,
        line: int = 22,
        gap: int = 0,
        depth: int = 0,
        quotes: int = 0,
        align: int = 0,
        inset: int = 0,
    ) -> QTextBlockFormat:
        """The format of a paragraph: line height, space above, list and quote levels around it."""
        key = (line, gap, depth, quotes, align, inset)
        made = self._blocks.get(key)
        if made is None:
            made = self._blocks[key] = self._make_block(*key)
        return made

    def _make_block(
        self, line: int, gap: int, depth: int, quotes: int, align: int, inset: int
    ) -> QTextBlockFormat:
        result = QTextBlockFormat()
        result.setLineHeight(self.px(line), FIXED)
        result.setTopMargin(self.px(gap))
        result.setIndent(depth)
        result.setLeftMargin(quotes * self.px(QUOTE_STEP) + self.px(inset))
        if align:
            result.setProperty(QTextFormat.Property.BlockAlignment.value, align)
        return result


def tabular(font: QFont) -> QFont:
    """`font` with figures of equal width, where Qt can ask for them."""
    if hasattr(QFont, "setFeature"):
        font.setFeature(QFont.Tag("tnum"), 1)
    return font


@cache
def _look(theme_name: str, font: str) -> Look:  # noqa: ARG001 - the cache's key
    return Look()


def look() -> Look:
    """The look for the theme and the text size in force."""
    return _look(themes.theme().name, QGuiApplication.font().key())
