"""Real tokenizers on small checkpoints: all metadata, and the tensors too."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantize.errors import QuantizeError
from tests.helpers import checkpoints, identity, tokenizers
from tests.helpers.checkpoint_shapes import SHAPES
from tests.helpers.identity import Plan
from tests.helpers.safetensors_files import write_checkpoint
from tests.oracle import reference
from tests.oracle.reference import Oracle
from tests.oracle.result import Result

Json = dict[str, Any]
_PLAN = Plan(("Q8_0", "Q4_K_M"))
_CARD = """---
license: apache-2.0
language:
- en
- no
base_model: some-org/Base-7B-v0.1
---
"""


@dataclass(frozen=True)
class Real:
    """`package`: a folder with a tokenizer.json; `pieces`: make a tokenizer.model of it too."""

    package: str
    model_type: str
    class_name: str
    n_vocab: int
    values: Json
    pieces: bool = False


_GEMMA = {"tie_word_embeddings": True, "head_dim": 32, "sliding_window": 512}
REAL = {
    "Llama-3.2-1B-Instruct": Real(
        "tokenizer-llama3_2",
        *("llama", "LlamaForCausalLM", 128256),
        {"bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009]},
    ),
    "Qwen2.5-0.5B-Instruct": Real(
        "tokenizer-qwen2_5",
        *("qwen2", "Qwen2ForCausalLM", 151936),
        {"bos_token_id": 151643, "eos_token_id": 151645},
    ),
    "Qwen3-0.6B": Real(
        "tokenizer-qwen3",
        *("qwen3", "Qwen3ForCausalLM", 151936),
        {"bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 32},
    ),
    "gemma-2-2b-it": Real(
        "tokenizer-gemma2",
        *("gemma2", "Gemma2ForCausalLM", 256000),
        {"bos_token_id": 2, "eos_token_id": [1, 107], "pad_token_id": 0, **_GEMMA},
        pieces=True,
    ),
    "gemma-3-1b-it": Real(
        "tokenizer-gemma3",
        *("gemma3_text", "Gemma3ForCausalLM", 262208),
        {"bos_token_id": 2, "eos_token_id": [1, 106], "pad_token_id": 0, **_GEMMA},
    ),
    "Mistral-Nemo-Instruct-2407": Real(
        "tokenizer-mistral_nemo",
        *("mistral", "MistralForCausalLM", 131072),
        {"bos_token_id": 1, "eos_token_id": 2, "head_dim": 32},
    ),
    "gpt-oss-20b": Real(
        "tokenizer-gptoss",
        *("gpt_oss", "GptOssForCausalLM", 201088),
        {
            "eos_token_id": 200002,
            "pad_token_id": 199999,
            "head_dim": 32,
            "num_local_experts": 2,
            "num_experts_per_tok": 1,
            "sliding_window": 128,
            "layer_types": ["sliding_attention"],
        },
    ),
}


def check(oracle: Oracle, scratch: Path, packages: Path) -> Iterator[Result]:
    jobs = []
    for name in REAL:
        folder = write_real(scratch / "real" / name, REAL[name], packages)
        jobs.append((folder, scratch / f"{name}.gguf", "bf16"))
    converted = oracle.convert(jobs, pre="")
    for folder, gguf, _ in jobs:
        yield _compare(folder, gguf, converted[str(folder)]["error"])


def write_real(folder: Path, real: Real, packages: Path) -> Path:
    config = {
        "architectures": [real.class_name],
        "model_type": real.model_type,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "vocab_size": real.n_vocab,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1000000.0,
        "tie_word_embeddings": True,
        **real.values,
    }
    shapes = SHAPES[real.model_type](config)
    tensors = {n: checkpoints.tensor(n, n, shape, "BF16") for n, shape in shapes.items()}
    write_checkpoint(folder, tensors, config)
    for path in (packages / real.package).iterdir():
        shutil.copyfile(path, folder / path.name)
    if real.pieces:
        (folder / "tokenizer.model").write_bytes(_pieces(folder / "tokenizer.json"))
    (folder / "README.md").write_text(_CARD, encoding="utf-8")
    (folder / "generation_config.json").write_text('{"temperature": 0.7, "top_k": 20}')
    return folder


def _pieces(path: Path) -> bytes:
    """A tokenizer.model with the tokens of a tokenizer.json; the scores are their numbers."""
    vocab = json.loads(path.read_text(encoding="utf-8"))["model"]["vocab"]
    by_number = {number: text for text, number in vocab.items()}
    missing = vocab["<0x08>"] + 1  # JSON has it twice: as a letter and as a byte
    texts = [by_number.get(i, "<0x09>" if i == missing else f"<gap{i}>") for i in range(len(vocab))]
    if "<0x09>" not in texts:
        texts[missing] = "<0x09>"
    return tokenizers.sentencepiece([(t, -float(i), _kind(t)) for i, t in enumerate(texts)])


def _kind(text: str) -> int:
    """ModelProto.SentencePiece.Type."""
    if text == "<unk>":
        return 2
    if text in ("<pad>", "<eos>", "<bos>"):
        return 3
    if re.fullmatch("<0x[0-9A-F]{2}>", text):
        return 6
    return 4 if text.startswith("<") and text.endswith(">") else 1


def _compare(folder: Path, gguf: Path, error: str) -> Result:
    result = Result(folder.name)
    if error:
        result.differences.append(f"the official converter: {error.strip().splitlines()[-1]}")
        return result
    target = folder.parent / "theirs.gguf"
    try:
        for type_, mine in identity.make_ours(folder, folder.parent, _PLAN, None).items():
            result.compare(type_, mine, reference.quantize(gguf, target, type_))
            mine.unlink()
    except QuantizeError as failure:
        result.differences.append(f"{failure} {failure.detail}".strip())
    return result
