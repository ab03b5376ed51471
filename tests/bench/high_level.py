"""The other reference: llama-cpp-python's own streaming chat.

Usage: python -m tests.bench.high_level MODEL N_CTX N_TOKENS SEED < question    prints JSON
"""

from __future__ import annotations

import json
import sys
import time
import warnings


def main(model_path: str, n_ctx: int, n_tokens: int, seed: int) -> None:
    warnings.simplefilter("ignore")
    from llama_cpp import Llama

    llama = Llama(model_path, n_ctx=n_ctx, n_batch=512, verbose=False)
    messages = [{"role": "user", "content": sys.stdin.read()}]
    started = time.perf_counter()
    times = []
    for chunk in llama.create_chat_completion(
        messages, max_tokens=n_tokens, stream=True, temperature=1.0, seed=seed, repeat_penalty=1.0
    ):
        if chunk["choices"][0]["delta"].get("content"):
            times.append(time.perf_counter())
    figures = {
        "n_generated": len(times),
        "ttft_ms": (times[0] - started) * 1000,
        "tps": (len(times) - 1) / (times[-1] - times[0]),
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1], *(int(argument) for argument in sys.argv[2:5]))
