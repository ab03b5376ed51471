"""Which variants the table offers, and what it says of each."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

translate = QCoreApplication.translate
_WORDS = {
    "Q8_0": "Almost no loss. The safe choice where memory allows",
    "Q6_K": "Hardly any loss",
    "Q5_K_M": "Very small loss",
    "Q4_K_M": "Small loss, quick answers: the usual choice",
    "IQ4_XS": "Like Q4_K_M, a little smaller, slower to make",
    "Q3_K_M": "Clear loss; when memory is short",
    "Q2_K": "Heavy loss; a smaller model is often better",
}
ALL_TYPES = tuple(_WORDS)


def words_of(type_name: str) -> str:
    return _WORDS.get(type_name, "")
