"""What Hugging Face's decoder makes of one token.

llama.cpp takes control and user-defined tokens as they stand, so the official converter replaces
each added token by its own decoded text. In real tokenizers this changes few: "▁▁" becomes two
spaces, and a token that is written in byte-level letters ("Ġ") becomes the bytes it stands for.

Source: tokenizers 0.23, decoders/ and pre_tokenizers/{byte_level,metaspace}.rs.
"""

from __future__ import annotations

import re
from pathlib import Path

from quantize.tokenizer import errors
from quantize.tokenizer.bytelevel import BYTE_OF_LETTER
from quantize.tokenizer.files import Pattern, Step

_BYTE_TOKEN = re.compile("<0x([0-9A-Fa-f]{2})>")


def decode_token(path: Path, decoder: Step | None, token: str) -> str:
    """The text of `token` alone. Raises UnsupportedError for a decoder that is not known."""
    if decoder is None or decoder.type == "Fuse":
        return token
    if decoder.type == "Sequence":
        for step in decoder.decoders:
            token = decode_token(path, step, token)
        return token
    if decoder.type == "Replace":
        return _replaced(path, decoder, token)
    simple = _SIMPLE.get(decoder.type)
    if simple is None:
        raise errors.unknown_kind(path, f"decoder {decoder.type}")
    return simple(decoder, token)


def _replaced(path: Path, decoder: Step, token: str) -> str:
    pattern = decoder.pattern
    if not isinstance(pattern, Pattern) or not pattern.text:
        raise errors.unknown_kind(path, "decoder with an expression")
    return token.replace(pattern.text, decoder.content)


def _byte_level(_: Step, token: str) -> str:
    if not all(letter in BYTE_OF_LETTER for letter in token):
        return token
    return bytes(BYTE_OF_LETTER[letter] for letter in token).decode("utf-8", "replace")


def _byte_fallback(_: Step, token: str) -> str:
    found = _BYTE_TOKEN.fullmatch(token)
    return bytes.fromhex(found[1]).decode("utf-8", "replace") if found else token


def _strip(decoder: Step, token: str) -> str:
    for _ in range(min(decoder.start, len(token))):
        token = token.removeprefix(decoder.content)
    for _ in range(min(decoder.stop, len(token))):
        token = token.removesuffix(decoder.content)
    return token


def _metaspace(decoder: Step, token: str) -> str:
    return token.replace(decoder.replacement, " " if decoder.prepend_scheme == "never" else "")


_SIMPLE = {
    "ByteLevel": _byte_level,
    "ByteFallback": _byte_fallback,
    "Strip": _strip,
    "Metaspace": _metaspace,
}
