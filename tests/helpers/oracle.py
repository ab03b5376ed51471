"""llama-cpp-python's own high-level API, run in a process of its own: what we are compared with.

Usage: python -m tests.helpers.oracle MODEL N_TOKENS < prompt    prints the greedy continuation
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def greedy(model: Path, prompt: str, n_tokens: int, n_threads: int) -> str:
    """The greedy continuation of `prompt`, whose special tokens are recognised."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.helpers.oracle", str(model), str(n_tokens), str(n_threads)],
        input=prompt,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return str(json.loads(result.stdout))


def _main(model: str, n_tokens: str, n_threads: str) -> None:
    warnings.simplefilter("ignore")
    from llama_cpp import Llama

    llama = Llama(
        model,
        n_ctx=4096,
        n_batch=512,
        n_ubatch=512,
        n_threads=int(n_threads),
        n_threads_batch=int(n_threads),
        flash_attn=False,
        verbose=False,
    )
    tokens = llama.tokenize(sys.stdin.read().encode(), add_bos=False, special=True)
    answer = llama.create_completion(
        tokens, max_tokens=int(n_tokens), temperature=0.0, repeat_penalty=1.0
    )
    sys.stdout.write(json.dumps(answer["choices"][0]["text"]))


if __name__ == "__main__":
    _main(*sys.argv[1:])
