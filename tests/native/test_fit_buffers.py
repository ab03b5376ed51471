"""The formulas of `app.core.fit` against llama.cpp's own figures, over real geometries.

Each model is a header before a hole; llama.cpp loads it without allocating and says what it would
take. Caches and weights must agree to what its log rounds, working memory to a few megabytes.
"""

from __future__ import annotations

import pytest

from app.core.fit import ModelShape, shape_of
from app.core.fit.cache import Setup, cache_bytes, pad
from app.core.fit.work import Part, compute_bytes, output_bytes
from app.core.running import n_ubatch_for
from quantize.gguf_header import GgufHeader, read_header
from tests.helpers.no_alloc import MIB, Said, Setting, ask
from tests.helpers.real_shapes import CONFIGS, OTHERS, write_header_only

SETTINGS = [
    Setting(n_ctx, n_ubatch, flash_attn, kv_type)
    for n_ctx in (256, 8192, 32768)
    for n_ubatch in (128, 512)
    for flash_attn, kv_type in ((False, "f16"), (True, "f16"), (True, "q8_0"))
]
NAMES = [*CONFIGS, *OTHERS]
_WHOLE = Part(has_layers=True, has_output=True, has_input=True)
# What the log leaves out of a cache, in MiB: it rounds each of a few sizes.
_ROUNDING = 0.05


def _setup(setting: Setting) -> Setup:
    n_ubatch = min(setting.n_ctx, setting.n_ubatch)
    return Setup(pad(setting.n_ctx), n_ubatch, setting.flash_attn, setting.kv_type)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[GgufHeader, list[Said]]]:
    """By model its header, and what llama.cpp said with each of the SETTINGS."""
    folder = tmp_path_factory.mktemp("shapes")
    files = [write_header_only(folder / f"{name}.gguf", name) for name in NAMES]
    headers = map(read_header, files)
    return dict(zip(NAMES, zip(headers, ask(files, SETTINGS), strict=True), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_formulas_agree_with_llama_cpp(
    name: str, answers: dict[str, tuple[GgufHeader, list[Said]]]
) -> None:
    header, said_of_all = answers[name]
    shape = shape_of(header)
    guessing = header.tensor_bytes - shape.weights_bytes
    assert (guessing > 0) == (shape.n_guessing > 0)
    for setting, said in zip(SETTINGS, said_of_all, strict=True):
        assert shape.weights_bytes + guessing == said.weights_bytes
        assert output_bytes(shape) % (4 * shape.n_vocab) == 0
        assert abs(4 * shape.n_vocab - said.output_bytes) <= 0.01 * MIB  # of one token, to begin
        _check_cache(shape, setting, said)
        if setting.n_ubatch == n_ubatch_for(shape.n_params, on_gpu=False):
            _check_work(shape, setting, said)


def _check_cache(shape: ModelShape, setting: Setting, said: Said) -> None:
    kept = sum(cache_bytes(shape, _setup(setting)))
    assert abs(kept - said.kv_bytes) <= _ROUNDING * MIB, (setting, kept / MIB, said.kv_bytes / MIB)


def _check_work(shape: ModelShape, setting: Setting, said: Said) -> None:
    """With the engine's own batches: not a hundredth of the model below, nor much above."""
    work = compute_bytes(shape, _setup(setting), _WHOLE)
    whole = shape.weights_bytes + said.kv_bytes + said.compute_bytes
    assert work >= said.compute_bytes - 0.01 * whole, (
        setting,
        work / MIB,
        said.compute_bytes / MIB,
    )
    assert work <= said.compute_bytes + 0.02 * whole, (
        setting,
        work / MIB,
        said.compute_bytes / MIB,
    )


def test_layers_that_guess_are_left_out(
    answers: dict[str, tuple[GgufHeader, list[Said]]],
) -> None:
    """Qwen3.5 27B carries one; llama.cpp does not load it."""
    shape = shape_of(answers["qwen3.5-27b"][0])
    assert (len(shape.layers), shape.n_guessing) == (64, 1)
