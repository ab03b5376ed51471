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


# --- rewriting --------------------------------------------------------------------------------

LETTER = (
    "Dear Anna, thank you for your letter of last week, which arrived on the same day as the first "
    "snow. The road to the village is closed now, and the bus only comes twice a day, so I have "
    "had time to look through the boxes in the attic as you asked me to. There are eleven of them. "
    "Three hold nothing but old newspapers, and I have put those beside the stove. Two are full of "
    "your father's tools, which are rusty but can be cleaned with oil and a little patience. The "
    "largest box has the blue plates that our grandmother brought from the coast, wrapped in "
    "towels, and only one of them is broken. I counted twenty four plates and nineteen cups. In "
    "the small wooden box I found the photographs of the house before the fire, with the tall "
    "pear tree next to the gate and the dog asleep on the steps. I will send them to you as soon "
    "as the post office opens again. The roof needs some work before spring. The carpenter came "
    "on Tuesday, looked at the beams for a long time and said that two of them must be replaced, "
    "which will cost about four hundred in all. He can begin in March if we give him an answer "
    "before the end of the month. Please tell me what you think, and ask your brother as well, "
    "since half of the house belongs to him. The garden sleeps under the snow, but the hens still "
    "lay two eggs a day, and the cat has found a warm place behind the oven. Everyone here asks "
    "about you. Old Mister Keller sends his regards and says that the river will freeze before "
    "Sunday. I hope that your new work goes well and that you will visit us at Easter. With love, "
    "your cousin Martha."
)
_CHANGES = (
    "change the name Anna to Clara",
    "change Tuesday to Friday",
    "change the name Keller to Hofmann",
)
REWRITES = tuple(
    f"Here is a letter:\n\n{LETTER}\n\nWrite this letter again, word for word, but {change}."
    for change in _CHANGES
)
