"""The columns of the table of variants: their headings, and widths in the font there is."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QFontMetrics

from app.core.fit import Fit
from app.ui import words
from app.ui.controls import badge_width
from app.ui.theme import BODY, CODE, SMALL, font, px

translate = QCoreApplication.translate
NAME, COLUMN_GAP = 64, 24  # pixels of the drawings: where the names begin, and between columns
_LEAST = (88, 66, 99, 166, 76, 76)
_LONGEST_NAME = "IQ3_XXS"
_MARK_PX = 24  # the mark of what is recommended, and the space before it


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths as drawn, or as the words need."""

    name: int
    file: int
    bpw: int
    bar: int
    badge: int
    time: int

    @property
    def widths(self) -> tuple[int, ...]:
        return (self.name, self.file, self.bpw, self.bar, self.badge, self.time)

    @property
    def end(self) -> int:
        return px(NAME) + sum(self.widths) + (len(self.widths) - 1) * px(COLUMN_GAP)


def headings() -> tuple[str, ...]:
    """Variant, file, bits, memory, fit, time, words."""
    return (
        translate("VariantTable", "Variant"),
        translate("VariantTable", "File"),
        translate("VariantTable", "Bits per weight"),
        translate("VariantTable", "Predicted memory"),
        translate("VariantTable", "Fit"),
        translate("VariantTable", "Time here"),
        translate("VariantTable", "In words"),
    )


def fit_name(fit: Fit) -> str:
    names = {
        Fit.FITS: translate("VariantTable", "Fits"),
        Fit.TIGHT: translate("VariantTable", "Tight"),
        Fit.DOES_NOT_FIT: translate("VariantTable", "Does not fit"),
    }
    return names[fit]


def free_words(free_bytes: int) -> str:
    return translate("VariantTable", "{size} free").format(size=words.size(free_bytes, 1))


def measure() -> Columns:
    """In the fonts in force."""
    body, code = QFontMetrics(font(BODY)), QFontMetrics(font(CODE, 500))
    bold, small = QFontMetrics(font(SMALL, 600)), QFontMetrics(font(SMALL))
    needs = [bold.horizontalAdvance(heading) for heading in headings()[:-1]]
    needs[0] = code.horizontalAdvance(_LONGEST_NAME) + px(_MARK_PX)
    needs[1] = max(needs[1], body.horizontalAdvance(words.size(88.8e9)))
    needs[3] += px(12) + small.horizontalAdvance(free_words(88_800_000_000))
    needs[4] = max(needs[4], *(badge_width(fit.value, fit_name(fit)) for fit in Fit))
    needs[5] = max(needs[5], body.horizontalAdvance(words.duration(58 * 60 + 58)))
    return Columns(*(max(px(least), need) for least, need in zip(_LEAST, needs, strict=True)))
