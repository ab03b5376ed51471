"""Guesses change the speed and nothing else: with real models, in this process."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.engine.client import BlockingEngine
from app.engine.context import Context
from app.engine.guessing import Guessing
from app.engine.lookup import Lookup
from app.engine.model import Model, NativeLog
from app.engine.native import StopFlag, lib
from app.engine.pace import ON_GPU
from app.engine.protocol import Load, Sampling
from app.engine.sampling import SamplerChain
from app.engine.writing import Writer
from tests.helpers.asking import GREEDY, ask, request
from tests.helpers.tiny_gguf import write_tiny

TEXT = (
    "The old house stood at the end of the lane, where the hedges grew tall. The baker walked past "
    "it with a basket of bread, and the grey cat on the wall opened one eye to watch him go."
)
BEGUN = TEXT[: TEXT.index(" lane")]
PROMPT = f"<|im_start|>user\nRepeat this text: {TEXT}<|im_end|>\n<|im_start|>assistant\n{BEGUN}"
TWO_TOKENS = Sampling(temperature=2.5, top_k=2, top_p=1.0, min_p=0.0, repeat_penalty=1.0)


class Always:
    """Guesses the same tokens whatever was said."""

    token_cost, hopes, observes = 0.0, (0.9,), True

    def __init__(self, tokens: Sequence[int]) -> None:
        self._tokens = tokens

    def begin(self, tokens: Sequence[int]) -> None: ...

    def extend(self, tokens: Iterable[int]) -> None: ...

    def rank(self) -> int:
        return 0

    def guess(self, n_tokens: int) -> Sequence[int]:
        return self._tokens[:n_tokens]

    def close(self) -> None: ...


class Decoder:
    """A model and a context in which a pass of several tokens computes what single ones do: so it
    is with these weights under flash attention."""

    def __init__(self, path: Path) -> None:
        self.model = Model(path, 0, NativeLog(), lambda _: True)
        load = Load(str(path), n_ctx=512, flash_attn="on", n_threads=1)
        self.context = Context(self.model, load, NativeLog(), StopFlag())
        self.prompt = self.model.tokenize(PROMPT)

    def read(self, tokens: Sequence[int]) -> None:
        n_known = self.context.keep_prefix(tokens)
        self.context.decode(tokens[n_known:])

    def write(
        self, sampling: Sampling, n_tokens: int, guessing: Guessing | None = None
    ) -> tuple[list[int], Writer]:
        self.read(self.prompt)
        sampler = SamplerChain(sampling, self.model.vocab, self.model.n_vocab)
        try:
            sampler.accept_prompt(self.prompt)
            writer = Writer(self.model, self.context, sampler, StopFlag(), guessing)
            drawn = list(itertools.islice(writer._draws(), n_tokens))
        finally:
            sampler.close()
        return drawn, writer

    def logits(self, more: Sequence[int]) -> np.ndarray:
        """Of what follows the prompt and `more`."""
        self.read([*self.prompt, *more])
        values = lib.llama_get_logits_ith(self.context.handle, -1)
        return np.ctypeslib.as_array(values, (self.model.n_vocab,)).astype(np.float64)


@pytest.fixture(scope="module")
def decoder(starter_path: Path) -> Iterator[Decoder]:
    made = Decoder(starter_path)
    yield made
    made.context.close()
    made.model.close()


@pytest.mark.parametrize(
    "sampling",
    [
        GREEDY,
        Sampling(seed=1, temperature=1.2),
        Sampling(seed=1, repeat_penalty=1.2, frequency_penalty=0.3, penalty_last_n=64),
        Sampling(seed=1, dry_multiplier=0.8, dry_penalty_last_n=256),
        Sampling(seed=1, mirostat=1),
        Sampling(seed=1, mirostat=2),
        Sampling(seed=1, xtc_probability=0.5),
        Sampling(seed=1, grammar="root ::= [a-zA-Z,. ]+"),
    ],
)
def test_every_token_is_that_of_plain_decoding(decoder: Decoder, sampling: Sampling) -> None:
    """Also those after a guess that was wrong: the samplers know only of what was written."""
    plain, _ = decoder.write(sampling, 32)
    guessed, writer = decoder.write(sampling, 32, Guessing([Lookup()], ON_GPU))
    assert guessed == plain
    wrong = Always([plain[5], plain[6], plain[7]])
    guessed, writer = decoder.write(sampling, 16, Guessing([wrong], ON_GPU))
    assert guessed == plain[:16]
    assert writer.n_guessed > writer.n_true


def test_a_quotation_takes_few_passes(decoder: Decoder) -> None:
    drawn, writer = decoder.write(GREEDY, 30, Guessing([Lookup()], ON_GPU))
    written = b"".join(map(decoder.model.piece, drawn)).decode()
    assert TEXT[len(BEGUN) :].startswith(written)
    assert writer.n_true > 20
    assert writer.n_guessed < 1.5 * writer.n_true


def test_what_is_drawn_has_the_models_distribution(decoder: Decoder) -> None:
    """Chi-square over seeds: two tokens, of two that are possible each, the likelier ones guessed.

    The expected shares are reckoned from the model's logits.
    """
    expected: dict[tuple[int, int], float] = {}
    for first, p_first in two_likeliest(decoder.logits([])):
        for second, p_second in two_likeliest(decoder.logits([first])):
            expected[first, second] = p_first * p_second
    likeliest = max(expected, key=lambda pair: expected[pair])
    n_draws, counts, n_true = 100, dict.fromkeys(expected, 0), 0
    for seed in range(n_draws):
        sampling = with_seed(TWO_TOKENS, seed)
        guessing = Guessing([Always([likeliest[1], 0])], ON_GPU)
        drawn, writer = decoder.write(sampling, 3, guessing)  # a third, so that two count
        counts[drawn[0], drawn[1]] += 1
        n_true += writer.n_true
    assert n_true > 20
    chi_square = sum(
        (counts[pair] - n_draws * p) ** 2 / (n_draws * p) for pair, p in expected.items()
    )
    assert chi_square < 16.3  # three degrees of freedom: one run in a thousand is beyond


def two_likeliest(logits: np.ndarray) -> list[tuple[int, float]]:
    tokens = np.argsort(-logits)[:2]
    weights = np.exp((logits[tokens] - logits.max()) / TWO_TOKENS.temperature)
    return [(int(t), float(w)) for t, w in zip(tokens, weights / weights.sum(), strict=True)]


def with_seed(sampling: Sampling, seed: int) -> Sampling:
    return Sampling(
        **{**{f: getattr(sampling, f) for f in sampling.__struct_fields__}, "seed": seed}
    )


# --- a draft model --------------------------------------------------------------------------------

COSTS = tuple(ON_GPU)


def test_a_draft_model_guesses_and_the_text_stays(starter_f32: Path, starter_path: Path) -> None:
    question = request("Tell me of a lighthouse and a cat.", max_tokens=24)
    load = Load(str(starter_f32), n_ctx=512, lookup=False, n_threads=1)
    with BlockingEngine() as engine:
        engine.load(load)
        plain = ask(engine, question)
        loaded = engine.load(drafted(load, starter_path))
        assert loaded.notice is None
        fast = ask(engine, question)
        assert fast.text == plain.text
        assert fast.done.n_true > 8
        again = ask(engine, request("Tell me of a lighthouse and a dog.", max_tokens=24))
        assert again.done.n_true > 8


def drafted(load: Load, draft: Path) -> Load:
    fields = {f: getattr(load, f) for f in load.__struct_fields__}
    return Load(**{**fields, "draft_path": str(draft), "pass_costs": COSTS})


def test_a_draft_model_of_other_tokens_is_one_sentence(
    starter_path: Path, other_vocabulary: Path
) -> None:
    load = Load(str(starter_path), n_ctx=512, n_threads=1)
    with BlockingEngine() as engine:
        for draft in (other_vocabulary, starter_path.with_name("nowhere.gguf")):
            loaded = engine.load(drafted(load, draft))
            assert "The draft model is not used." in str(loaded.notice)
            assert ask(engine, request("Hello", max_tokens=3)).done.n_generated == 3


@pytest.fixture(scope="module")
def other_vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.gguf")
