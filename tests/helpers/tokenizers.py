"""Small tokenizers for tests, written file by file and on purpose without `quantize`.

`CASES` are folders whose vocabulary the official converter has written: see `tokenizer_oracle`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_PRINTABLE = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_LETTERS = [chr(n) for n in _PRINTABLE] + [chr(256 + n) for n in range(256 - len(_PRINTABLE))]
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
)
_SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": False,
}


def added(number: int, content: str, special: bool, normalized: bool = False) -> Json:
    """An added token as tokenizer.json has it."""
    return {
        "id": number,
        "content": content,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": normalized,
        "special": special,
    }


def byte_level() -> Json:
    """A byte-level BPE tokenizer.json: 256 letters, 10 merges, 11 added tokens, one template."""
    merges = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("i", "n"), ("3", "3"), ("'", "'")]
    merges += [("Ċ", "Ċ"), ("ð", "Ł"), ("=", "="), ("e", "Ġ")]
    vocab = {letter: number for number, letter in enumerate(_LETTERS)}
    for left, right in merges:
        vocab[left + right] = len(vocab)
    names = [
        ("<|begin|>", True, False),
        ("<|end|>", True, False),
        ("<|user|>", False, False),
        ("<tool_call>", False, False),
        ("Ġq", False, False),
        ("▁▁", False, True),
        ("é?", True, False),
        ("   ", False, True),
        ("[gMASK]", True, False),
        ("<|endoftext|>", True, False),
        ("<|observation|>", True, False),
    ]
    tokens = [added(len(vocab) + n, *token) for n, token in enumerate(names)]
    begin = {"SpecialToken": {"id": "<|begin|>", "type_id": 0}}
    ids = {"id": "<|begin|>", "ids": [tokens[0]["id"]], "tokens": ["<|begin|>"]}
    split = {"Regex": _WORDS + _SPACES}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": tokens,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": split, "behavior": "Isolated", "invert": False},
                BYTE_LEVEL,
            ],
        },
        "post_processor": {
            "type": "Sequence",
            "processors": [
                BYTE_LEVEL,
                {
                    "type": "TemplateProcessing",
                    "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
                    "pair": [
                        begin,
                        {"Sequence": {"id": "A", "type_id": 0}},
                        begin,
                        {"Sequence": {"id": "B", "type_id": 1}},
                    ],
                    "special_tokens": {"<|begin|>": ids},
                },
            ],
        },
        "decoder": BYTE_LEVEL,
        "model": _model(vocab, [[*pair] for pair in merges], byte_fallback=False),
    }


def byte_fallback() -> Json:
    """A tokenizer.json as Llama 2's: BPE over letters, with bytes for all others."""
    vocab = {text: number for number, text in enumerate(("<unk>", "<s>", "</s>"))}
    for n in range(256):
        vocab[f"<0x{n:02X}>"] = len(vocab)
    for letter in "▁abcdefghijklmnopqrstuvwxyz.,3":
        vocab[letter] = len(vocab)
    merges = [("t", "h"), ("th", "e"), ("▁", "the"), ("3", "3")]
    for left, right in merges:
        vocab[left + right] = len(vocab)
    tokens = [added(0, "<unk>", True), added(1, "<s>", True), added(2, "</s>", True)]
    names = [("<pad>", False), ("▁▁", False), ("<|channel>", True), ('<|"|>', False)]
    tokens += [added(len(vocab) + n, *token) for n, token in enumerate(names)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": tokens,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            **_model(vocab, [" ".join(pair) for pair in merges], byte_fallback=True),
            "unk_token": "<unk>",
            "fuse_unk": True,
        },
    }


def _model(vocab: Json, merges: list[Any], byte_fallback: bool) -> Json:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": byte_fallback,
        "ignore_merges": False,
        "vocab": vocab,
        "merges": merges,
    }


# text, score, type: ModelProto.SentencePiece.Type
PIECES: list[tuple[str, float, int]] = [
    ("<unk>", 0.0, 2),
    ("<s>", 0.0, 3),
    ("</s>", 0.0, 3),
    *((f"<0x{n:02X}>", 0.0, 6) for n in range(256)),
    ("▁the", -1.5, 1),
    ("▁", -2.0, 1),
    ("é", -3.25, 1),
    ("<tool>", 0.0, 4),
    ("<unused0>", 0.0, 5),
]


def varint(n: int) -> bytes:
    head = b""
    while n > 127:
        head += bytes([n & 127 | 128])
        n >>= 7
    return head + bytes([n])


def chunk(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def sentencepiece(pieces: Sequence[tuple[str, float, int]] = PIECES) -> bytes:
    """A tokenizer.model: BPE with byte fallback, identity normalizer."""
    parts = []
    for text, score, type_ in pieces:
        piece = chunk(1, text.encode()) + b"\x15" + struct.pack("<f", score)
        parts.append(chunk(1, piece + (b"\x18" + varint(type_) if type_ != 1 else b"")))
    trainer = b"\x18\x02" + varint(35 << 3) + b"\x01"
    return b"".join(parts) + chunk(2, trainer) + chunk(3, chunk(1, b"identity"))


@dataclass(frozen=True)
class Case:
    """A folder that the official converter has read as `architecture`, we as `style`."""

    style: str
    architecture: str
    model_type: str
    write: Callable[[Path], None]
    vocab_size: int


def write(folder: Path, **files: Json | bytes | str) -> Path:
    """`tokenizer_json=…` becomes tokenizer.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for key, content in files.items():
        path = folder / ".".join(key.rsplit("_", 1))
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            text = content if isinstance(content, str) else json.dumps(content)
            path.write_text(text, encoding="utf-8", newline="")
    return folder


def write_case(folder: Path, case: Case) -> Path:
    config = {
        "model_type": case.model_type,
        "architectures": [case.architecture],
        "vocab_size": case.vocab_size,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "hidden_size": 8,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 3,
    }
    write(folder, config_json=config)
    case.write(folder)
    return folder


def _write_bpe(folder: Path) -> None:
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin|>",
        "eos_token": "<|end|>",
        "pad_token": {"content": "<|endoftext|>", "__type": "AddedToken"},
        "add_eos_token": False,
        "chat_template": [
            {"name": "default", "template": "{{ messages }}"},
            {"name": "tool use", "template": "{{ tools }}"},
        ],
    }
    write(folder, tokenizer_json=byte_level(), tokenizer_config_json=config)


def _write_plain_bpe(folder: Path) -> None:
    tokenizer = byte_level() | {"post_processor": None}
    write(folder, tokenizer_json=tokenizer, chat_template_jinja="{{ unused }}")


def _write_llama_hf(folder: Path) -> None:
    config = {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": True}
    config |= {"add_bos_token": True, "chat_template": ""}
    write(folder, tokenizer_json=byte_fallback(), tokenizer_config_json=config)


def _write_gemma_bpe(folder: Path) -> None:
    config = {"tokenizer_class": "GemmaTokenizer", "bos_token": "<s>", "eos_token": "</s>"}
    config |= {"pad_token": "<pad>", "mask_token": "<pad>", "add_bos_token": True}
    write(folder, tokenizer_json=byte_fallback(), tokenizer_config_json=config)


def _write_pieces(folder: Path) -> None:
    tokens = {
        "1": {"content": "<s>", "special": True},
        "266": {"content": "▁x▁", "special": False},
        "267": {"content": "<|user|>", "special": False},
        "268": {"content": "<tool_call>", "special": True},
    }
    config = {
        "tokenizer_class": "LlamaTokenizer",
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": "<s>",
        "added_tokens_decoder": tokens,
    }
    write(
        folder,
        tokenizer_model=sentencepiece(),
        tokenizer_config_json=config,
        added_tokens_json={"<A>": 264, "<B>": 265},
        chat_template_jinja="{{ one }}\r\n{{ two }}\n",
    )


def _write_both(folder: Path) -> None:
    _write_pieces(folder)
    write(folder, tokenizer_json=byte_fallback())


_BPE_VOCAB, _HF_VOCAB = 280, 300
CASES: dict[str, Case] = {
    "qwen3": Case("GPT2", "Qwen3ForCausalLM", "qwen3", _write_bpe, _BPE_VOCAB),
    "olmo2": Case("GPT2", "Olmo2ForCausalLM", "olmo2", _write_plain_bpe, _BPE_VOCAB),
    "qwen2": Case("QWEN", "Qwen2ForCausalLM", "qwen2", _write_bpe, _BPE_VOCAB),
    "qwen2_pieces": Case("QWEN", "Qwen2ForCausalLM", "qwen2", _write_pieces, _HF_VOCAB),
    "llama3": Case("LLAMA", "LlamaForCausalLM", "llama", _write_bpe, _BPE_VOCAB),
    "granite": Case("LLAMA", "GraniteForCausalLM", "granite", _write_bpe, 49152),
    "llama_hf": Case("LLAMA", "LlamaForCausalLM", "llama", _write_llama_hf, _HF_VOCAB),
    "llama": Case("LLAMA", "LlamaForCausalLM", "llama", _write_both, _HF_VOCAB),
    "llama_cut": Case("LLAMA", "LlamaForCausalLM", "llama", _write_pieces, 262),
    "codellama": Case("LLAMA", "LlamaForCausalLM", "llama", _write_pieces, 32016),
    "gemma": Case("GEMMA", "GemmaForCausalLM", "gemma", _write_both, _HF_VOCAB),
    "gemma2": Case("GEMMA2", "Gemma2ForCausalLM", "gemma2", _write_both, _HF_VOCAB),
    "gemma3": Case("GEMMA3", "Gemma3ForCausalLM", "gemma3_text", _write_both, _HF_VOCAB),
    "gemma3_bpe": Case("GEMMA3", "Gemma3ForCausalLM", "gemma3_text", _write_gemma_bpe, _HF_VOCAB),
    "gemma4": Case(
        "GEMMA4", "Gemma4ForConditionalGeneration", "gemma4", _write_llama_hf, _HF_VOCAB
    ),
    "phi3": Case("PHI3", "Phi3ForCausalLM", "phi3", _write_both, _HF_VOCAB),
    "glm4": Case("GLM4", "Glm4ForCausalLM", "glm4", _write_bpe, _BPE_VOCAB),
    "glm4_moe": Case("GLM4_MOE", "Glm4MoeForCausalLM", "glm4_moe", _write_bpe, _BPE_VOCAB),
}
