"""Which variants the table offers, and what it says of each. The words are the quantizer's."""

from __future__ import annotations

from app.ui.words import translate
from quantize import variants

LADDER = tuple(each.name for each in variants.LADDER)
ALL_TYPES = tuple(each.file_type.name for each in variants.VARIANTS)
_WORDS = {each.file_type.name: each.words for each in variants.VARIANTS}


def words_of(type_name: str) -> str:
    return translate(_WORDS[type_name]) if type_name in _WORDS else ""
