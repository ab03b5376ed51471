"""The small widgets the window is put together from. They know looks and keys, no meaning."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from app.ui import icons
from app.ui.theme import SMALL, font, px, theme, tokens


def label(
    text: str = "", step: str = "body", tone: str = "", *, strong: bool = False, wrap: bool = False
) -> QLabel:
    """A plain-text label in one of the type steps and colours of the tokens."""
    result = QLabel(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setWordWrap(wrap)
    result.setProperty("step", step)
    result.setProperty("tone", tone)
    result.setProperty("strong", strong)
    return result


def tag(text: str, kind: str = "plain") -> QLabel:
    """A short word on a grey ground, or a key cap (`kind` "key")."""
    result = label(text, "small")
    result.setProperty("tag", kind)
    result.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return result


def set_text(widget: QLabel, text: str) -> None:
    """Set a label's text only where it changed: a changed label lays its neighbours out again."""
    if widget.text() != text:
        widget.setText(text)


def button(text: str, kind: str = "", *, small: bool = False) -> QPushButton:
    """A push button; `kind` is "primary", "danger", "link", "fold" or nothing."""
    result = QPushButton(text)
    result.setProperty("kind", kind)
    if small:
        result.setProperty("compact", True)
    result.setAutoDefault(False)
    if kind == "link":
        result.setCursor(Qt.CursorShape.PointingHandCursor)
    return result


def set_icon(widget: QAbstractButton, name: str, token: str = "text") -> None:
    """Put one of the line icons before a button's text. Call it again when the theme changes."""
    side, gap = px(16), px(6)
    widget.setIcon(icons.leading(name, token, side, gap))
    widget.setIconSize(QSize(side + gap, side))


def restyle(widget: QWidget) -> None:
    """Take up a changed dynamic property."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)


class Surface(QFrame):
    """A frame that paints its ground: "content", "sidebar", "card" or "none"."""

    def __init__(self, surface: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("surface", surface)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)


class Hairline(Surface):
    """A line of one pixel between two areas."""

    def __init__(self, orientation: Qt.Orientation = Qt.Orientation.Horizontal) -> None:
        super().__init__("line")
        if orientation is Qt.Orientation.Horizontal:
            self.setFixedHeight(1)
        else:
            self.setFixedWidth(1)


class IconLabel(QLabel):
    """One of the line icons, in the colour of a token."""

    def __init__(self, name: str, token: str = "textSecondary", size_px: int = 16) -> None:
        super().__init__()
        self._name, self._token, self._size_px = name, token, size_px
        theme().changed.connect(self._draw)
        self._draw()

    def show_icon(self, name: str, token: str) -> None:
        if (name, token) != (self._name, self._token):
            self._name, self._token = name, token
            self._draw()

    def _draw(self) -> None:
        self.setPixmap(icons.pixmap(self._name, self._token, px(self._size_px)))


class IconButton(QToolButton):
    """A square button with an icon; its name is its tool tip and what a screen reader says."""

    def __init__(
        self, icon_name: str, name: str, *, token: str = "textSecondary", icon_px: int = 16
    ) -> None:
        super().__init__()
        self._icon_name, self._token, self._icon_px = icon_name, token, icon_px
        self.setProperty("kind", "icon")
        self.rename(name)
        theme().changed.connect(self._restyle)
        self._restyle()

    def rename(self, name: str, keys: str = "") -> None:
        self.setAccessibleName(name)
        self.setToolTip(f"{name} ({keys})" if keys else name)

    def _restyle(self) -> None:
        size = px(self._icon_px)
        self.setIcon(icons.icon(self._icon_name, self._token, "accentText", size))
        self.setIconSize(QSize(size, size))
        self.setFixedSize(px(28), px(28))


class ElidedLabel(QLabel):
    """One line that gives way: cut with an ellipsis for want of room, whole in the tool tip."""

    def __init__(
        self, text: str = "", mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight
    ) -> None:
        super().__init__(text)
        self._mode = mode
        self.setProperty("step", "body")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)

    def minimumSizeHint(self) -> QSize:
        return QSize(px(24), super().minimumSizeHint().height())

    def sizeHint(self) -> QSize:
        hint = super().sizeHint()
        return QSize(hint.width() + 1, hint.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        area = self.contentsRect()
        text = QFontMetrics(self.font()).elidedText(self.text(), self._mode, area.width())
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(area, int(self.alignment()) | Qt.TextFlag.TextSingleLine, text)
        self.setToolTip(self.text() if text != self.text() else "")


class LayoutButton(QPushButton):
    """A push button that holds labels in a row and is as large as they need."""

    def __init__(self, spacing: int = 8, margins: tuple[int, int] = (12, 12)) -> None:
        super().__init__()
        self.setAutoDefault(False)
        self._row = QHBoxLayout(self)
        self._row.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        self._row.setSpacing(spacing)
        self._margins = margins
        theme().changed.connect(self._place)
        self._place()

    def add(self, widget: QWidget, stretch: int = 0) -> None:
        widget.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._row.addWidget(widget, stretch)

    def _place(self) -> None:
        left, right = self._margins
        self._row.setContentsMargins(px(left), 0, px(right), 0)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        return QSize(self._row.sizeHint().width(), px(32))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._row.minimumSize().width(), px(32))


class Badge(QWidget):
    """An icon and a word on the ground of one of the states "fits", "tight", "doesNotFit"."""

    def __init__(self) -> None:
        super().__init__()
        self._state, self._text = "fits", ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self._restyle)

    def show_state(self, state: str, text: str) -> None:
        """`state` as in the tokens, or "" for a neutral ground without an icon."""
        self._state, self._text = state, text
        self.setAccessibleName(text)
        self._restyle()

    def _restyle(self) -> None:
        self.setFont(badge_font())
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(badge_width(self._state, self._text), px(20))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(self.font())
        paint_badge(painter, self.rect(), self._state, self._text)


def badge_font() -> QFont:
    return font(SMALL, 600)


def badge_width(state: str, text: str) -> int:
    """What a badge with this text needs."""
    width = QFontMetrics(badge_font()).horizontalAdvance(text) + px(16)
    return width + (px(18) if state else 0)


def paint_badge(painter: QPainter, area: QRect, state: str, text: str) -> None:
    """A badge that fills `area`, in the painter's font."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    ground = f"{state}Background" if state else "track"
    painter.setBrush(theme().color(ground))
    painter.drawRoundedRect(area, area.height() / 2, area.height() / 2)
    left = px(8)
    if state:
        side = px(14)
        name = tokens()["states"][state]["icon"]
        place = QPointF(area.x() + px(6), area.y() + (area.height() - side) / 2)
        painter.drawPixmap(place, icons.pixmap(name, state, side))
        left = px(24)
    painter.setPen(theme().color(state or "textSecondary"))
    middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
    painter.drawText(area.adjusted(left, 0, 0, 0), middle, text)


class Centered(QWidget):
    """Keeps one widget in the middle and no wider than `max_px`; is hidden when that is.

    Pixels are those of the drawings: `margin_px` at the sides, `gap_px` above.
    """

    def __init__(self, content: QWidget, max_px: int, margin_px: int = 24, gap_px: int = 0) -> None:
        super().__init__()
        self._content, self._max_px = content, max_px
        self._margin_px, self._gap_px = margin_px, gap_px
        self._row = QHBoxLayout(self)
        self._row.setSpacing(0)
        self._row.addStretch(1)
        self._row.addWidget(content, 1_000)
        self._row.addStretch(1)
        content.installEventFilter(self)
        if content.isHidden():  # shown, it would be a window until it has a parent
            self.hide()
        theme().changed.connect(self._place)
        self._place()

    def set_max(self, max_px: int) -> None:
        self._max_px = max_px
        self._place()

    def _place(self) -> None:
        margin = px(self._margin_px)
        self._row.setContentsMargins(margin, px(self._gap_px), margin, 0)
        self._content.setMaximumWidth(px(self._max_px))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShowToParent:
            self.show()
        elif event.type() == QEvent.Type.HideToParent:
            self.hide()
        return False
