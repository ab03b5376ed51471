"""The banner that says which variant to take, and why."""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout

from app.jobs.subjects import Assessed, Subject
from app.ui import words
from app.ui.controls import IconLabel, Surface, label, restyle
from app.ui.models_page.wording import one_line
from app.ui.theme import px, theme


class Advice(Surface):
    """Hidden where there is nothing to advise."""

    def __init__(self) -> None:
        super().__init__("advice")
        self._icon = IconLabel("recommended", "accentText", 20)
        self._words = label("", wrap=True)
        self._words.setTextFormat(Qt.TextFormat.RichText)
        self._words.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
        self._text = ""
        self._row = QHBoxLayout(self)
        self._row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        self._row.addWidget(self._words, 1)
        theme().changed.connect(self._place)
        self._place()
        self.hide()

    @property
    def text(self) -> str:
        return self._text

    def show_waiting(self) -> None:
        """The place is kept, so that nothing moves under the pointer when the advice comes."""
        self._text = ""
        text = self.tr("Looking at this computer, to say which one to take…")
        self._words.setText(f"{text}<br>&nbsp;")
        self._icon.show_icon("recommended", "accentText")
        self.setProperty("surface", "advice")
        restyle(self)
        self.setAccessibleName(self.tr("Advice"))
        self.setAccessibleDescription(text)
        self.show()

    def show_advice(self, subject: Subject, assessed: Assessed | None) -> None:
        if assessed is None or not assessed.reasons:
            self.hide()
            return
        is_good = assessed.pick is not None
        strong = subject.offers[assessed.pick].variant if is_good else ""
        lead = [self._lead(subject, assessed)] if is_good else []
        text = " ".join([*lead, *(words.translate(reason) for reason in assessed.reasons)])
        if not self.isHidden() and text == self._text:
            return
        self._text = text
        self._words.setText(_with_bold(text, strong))
        name, token = ("recommended", "accentText") if is_good else ("tight", "tight")
        self._icon.show_icon(name, token)
        self.setProperty("surface", "advice" if is_good else "warning")
        restyle(self)
        self.setAccessibleName(self.tr("Advice"))
        self.setAccessibleDescription(text)
        self.show()

    def _lead(self, subject: Subject, assessed: Assessed) -> str:
        """The first sentence: what to take, and what it needs."""
        assert assessed.pick is not None
        pick = assessed.assessments[assessed.pick]
        assert pick is not None
        text = self.tr("Take {variant}. It needs {need} of the {free} that are free.")
        if len(subject.offers) == 1:  # there is nothing to choose
            text = self.tr("It needs {need} of the {free} that are free.")
        return text.format(
            variant=one_line(subject.offers[assessed.pick].variant),
            need=words.size(pick.plan.total_bytes, 1),
            free=words.size(pick.plan.free_bytes, 1),
        )

    def _place(self) -> None:
        self._row.setContentsMargins(px(12), px(10), px(16), px(10))
        self._row.setSpacing(px(12))


def _with_bold(text: str, strong: str) -> str:
    """`text` as HTML that says what it says; the first `strong` in it stands out."""
    html = escape(text)
    strong = escape(one_line(strong))
    return html.replace(strong, f"<b>{strong}</b>", 1) if strong else html
