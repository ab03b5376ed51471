"""The reference: the barest ctypes loop over llama.cpp that writes the same tokens as the engine.

Same context parameters and sampler chain, pieces decoded to text; no pipe, no template, no stop.
Usage: python -m tests.bench.bare_loop MODEL N_CTX N_TOKENS SEED < prompt    prints one JSON object
"""

from __future__ import annotations

import codecs
import ctypes
import json
import sys
import time
from typing import Any

from app.engine.devices import default_threads
from app.engine.native import lib
from app.engine.sampling import SamplerChain
from app.engine.usage import peak_rss_bytes
from tests.bench.prompts import sampling_with

N_BATCH = 512


def main(model_path: str, n_ctx: int, n_tokens: int, seed: int) -> None:
    """Read the prompt, write `n_tokens` tokens or until the end of turn."""
    prompt = sys.stdin.read().encode()
    silent = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(silent, None)
    lib.llama_backend_init()
    model = lib.llama_model_load_from_file(model_path.encode(), lib.llama_model_default_params())
    vocab = lib.llama_model_get_vocab(model)
    context = lib.llama_init_from_model(model, _params(n_ctx))
    warm = (lib.llama_token * 1)(max(0, lib.llama_vocab_bos(vocab)))
    lib.llama_decode(context, lib.llama_batch_get_one(warm, 1))
    lib.llama_memory_clear(lib.llama_get_memory(context), True)

    started = time.perf_counter()
    tokens = (lib.llama_token * (len(prompt) + 8))()
    n_prompt = lib.llama_tokenize(
        vocab, prompt, len(prompt), tokens, len(tokens), _wants_bos(vocab, prompt), True
    )
    read_from = time.perf_counter()
    for start in range(0, n_prompt, N_BATCH):
        part = (lib.llama_token * min(N_BATCH, n_prompt - start))(
            *tokens[start : min(start + N_BATCH, n_prompt)]
        )
        lib.llama_decode(context, lib.llama_batch_get_one(part, len(part)))
    lib.llama_synchronize(context)
    read_s = time.perf_counter() - read_from
    sampler = SamplerChain(sampling_with(seed), vocab, lib.llama_vocab_n_tokens(vocab))
    utf8 = codecs.getincrementaldecoder("utf-8")("replace")
    buffer = ctypes.create_string_buffer(256)
    one = (lib.llama_token * 1)()
    text, times = [], []
    while len(times) < n_tokens:
        one[0] = token = sampler.sample(context)
        if lib.llama_vocab_is_eog(vocab, token):
            break
        n = lib.llama_token_to_piece(vocab, token, buffer, 256, 0, False)
        text.append(utf8.decode(buffer.raw[:n]))
        times.append(time.perf_counter())
        lib.llama_decode(context, lib.llama_batch_get_one(one, 1))
    figures = {
        "n_prompt": n_prompt,
        "n_generated": len(times),
        "ttft_ms": (times[0] - started) * 1000,
        "prompt_tps": n_prompt / read_s,
        "tps": (len(times) - 1) / (times[-1] - times[0]),
        "peak_bytes": peak_rss_bytes(),
        "text": "".join(text),
    }
    sys.stdout.write(json.dumps(figures))


def _wants_bos(vocab: Any, prompt: bytes) -> bool:
    """As the engine: one token for the beginning, where the text does not bring its own."""
    bos = lib.llama_vocab_bos(vocab)
    text = lib.llama_vocab_get_text(vocab, bos) if bos >= 0 else b""
    return not (text and prompt.startswith(text))


def _params(n_ctx: int) -> object:
    params = lib.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_batch = params.n_ubatch = N_BATCH
    params.n_threads = params.n_threads_batch = default_threads()
    params.flash_attn_type = 0
    params.swa_full = False
    params.n_seq_max = params.n_outputs_max = 1
    return params


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:5]))
