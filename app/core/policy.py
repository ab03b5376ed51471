"""The policy behind every recommendation, as tables to read and to argue about.

`GRADES` says how much a variant loses, `POLICY` what is preferred to what, `CONCESSIONS` what is
given up first where memory is short. The code that applies them is `app.core.recommend`, and has
no opinions of its own.

Sources. Loss: the "LLaMA 3 8b Scoreboard" of llama.cpp's perplexity tool, mean KL divergence from
F16 (8-bit .0014, Q6_K .0055, Q5_K_M .0108, Q4_K_M .0313, IQ4_XS .0363, Q3_K_M .084, Q2_K .33); that
small models lose more at the same bits: its Llama 2 scorecharts, and "Scaling Laws for Precision"
(arXiv 2411.04330). QAT: Google's notes on Gemma 3 (half and more of what Q4_0 loses is trained
away). MXFP4: the model card of gpt-oss (published at 4 bits).
Speed: adults read 238 words a minute (Brysbaert 2019), which is 5.3 tokens per second; skimming
goes at twice that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.core.catalog_model import FileKind

READING_TPS = 5.5
COMFORTABLE_TPS = 12.0
CRAWLING_TPS = 2.0  # slower than that nobody waits for

# Of a GPU's free memory, what may be taken: the rest is for the prediction's error and the desktop.
# What other programs are left of the RAM, `app.core.fit.judging` says.
GPU_SHARE = 0.95
LEAST_CONTEXT = 2048  # tokens; less is of no use in a conversation

_B = 1_000_000_000
_QUANTIZED, _QAT, _ORIGINAL = FileKind.QUANTIZED, FileKind.QAT, FileKind.ORIGINAL


class Grade(StrEnum):
    """How much of the original is lost, best first."""

    WHOLE = "whole"
    ALMOST_NONE = "almost none"
    HARDLY_ANY = "hardly any"
    VERY_SMALL = "very small"
    SMALL = "small"
    SMALL_TIGHTER = "small, packed tighter"
    CLEAR = "clear"
    HEAVY = "heavy"
    BROKEN = "broken"


# By name; of variants of one grade the first that is named here is taken.
GRADES = {
    Grade.WHOLE: ("BF16", "F16", "F32"),
    Grade.ALMOST_NONE: ("Q8_0", "Q8_K_XL"),
    Grade.HARDLY_ANY: ("Q6_K", "Q6_K_L", "Q6_K_XL"),
    Grade.VERY_SMALL: ("Q5_K_M", "Q5_K_L", "Q5_K_XL", "Q5_K", "Q5_K_S", "Q5_1", "Q5_0"),
    Grade.SMALL: ("Q4_K_M", "Q4_K_XL", "Q4_K_L", "Q4_K", "MXFP4_MOE", "MXFP4"),
    Grade.SMALL_TIGHTER: ("IQ4_XS", "Q4_K_S", "IQ4_NL", "Q4_1", "Q4_0", "NVFP4"),
    Grade.CLEAR: ("Q3_K_M", "Q3_K_XL", "Q3_K_L", "IQ3_M", "Q3_K", "IQ3_S", "Q3_K_S", "IQ3_XS"),
    Grade.HEAVY: ("Q2_K_XL", "Q2_K_L", "Q2_K", "IQ3_XXS", "IQ2_M", "Q2_K_S", "IQ2_S"),
    Grade.BROKEN: ("IQ2_XS", "IQ2_XXS", "IQ1_M", "IQ1_S", "Q2_0", "TQ2_0", "TQ1_0", "Q1_0"),
}
# What the first model that somebody downloads may lose, unless it was trained for 4 bits.
WORTH_BEGINNING_WITH = tuple(GRADES)[: tuple(GRADES).index(Grade.SMALL) + 1]
# A variant with a name of its own: the least bits per weight of each grade.
LEAST_BPW = {
    Grade.WHOLE: 12.0,
    Grade.ALMOST_NONE: 7.5,
    Grade.HARDLY_ANY: 6.2,
    Grade.VERY_SMALL: 5.3,
    Grade.SMALL: 4.7,
    Grade.SMALL_TIGHTER: 4.2,
    Grade.CLEAR: 3.4,
    Grade.HEAVY: 2.6,
    Grade.BROKEN: 0.0,
}


class Place(StrEnum):
    FAST = "fast"  # every layer on the GPUs; in RAM, where there is no GPU
    ANY = "any"  # on GPUs and processor together


@dataclass(frozen=True, slots=True)
class Rule:
    """A candidate of this kind and grade is taken, if it gets that place and that speed.

    `from_params`: the smallest model that this rule is for; the fewer weights there are, the more
    each one's rounding shows.
    """

    kind: FileKind
    grade: Grade
    place: Place
    least_tps: float
    from_params: float = 0


# The first rule that a candidate satisfies decides.
POLICY = (
    # What was trained or published at 4 bits has no better variant that is worth its size.
    Rule(_ORIGINAL, Grade.SMALL, Place.ANY, CRAWLING_TPS),
    Rule(_QAT, Grade.SMALL_TIGHTER, Place.FAST, READING_TPS, from_params=0.9 * _B),
    Rule(_QAT, Grade.SMALL_TIGHTER, Place.ANY, COMFORTABLE_TPS, from_params=0.9 * _B),
    # The most bits that are comfortable, where the whole model is in fast memory.
    Rule(_QUANTIZED, Grade.ALMOST_NONE, Place.FAST, COMFORTABLE_TPS),
    Rule(_QUANTIZED, Grade.HARDLY_ANY, Place.FAST, COMFORTABLE_TPS),
    Rule(_QUANTIZED, Grade.VERY_SMALL, Place.FAST, COMFORTABLE_TPS),
    # The usual choice, and what is nearly as good, as long as it keeps up with a reader.
    Rule(_QUANTIZED, Grade.SMALL, Place.FAST, READING_TPS, from_params=1 * _B),
    Rule(_QUANTIZED, Grade.SMALL_TIGHTER, Place.FAST, READING_TPS, from_params=3 * _B),
    # Too large for the GPUs: spread over both, if that is still quick; else a large model may lose
    # a little more to stay where it is fast.
    Rule(_QUANTIZED, Grade.SMALL, Place.ANY, COMFORTABLE_TPS, from_params=1 * _B),
    Rule(_QUANTIZED, Grade.SMALL_TIGHTER, Place.ANY, COMFORTABLE_TPS, from_params=3 * _B),
    Rule(_QUANTIZED, Grade.CLEAR, Place.FAST, COMFORTABLE_TPS, from_params=20 * _B),
    Rule(_QAT, Grade.SMALL_TIGHTER, Place.ANY, CRAWLING_TPS, from_params=0.9 * _B),
    Rule(_QUANTIZED, Grade.SMALL, Place.ANY, READING_TPS, from_params=1 * _B),
    Rule(_QUANTIZED, Grade.SMALL_TIGHTER, Place.ANY, READING_TPS, from_params=3 * _B),
    # Slow whatever one does. Below 4 bits buys room, hardly speed, so the usual choice stands.
    Rule(_QUANTIZED, Grade.SMALL, Place.ANY, CRAWLING_TPS, from_params=1 * _B),
    Rule(_QUANTIZED, Grade.SMALL_TIGHTER, Place.ANY, CRAWLING_TPS, from_params=3 * _B),
    Rule(_QUANTIZED, Grade.CLEAR, Place.ANY, CRAWLING_TPS, from_params=20 * _B),
    # A model that is too small for 4 bits.
    Rule(_QUANTIZED, Grade.HARDLY_ANY, Place.ANY, CRAWLING_TPS),
    Rule(_QUANTIZED, Grade.VERY_SMALL, Place.ANY, CRAWLING_TPS),
    # Nothing else is there: a repository may have one variant only.
    Rule(_QUANTIZED, Grade.ALMOST_NONE, Place.ANY, CRAWLING_TPS),
    Rule(_QUANTIZED, Grade.WHOLE, Place.ANY, CRAWLING_TPS),
)
# Below the floor, tried when no rule above can be satisfied with any concession.
LAST_RESORTS = (
    Rule(_QAT, Grade.SMALL_TIGHTER, Place.ANY, CRAWLING_TPS),
    Rule(_QUANTIZED, Grade.SMALL, Place.ANY, CRAWLING_TPS),
    Rule(_QUANTIZED, Grade.SMALL_TIGHTER, Place.ANY, CRAWLING_TPS),
    Rule(_QUANTIZED, Grade.CLEAR, Place.ANY, CRAWLING_TPS, from_params=6 * _B),
    Rule(_QUANTIZED, Grade.HEAVY, Place.ANY, READING_TPS, from_params=30 * _B),
)
# The first model that somebody downloads: at this many tokens per second in the first row, or else
# in the next, with this share of its layers on the GPUs, where there are any.
BEGIN_TPS = (COMFORTABLE_TPS, READING_TPS)
BEGIN_GPU_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Concession:
    """The wanted context divided by `divisor`, kept as `kv_type`; `is_roomy`: other programs keep
    their share of the memory."""

    divisor: int
    kv_type: str
    is_roomy: bool


# From none on; q8_0 halves the context's memory at almost no loss (llama.cpp, pull request 7412).
CONCESSIONS = (
    Concession(1, "f16", True),
    Concession(1, "q8_0", True),
    Concession(2, "f16", True),
    Concession(2, "q8_0", True),
    Concession(1, "f16", False),
    Concession(1, "q8_0", False),
    Concession(2, "f16", False),
    Concession(2, "q8_0", False),
    Concession(4, "f16", False),
    Concession(4, "q8_0", False),
)


def grade_of(variant: str, bpw: float = 0.0) -> Grade:
    """By its name, or else by its bits per weight; "UD-" marks one maker's mixtures."""
    name = variant.upper().removeprefix("UD-")
    for grade, names in GRADES.items():
        if name in names:
            return grade
    if not bpw:
        return Grade.BROKEN
    return next(grade for grade, least in LEAST_BPW.items() if bpw >= least)


def order_of(variant: str) -> int:
    """Where the variant stands among those of its grade; ones with names of their own come last."""
    name = variant.upper().removeprefix("UD-")
    names = next((names for names in GRADES.values() if name in names), ())
    return names.index(name) if name in names else len(GRADES[Grade.CLEAR])
