"""Which weights llama.cpp rewrites for the processor, into a buffer beside what it read.

Source: llama.cpp at 0c1e57098, ggml/src/ggml-cpu/repack.cpp (ggml_repack_get_optimal_repack_type).
"""

from __future__ import annotations

from collections.abc import Collection

from app.core.fit.shape import ModelShape

# By what the kernels were built for. Not rewritten where a GPU is there: its own memory for the
# processor's weights comes first.
_TYPES = {
    "avx2": {"Q4_0", "Q4_K", "IQ4_NL", "MXFP4"},
    "avx512f": {"Q2_K"},
    "dotprod": {"Q4_0", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "MXFP4", "Q8_0"},
    "i8mm": {"Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "Q1_0"},
}
_WORTH_READING_WHOLE = 0.2


def repacked_bytes(shape: ModelShape, features: Collection[str]) -> int:
    """Of all weights on a processor with these `features`; 0 where nothing is known of it."""
    types = set[str]().union(*(_TYPES.get(feature, set()) for feature in features))
    matrices = (matrix for layer in shape.layers for matrix in layer.matrices)
    return sum(n_bytes for type_, n_bytes in matrices if type_ in types)


def maps_file(repacked: int, weights: int) -> bool:
    """Whether the engine maps the file rather than read it.

    A mapped file costs nothing twice, can be given up by the system, and is there at once. But what
    is rewritten then lies in memory twice; where that is much, the file is read instead.
    """
    return repacked < weights * _WORTH_READING_WHOLE
