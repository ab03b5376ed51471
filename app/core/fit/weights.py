"""Bytes of weights on each device.

Source: llama.cpp at 0c1e57098, src/llama-model.cpp (load_tensors, create_tensor) and
src/llama-model-loader.cpp (which buffers are mapped from the file).
"""

from __future__ import annotations

from collections.abc import Collection

from app.core.fit.repacking import maps_file, repacked_bytes
from app.core.fit.shape import ModelShape
from app.core.fit.split import CPU, Split


def weight_bytes(shape: ModelShape, split: Split, device: int) -> int:
    """Of the layers, the embeddings and the output head that `device` holds."""
    total = sum(
        layer.weight_bytes
        for layer, place in zip(shape.layers, split.layers, strict=True)
        if place == device
    )
    if device == CPU:
        total += shape.input_bytes
    if split.output == device and not (shape.is_tied and device == CPU):
        total += shape.output_bytes
    return total


def doubled_bytes(shape: ModelShape, features: Collection[str]) -> int:
    """What lies in a processor's memory twice: mapped from the file, and rewritten."""
    repacked = repacked_bytes(shape, features)
    return repacked if maps_file(repacked, shape.weights_bytes) else 0
