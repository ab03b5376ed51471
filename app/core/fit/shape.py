"""What there is to know of a model before it is loaded: its layers and how much each one weighs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layer:
    """One block. `k_width` and `v_width`: numbers kept per token as keys and as values, 0 for none.

    `window`: how many tokens a sliding-window layer looks back, 0 for all. `state_bytes`: what a
    recurrent layer keeps, whatever the context. `active_bytes`: of the weights, what one token
    reads (fewer than `weight_bytes` in a mixture of experts). `matrices`: of the weights, the bytes
    of matrices by type, where their rows come in eights; some processors want those in another
    order.
    """

    weight_bytes: int
    active_bytes: int
    k_width: int = 0
    v_width: int = 0
    window: int = 0
    state_bytes: int = 0
    matrices: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """Widths of the steps of one pass, in numbers per token, each of the layer where it is widest.

    `queries`: what attention asks with, `q_rows`: the same with gates beside it. `n_ff`: what the
    feed-forward goes through, `n_ff_expert` each expert. Of recurrent layers: `mixed` enters a
    convolution, `inner` leaves, `projected` is what Mamba's come from. `latent`: what attention
    over a compressed cache unfolds to. `per_layer`: Gemma's embeddings for each layer, all
    together; `has_streams`: Gemma 3n's four streams.
    """

    queries: int = 0
    q_rows: int = 0
    n_ff: int = 0
    n_ff_expert: int = 0
    mixed: int = 0
    inner: int = 0
    projected: int = 0
    latent: int = 0
    per_layer: int = 0
    has_streams: bool = False


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A model at one precision. Widths are counts of numbers; `n_ctx_train` 0 where not known.

    `input_bytes`: the token embeddings, which stay on the processor; `output_bytes`: the output
    head, which goes with the last layers (where it shares the embeddings' weights, their size
    again: llama.cpp loads a second copy for a GPU). `vocab_bytes`: the text of the vocabulary and
    its `n_merges` merges. `mmproj_bytes`: the file of the part that sees pictures, 0 without one.
    `n_guessing`: further layers of the file, which are not loaded.
    """

    architecture: str
    variant: str
    layers: tuple[Layer, ...]
    input_bytes: int
    output_bytes: int
    is_tied: bool
    n_params: int
    n_params_active: int
    n_vocab: int
    n_embd: int
    n_head: int
    n_ff: int
    n_expert: int = 0
    n_expert_used: int = 0
    n_ctx_train: int = 0
    vocab_bytes: int = 0
    n_merges: int = 0
    mmproj_bytes: int = 0
    file_bytes: int = 0
    n_guessing: int = 0
    work: Work = Work()

    @property
    def weights_bytes(self) -> int:
        tail = 0 if self.is_tied else self.output_bytes
        return sum(layer.weight_bytes for layer in self.layers) + self.input_bytes + tail
