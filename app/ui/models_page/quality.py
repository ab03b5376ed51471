"""What a variant loses, in two or three words for the table, and where that is known from."""

from __future__ import annotations

import re

from PySide6.QtCore import QCoreApplication

from app.core.catalog import FileKind

translate = QCoreApplication.translate
# By mean KL divergence from F16 as llama.cpp publishes it for Llama 3 8B (tools/quantize and
# tools/perplexity, README.md): below .002, .008, .02, .045, .12, and above.
_STEPS = (
    (r"Q8_0|Q8_K", 1),
    (r"Q6_K|Q7_\d", 2),
    (r"Q5_", 3),
    (r"Q4_|IQ4_|MXFP4|NVFP4", 4),
    (r"Q3_|IQ3_", 5),
    (r"Q2_|IQ2_|IQ1_|TQ\d_|Q1_", 6),
)
_WHOLE = re.compile(r"BF16|F16|F32|F64")


def words_of(variant: str, kind: FileKind = FileKind.QUANTIZED) -> str:
    """ "" where nothing is known."""
    if kind is FileKind.ORIGINAL:
        return translate("Quality", "As published")
    if kind is FileKind.QAT:
        return translate("Quality", "Trained for 4 bits")
    name = variant.upper()
    if _WHOLE.search(name):
        return translate("Quality", "No loss")
    step = next((step for pattern, step in _STEPS if re.search(rf"(?<![A-Z]){pattern}", name)), 0)
    return _texts()[step]


def _texts() -> tuple[str, ...]:
    return (
        "",
        translate("Quality", "Almost no loss"),
        translate("Quality", "Hardly any loss"),
        translate("Quality", "Very small loss"),
        translate("Quality", "Small loss"),
        translate("Quality", "Clear loss"),
        translate("Quality", "Heavy loss"),
    )
