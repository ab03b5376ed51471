"""Model families of Hugging Face: one file each, found by `model_type`.

A checkpoint comes in, a model under its GGUF names goes out; no number is computed before it is
read. A family that is not in the table is refused.
"""

from __future__ import annotations

from quantize import naming
from quantize.arch import errors
from quantize.arch.base import Family
from quantize.arch.llama import Llama
from quantize.arch.parameters import Parameters
from quantize.checkpoint import Checkpoint
from quantize.config import Config
from quantize.model import MetadataValue, Model, Typed
from quantize.tokenizer import vocabulary
from quantize.types import GgufType

# By config.json's `model_type`.
FAMILIES: dict[str, type[Family]] = {
    "llama": Llama,
}


def is_known(config: Config) -> bool:
    """Whether `convert` knows the family. Raises CheckpointError."""
    return config.model_type in FAMILIES


def convert(checkpoint: Checkpoint) -> Model:
    """The checkpoint as a model with all its keys, but for the two that only a writer knows.

    Raises UnsupportedError for an unknown family, CheckpointError where the tensors are not those
    that config.json describes.
    """
    if not is_known(checkpoint.config):
        raise errors.unknown_family(checkpoint.config.path, checkpoint.config.model_type)
    family = FAMILIES[checkpoint.config.model_type](checkpoint)
    weights = family.weights()
    general = naming.general(checkpoint.folder, checkpoint.config, weights)
    return Model(
        path=checkpoint.folder,
        name=checkpoint.folder.name,
        metadata=_metadata(family, general),
        weights=weights,
        source_type=checkpoint.source_type,
        source_bytes=checkpoint.source_bytes,
    )


def _metadata(family: Family, general: dict[str, MetadataValue]) -> dict[str, MetadataValue]:
    """All keys in the order in which the converter first sets each."""
    first = Parameters(family.architecture, family.config.path)
    family.write_first(first)
    own = Parameters(family.architecture, family.config.path)
    family.write_parameters(own)
    return {
        "general.architecture": Typed(GgufType.STRING, family.architecture),
        **first.values,
        "general.type": Typed(GgufType.STRING, "model"),
        **general,
        **own.values,
        **vocabulary(family.checkpoint.folder, family.config, family.vocabulary),
    }
