"""Every variant that the installed llama.cpp can make, in plain words.

`bpw` is what a model of Llama-3.1-8B's shape comes to (all tensors, an importance matrix at hand);
the plan has the exact figure for the model in question. Left out: NVFP4, which this llama.cpp
reads but does not make.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from quantize.errors import UnsupportedError
from quantize.messages import QT_TRANSLATE_NOOP, Message
from quantize.types import FileType


@dataclass(frozen=True, slots=True)
class Variant:
    """`needs_imatrix`: without an importance matrix the result would be garbage."""

    file_type: FileType
    bpw: float
    words: Message
    needs_imatrix: bool = False


VARIANTS = (
    Variant(
        FileType.Q8_0,
        8.50,
        QT_TRANSLATE_NOOP("variants", "Almost no loss. The safe choice where memory allows"),
    ),
    Variant(
        FileType.Q4_K_M,
        4.89,
        QT_TRANSLATE_NOOP("variants", "Small loss, quick answers: the usual choice"),
    ),
    Variant(FileType.Q6_K, 6.56, QT_TRANSLATE_NOOP("variants", "Hardly any loss")),
    Variant(FileType.Q5_K_M, 5.70, QT_TRANSLATE_NOOP("variants", "Very small loss")),
    Variant(FileType.Q5_K_S, 5.57, QT_TRANSLATE_NOOP("variants", "Like Q5_K_M, a little smaller")),
    Variant(FileType.Q4_K_S, 4.67, QT_TRANSLATE_NOOP("variants", "Like Q4_K_M, a little smaller")),
    Variant(
        FileType.IQ4_NL,
        4.65,
        QT_TRANSLATE_NOOP("variants", "Like Q4_K_S, for models with odd row lengths"),
    ),
    Variant(
        FileType.IQ4_XS,
        4.42,
        QT_TRANSLATE_NOOP("variants", "Like Q4_K_M, a little smaller, slower to make"),
    ),
    Variant(
        FileType.Q3_K_L, 4.30, QT_TRANSLATE_NOOP("variants", "Clear loss; the largest of 3 bits")
    ),
    Variant(
        FileType.Q3_K_M, 4.00, QT_TRANSLATE_NOOP("variants", "Clear loss; when memory is short")
    ),
    Variant(
        FileType.IQ3_M,
        3.76,
        QT_TRANSLATE_NOOP("variants", "Clear loss, less than Q3_K_S; answers slowly without a GPU"),
    ),
    Variant(
        FileType.IQ3_S,
        3.66,
        QT_TRANSLATE_NOOP("variants", "Like IQ3_M, a little smaller; slow without a GPU"),
    ),
    Variant(FileType.Q3_K_S, 3.64, QT_TRANSLATE_NOOP("variants", "Clear loss; small and quick")),
    Variant(
        FileType.IQ3_XS,
        3.50,
        QT_TRANSLATE_NOOP("variants", "Clear loss; as good as 3.5 bits get, slow without a GPU"),
        needs_imatrix=True,
    ),
    Variant(
        FileType.IQ3_XXS,
        3.25,
        QT_TRANSLATE_NOOP("variants", "Large loss, less than Q2_K; slow without a GPU"),
        needs_imatrix=True,
    ),
    Variant(
        FileType.Q2_K,
        3.16,
        QT_TRANSLATE_NOOP("variants", "Heavy loss; a smaller model is often better"),
    ),
    Variant(
        FileType.Q2_K_S,
        2.97,
        QT_TRANSLATE_NOOP("variants", "Heavy loss; like Q2_K, a little smaller"),
        needs_imatrix=True,
    ),
    Variant(
        FileType.IQ2_M,
        2.93,
        QT_TRANSLATE_NOOP("variants", "Heavy loss; to get a very large model to run at all"),
        needs_imatrix=True,
    ),
    Variant(
        FileType.IQ2_S,
        2.74,
        QT_TRANSLATE_NOOP("variants", "Heavy loss; a little smaller than IQ2_M"),
        needs_imatrix=True,
    ),
    Variant(
        FileType.IQ2_XS,
        2.59,
        QT_TRANSLATE_NOOP("variants", "Very heavy loss; only for the largest models"),
        needs_imatrix=True,
    ),
    Variant(
        FileType.IQ2_XXS,
        2.38,
        QT_TRANSLATE_NOOP("variants", "Very heavy loss; smaller than IQ2_XS"),
        needs_imatrix=True,
    ),
    Variant(
        FileType.IQ1_M,
        2.15,
        QT_TRANSLATE_NOOP("variants", "Mostly an experiment; often breaks a model"),
        needs_imatrix=True,
    ),
    Variant(
        FileType.IQ1_S,
        2.00,
        QT_TRANSLATE_NOOP("variants", "The smallest there is; breaks most models"),
        needs_imatrix=True,
    ),
    Variant(
        FileType.TQ2_0,
        2.52,
        QT_TRANSLATE_NOOP("variants", "Only for models trained with three-valued weights (BitNet)"),
    ),
    Variant(
        FileType.TQ1_0,
        2.19,
        QT_TRANSLATE_NOOP("variants", "Three-valued weights packed tighter; slower than TQ2_0"),
    ),
    Variant(
        FileType.Q2_0,
        2.68,
        QT_TRANSLATE_NOOP("variants", "Only for models trained with two-bit weights"),
    ),
    Variant(
        FileType.Q1_0,
        1.48,
        QT_TRANSLATE_NOOP("variants", "Only for models trained with one-bit weights"),
    ),
    Variant(
        FileType.MXFP4_MOE,
        8.50,
        QT_TRANSLATE_NOOP("variants", "Experts in 4 bits, all else Q8_0: for mixtures of experts"),
    ),
    Variant(FileType.Q5_1, 6.04, QT_TRANSLATE_NOOP("variants", "An old kind; Q5_K_M is better")),
    Variant(FileType.Q5_0, 5.59, QT_TRANSLATE_NOOP("variants", "An old kind; Q5_K_S is better")),
    Variant(FileType.Q4_1, 5.10, QT_TRANSLATE_NOOP("variants", "An old kind; Q4_K_M is better")),
    Variant(
        FileType.Q4_0,
        4.65,
        QT_TRANSLATE_NOOP("variants", "An old kind, quick on phones; Q4_K_S is better"),
    ),
    Variant(
        FileType.BF16, 16.0, QT_TRANSLATE_NOOP("variants", "As most models are published; no loss")
    ),
    Variant(
        FileType.F16,
        16.0,
        QT_TRANSLATE_NOOP("variants", "Half precision; no loss that matters, runs everywhere"),
    ),
    Variant(
        FileType.F32, 32.0, QT_TRANSLATE_NOOP("variants", "Full precision; for measuring against")
    ),
)

# What the window offers, from the largest to the smallest.
LADDER = (
    *(FileType.Q8_0, FileType.Q6_K, FileType.Q5_K_M, FileType.Q4_K_M),
    *(FileType.IQ4_XS, FileType.Q3_K_M, FileType.Q2_K),
)

BY_TYPE = {variant.file_type: variant for variant in VARIANTS}
_BY_NAME = {variant.file_type.name.upper(): variant.file_type for variant in VARIANTS}


def parse_type(name: str) -> FileType:
    """The variant called `name`, upper or lower case, with or without MOSTLY_.

    Raises UnsupportedError that names those spelled alike.
    """
    wanted = name.strip().upper().removeprefix("MOSTLY_")
    if wanted in _BY_NAME:
        return _BY_NAME[wanted]
    near = difflib.get_close_matches(wanted, _BY_NAME, n=4, cutoff=0.5)
    text = _UNKNOWN.fill(name=name)
    hint = _MEANT.fill(names=", ".join(near)) if near else _LISTED
    raise UnsupportedError(Path(name), text, hint)


_UNKNOWN = QT_TRANSLATE_NOOP("variants", "There is no variant called “{name}”.")
_MEANT = QT_TRANSLATE_NOOP("variants", "Did you mean {names}? “--list-types” names them all.")
_LISTED = QT_TRANSLATE_NOOP("variants", "“--list-types” names them all.")
