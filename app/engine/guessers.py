"""Which guessers a loaded model gets, and what a pass of several tokens costs it."""

from __future__ import annotations

from app.core.errors import QT_TRANSLATE_NOOP, AppError, Message
from app.engine.context import Context
from app.engine.drafting import DraftModel
from app.engine.guesser import Guesser
from app.engine.guessing import Guessing
from app.engine.lookup import Lookup
from app.engine.model import Model, NativeLog
from app.engine.native import StopFlag
from app.engine.pace import FLOAT_ON_CPU, ON_GPU, PassCosts
from app.engine.protocol import Load

_FLOATS = frozenset({"F32", "F16", "BF16"})


def guessing_for(
    load: Load, model: Model, context: Context, log: NativeLog, stop: StopFlag
) -> tuple[Guessing, Message | None]:
    """The guessing for `model`, and a sentence where the draft model asked for cannot be used."""
    guessers: list[Guesser] = [Lookup()] if load.lookup else []
    costs = pass_costs(load, model, context) if context.n_outputs > 1 else ()
    notice = None
    if load.draft_path and not costs:
        notice = _unused(QT_TRANSLATE_NOOP("engine", "With this model it would not be faster."))
    elif load.draft_path:
        try:
            guessers.append(DraftModel(load, model, log, stop))
        except AppError as error:
            notice = _unused(error.text)
    return Guessing(guessers, costs), notice


def pass_costs(load: Load, model: Model, context: Context) -> PassCosts:
    """As measured, else as they usually are; () where several tokens are not to share a pass.

    On the CPU, quantized weights round otherwise in a pass over many tokens than in single ones
    (logits differ by up to 1), so that guessing would change the text, and it costs almost as much
    as they do. Only as far as a measurement has found neither, such a model's tokens are guessed.
    """
    if load.pass_costs:
        return load.pass_costs
    if context.on_gpu:
        return ON_GPU
    return FLOAT_ON_CPU if _is_float(model) else ()


def _is_float(model: Model) -> bool:
    return model.header.variant in _FLOATS


def _unused(reason: Message) -> Message:
    return QT_TRANSLATE_NOOP("engine", "The draft model is not used. {reason}").fill(
        reason=str(reason)
    )
