"""llama.cpp's own word on what header-only files would take.

A program of its own (JSON comes in, JSON goes out), because llama.cpp ends the process where it
does not like a file. Of `app` it needs the engine's rules only.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.core.running import n_outputs_for

_KV = re.compile(r"size = *([\d.]+) MiB \( *\d+ cells")
_KV_TYPES = {"f16": 1, "q8_0": 8, "q4_0": 2}
MIB = 1024**2


@dataclass(frozen=True)
class Setting:
    n_ctx: int
    n_ubatch: int
    flash_attn: bool
    kv_type: str = "f16"


@dataclass(frozen=True)
class Said:
    """In bytes, to hundredths of a mebibyte; `kv_bytes` with recurrent states."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    output_bytes: int


def ask(files: Sequence[Path], settings: Sequence[Setting]) -> list[list[Said]]:
    """For each file one answer for each setting."""
    command = [sys.executable, "-m", "tests.helpers.no_alloc", *map(str, files)]
    text = json.dumps([asdict(setting) for setting in settings])
    result = subprocess.run(command, input=text, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr[-2000:]
    return [[Said(**each) for each in answers] for answers in json.loads(result.stdout)]


def _main() -> None:
    from quantize.libllama import lib

    lines: list[str] = []
    callback = lib.llama_log_callback(lambda _level, text, _data: lines.append(text.decode()))
    lib.llama_log_set(callback, None)
    lib.llama_backend_init()
    settings = [Setting(**values) for values in json.load(sys.stdin)]
    answers = [_answers(lib, file, settings, lines) for file in sys.argv[1:]]
    sys.stdout.write(json.dumps(answers))


def _answers(
    lib: Any, file: str, settings: Sequence[Setting], lines: list[str]
) -> list[dict[str, int]]:
    params = lib.llama_model_default_params()
    params.no_alloc, params.load_mode = True, 0
    model = lib.llama_model_load_from_file(file.encode(), params)
    assert model, "".join(lines)
    weights = int(lib.llama_model_size(model))
    answers = []
    for setting in settings:
        lines.clear()
        n_outputs = _n_outputs(lib, model)
        context = lib.llama_init_from_model(model, _context_params(lib, setting, n_outputs))
        assert context, "".join(lines)
        lib.llama_free(context)
        sizes = (float(size) for line in lines for size in _KV.findall(line))
        kv = round(sum(sizes) * MIB)
        said = Said(weights, kv, _buffers(lines, "compute"), _buffers(lines, "output"))
        answers.append(asdict(said))
    lib.llama_model_free(model)
    return answers


def _n_outputs(lib: Any, model: Any) -> int:
    n_vocab = int(lib.llama_vocab_n_tokens(lib.llama_model_get_vocab(model)))
    is_recurrent = lib.llama_model_is_recurrent(model) or lib.llama_model_is_hybrid(model)
    return n_outputs_for(n_vocab, int(lib.llama_model_size(model)), is_recurrent=is_recurrent)


def _context_params(lib: Any, setting: Setting, n_outputs: int) -> Any:
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_batch, params.n_ubatch = setting.n_ctx, 512, setting.n_ubatch
    params.type_k = params.type_v = _KV_TYPES[setting.kv_type]
    params.flash_attn_type = int(setting.flash_attn)
    params.swa_full = False
    params.n_seq_max, params.n_outputs_max = 1, n_outputs
    return params


def _buffers(lines: list[str], kind: str) -> int:
    pattern = re.compile(rf"{kind} buffer size = *([\d.]+) MiB")
    return round(sum(float(size) for line in lines for size in pattern.findall(line)) * MIB)


if __name__ == "__main__":
    _main()
