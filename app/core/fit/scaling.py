"""One variant of a model reckoned from another's header, until its own is at hand."""

from __future__ import annotations

from dataclasses import replace

from app.core.fit.described import main_type
from app.core.fit.shape import Layer, ModelShape


def scaled(shape: ModelShape, variant: str, file_bytes: int) -> ModelShape:
    """The same model in another file: every weight grows or shrinks as the file does.

    What a file holds beside its weights, the vocabulary, stays as it is.
    """
    before = max(1, shape.file_bytes - shape.vocab_bytes)
    ratio = max(0, file_bytes - shape.vocab_bytes) / before
    return replace(
        shape,
        variant=variant,
        layers=tuple(_scaled(layer, variant, ratio) for layer in shape.layers),
        input_bytes=round(shape.input_bytes * ratio),
        output_bytes=round(shape.output_bytes * ratio),
        file_bytes=file_bytes,
    )


def _scaled(layer: Layer, variant: str, ratio: float) -> Layer:
    """Its matrices are taken to be of the type that gives the variant its name."""
    in_matrices = sum(n_bytes for _, n_bytes in layer.matrices)
    return replace(
        layer,
        weight_bytes=round(layer.weight_bytes * ratio),
        active_bytes=round(layer.active_bytes * ratio),
        matrices=((main_type(variant), round(in_matrices * ratio)),),
    )
