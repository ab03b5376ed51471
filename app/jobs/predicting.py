"""What a load will take and how fast it will write, from the file's header: no Qt, any thread.

Imported when the first prediction is made, on the thread that makes it: reading headers and laying
out memory is a sixth of the program, and the window is to be there before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from app import paths
from app.core import hardware
from app.core.attempts import settled
from app.core.errors import ModelFileError
from app.core.fit import MemoryPlan, ModelShape, Use, plan, shape_of
from app.core.fit.cache import cache_bytes, setup_for
from app.core.hardware import Hardware
from app.core.measured import Taken, taken_of
from app.core.speed import predict_tps
from app.engine.protocol import Load
from quantize.errors import GgufError
from quantize.gguf_split import read_model


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a load will take, and how fast the model will write. `draft`: of it, what the small
    model that guesses will."""

    plan: MemoryPlan
    tps: float
    shape: ModelShape
    flash_attn: str
    draft: Taken | None = None

    @property
    def taken(self) -> Taken:
        own, draft = taken_of(self.plan), self.draft
        if draft is None:
            return own
        return Taken(
            own.weights_bytes + draft.weights_bytes,
            own.kv_bytes + draft.kv_bytes,
            own.compute_bytes + draft.compute_bytes,
        )

    def kv_bytes(self, kv_type: str, n_ctx: int) -> int:
        """What a context of `n_ctx` tokens would keep of them in `kv_type`, this load otherwise."""
        use = Use(n_ctx, kv_type, self.plan.n_gpu_layers, self.flash_attn)
        return sum(cache_bytes(self.shape, setup_for(self.shape, use, bool(use.n_gpu_layers))))


def predict(load: Load, known: Hardware | None) -> Prediction:
    """What `load` will take of what is free now. The speed is what the formulas alone say, so that
    what is kept of it corrects them and not itself. Raises ModelFileError."""
    now = hardware.measure(paths.models_dir())
    if known is not None:
        now = replace(known, ram_available_bytes=now.ram_available_bytes)
    shape = _shape(load.path)
    use = Use(load.n_ctx, load.kv_type, load.n_gpu_layers, load.flash_attn)
    use = settled(shape, use, now)
    planned = plan(shape, use, now)
    tps = predict_tps(shape, use, planned, now)
    draft = taken_of(plan(_shape(load.draft_path), use, now)) if load.draft_path else None
    return Prediction(planned, tps, shape, load.flash_attn, draft)


def _shape(path: str) -> ModelShape:
    try:
        return shape_of(read_model(Path(path)))
    except GgufError as error:
        raise ModelFileError(error.text, error.hint, error.detail) from error
