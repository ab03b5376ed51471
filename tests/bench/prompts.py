"""What the benchmarks ask: the same question at several depths, long answers wanted."""

from __future__ import annotations

from app.engine.protocol import Sampling

SHORT = "Give me three names for a small bakery."
N_CTX = 4608
N_STREAMED = 400
DEPTHS = (100, 1000, 4000)
_FILLER = "The lighthouse stood on the cliff, and the cat watched the grey sea all day long. "
_FILLER_TOKENS = 18
_ASK = "Write a very long story that begins with these words, with many scenes and people."
_FRAME_TOKENS = 60


def sampling_with(seed: int) -> Sampling:
    return Sampling(
        temperature=1.0, top_k=40, top_p=0.95, min_p=0.05, repeat_penalty=1.0, seed=seed
    )


def question(depth: int) -> str:
    """A question whose rendered prompt has about `depth` tokens (the starter's tokenizer)."""
    return _FILLER * max(0, (depth - _FRAME_TOKENS) // _FILLER_TOKENS) + _ASK
