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

from app.engine.devices import default_threads
from app.engine.native import lib
from app.engine.sampling import SamplerChain
from tests.bench.prompts import sampling_with


def main(model_path: str, n_ctx: int, n_tokens: int, seed: int) -> None:
    """Read the prompt, write `n_tokens` tokens or until the end of turn."""
    prompt = sys.stdin.read().encode()
    silent = lib.llama_log_callback(lambda *_: None)
    lib.llama_log_set(silent, None)
    lib.llama_backend_init()
    model = lib.llama_model_load_from_file(model_path.encode(), lib.llama_model_default_params())
    vocab = lib.llama_model_get_vocab(model)
    context = lib.llama_init_from_model(model, _params(n_ctx))
    warm = (lib.llama_token * 1)(lib.llama_vocab_bos(vocab))
    lib.llama_decode(context, lib.llama_batch_get_one(warm, 1))
    lib.llama_memory_clear(lib.llama_get_memory(context), True)

    started = time.perf_counter()
    tokens = (lib.llama_token * (len(prompt) + 8))()
    n_prompt = lib.llama_tokenize(vocab, prompt, len(prompt), tokens, len(tokens), False, True)
    for start in range(0, n_prompt, 512):
        part = (lib.llama_token * min(512, n_prompt - start))(
            *tokens[start : min(start + 512, n_prompt)]
        )
        lib.llama_decode(context, lib.llama_batch_get_one(part, len(part)))
    sampler = SamplerChain(sampling_with(seed), lib.llama_vocab_n_tokens(vocab))
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
        "tps": (len(times) - 1) / (times[-1] - times[0]),
        "text": "".join(text),
    }
    sys.stdout.write(json.dumps(figures))


def _params(n_ctx: int) -> object:
    params = lib.llama_context_default_params()
    params.n_ctx = n_ctx
    params.n_batch = params.n_ubatch = 512
    params.n_threads = params.n_threads_batch = default_threads()
    params.flash_attn_type = 0
    params.swa_full = False
    params.n_seq_max = params.n_outputs_max = 1
    return params


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:5]))
