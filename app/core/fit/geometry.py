"""A model's geometry as its config.json has it: enough to predict its memory without a header."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Geometry:
    """What memory depends on, as config.json names it (llama.cpp's names). Counts, not bytes.

    `window` 0: none. `n_full_layers`: the layers that keep the whole context; the others look
    back `window` tokens, or keep no keys and values at all where `others_are_recurrent`.
    `kv_lora_rank`, `rope_dim`: of MLA, 0 without it. `n_ff` of the widest feed-forward,
    `n_ff_expert` of one expert. Of Gemma 4: `head_dim_full` and `n_head_kv_full`, where the layers
    that keep everything differ from the others; `n_shared_layers` last ones keep nothing of their
    own; `per_layer` numbers per layer and token are embedded beside the usual ones.
    """

    n_layers: int
    n_embd: int
    n_head: int
    n_head_kv: int
    head_dim: int
    n_ff: int
    n_vocab: int
    window: int = 0
    n_full_layers: int = 0
    others_are_recurrent: bool = False
    n_expert: int = 0
    n_expert_used: int = 0
    is_tied: bool = False
    kv_lora_rank: int = 0
    rope_dim: int = 0
    n_ff_expert: int = 0
    head_dim_full: int = 0
    n_head_kv_full: int = 0
    n_shared_layers: int = 0
    per_layer: int = 0
