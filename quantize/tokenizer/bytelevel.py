"""The printable letters that byte-level tokenizers write bytes as (GPT-2's table).

Source: tokenizers 0.23, pre_tokenizers/byte_level.rs (bytes_char).
"""

from __future__ import annotations

_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_OTHERS = (n for n in range(256) if n not in _PRINTABLE)

LETTER_OF_BYTE: dict[int, str] = {
    **{n: chr(n) for n in _PRINTABLE},
    **{n: chr(256 + at) for at, n in enumerate(_OTHERS)},
}
BYTE_OF_LETTER: dict[str, int] = {letter: n for n, letter in LETTER_OF_BYTE.items()}


def to_letters(text: str) -> str:
    """`text`'s UTF-8 bytes as letters."""
    return "".join(LETTER_OF_BYTE[n] for n in text.encode("utf-8"))
