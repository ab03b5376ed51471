"""Whether a model's numbers can be used: a broken file computes values that are none.

One weight that is not a number makes all of them so within a pass, and samplers, which sort and
add them, then do anything at all. So they are looked at once when a model is loaded, and at every
token that is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from app.core.errors import QT_TRANSLATE_NOOP, ModelFileError
from app.engine.native import lib


def last_logits(context: Any, n_vocab: int) -> Sequence[float]:
    """Those of the last token of the last pass that has any."""
    return list(lib.llama_get_logits_ith(context, -1)[:n_vocab])


def check_all(context: Any, n_vocab: int) -> None:
    """Look at every logit of the last token of the last pass. Raises ModelFileError.

    A logit may be -inf, for a token that is never written, but they cannot all be the same:
    quantized weights make nought of what is no number.
    """
    values = last_logits(context, n_vocab)
    total = sum(values)
    if math.isnan(total) or total == math.inf or min(values) == max(values):
        raise broken()


def broken() -> ModelFileError:
    return ModelFileError(
        QT_TRANSLATE_NOOP("engine", "This file’s numbers are broken: the model computes nothing."),
        QT_TRANSLATE_NOOP("engine", "Get the file again, or choose another variant of the model."),
    )
