"""Model families of Hugging Face: one file each, found by `model_type`.

A checkpoint comes in, a model under its GGUF names goes out; no number is computed before it is
read. A family that is not in the table is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from quantize import naming
from quantize.arch import errors
from quantize.arch.base import Family
from quantize.arch.cohere2 import Cohere2
from quantize.arch.exaone4 import Exaone4
from quantize.arch.gemma import Gemma
from quantize.arch.gemma2 import Gemma2
from quantize.arch.gemma3 import Gemma3
from quantize.arch.gemma4 import Gemma4
from quantize.arch.glm4 import Glm4
from quantize.arch.gpt_oss import GptOss
from quantize.arch.granite import Granite
from quantize.arch.lfm2 import Lfm2
from quantize.arch.llama import Llama
from quantize.arch.mistral import Mistral
from quantize.arch.mixtral import Mixtral
from quantize.arch.olmo2 import Olmo2
from quantize.arch.parameters import Parameters
from quantize.arch.phi3 import Phi3
from quantize.arch.qwen2 import Qwen2
from quantize.arch.qwen3 import Qwen3
from quantize.arch.qwen3_5 import Qwen35, Qwen35Moe
from quantize.arch.qwen3_moe import Qwen3Moe
from quantize.arch.qwen3_next import Qwen3Next
from quantize.arch.smollm3 import SmolLM3
from quantize.checkpoint import Checkpoint
from quantize.config import Config
from quantize.model import MetadataValue, Model, Typed, Weight
from quantize.tokenizer import vocabulary
from quantize.types import GgufType

# By config.json's `model_type`.
FAMILIES: dict[str, type[Family]] = {
    "cohere2": Cohere2,
    "exaone4": Exaone4,
    "gemma": Gemma,
    "gemma2": Gemma2,
    "gemma3": Gemma3,
    "gemma3_text": Gemma3,
    "gemma4": Gemma4,
    "gemma4_text": Gemma4,
    "glm4": Glm4,
    "gpt_oss": GptOss,
    "granite": Granite,
    "lfm2": Lfm2,
    "llama": Llama,
    "mistral": Mistral,
    "mixtral": Mixtral,
    "olmo2": Olmo2,
    "phi3": Phi3,
    "qwen2": Qwen2,
    "qwen3": Qwen3,
    "qwen3_5": Qwen35,
    "qwen3_5_moe": Qwen35Moe,
    "qwen3_5_moe_text": Qwen35Moe,
    "qwen3_5_text": Qwen35,
    "qwen3_moe": Qwen3Moe,
    "qwen3_next": Qwen3Next,
    "smollm3": SmolLM3,
}


def is_known(config: Config) -> bool:
    """Whether `convert` knows the family. Raises CheckpointError."""
    family = FAMILIES.get(config.model_type)
    if family is None:
        return False
    names = config.architectures
    return not names or not family.class_names or names[0] in family.class_names


def convert(checkpoint: Checkpoint) -> Model:
    """The checkpoint as a model with all its keys, but for the two that only a writer knows.

    Raises UnsupportedError for an unknown family, CheckpointError where the tensors are not those
    that config.json describes.
    """
    family = family_of(checkpoint)
    weights = family.weights()
    words = vocabulary(checkpoint.folder, family.config, family.vocabulary)
    return Model(
        path=checkpoint.folder,
        name=naming.folder_name(checkpoint.folder),
        metadata={**keys_of(family, weights), **words},
        weights=weights,
        source_type=checkpoint.source_type,
        source_bytes=checkpoint.source_bytes,
        warnings=family.warnings(),
    )


def family_of(checkpoint: Checkpoint) -> Family:
    """The checkpoint seen as a model of its family. Raises QuantizeError."""
    config = checkpoint.config
    if not is_known(config):
        raise errors.unknown_family(config.path, _family_name(config))
    return FAMILIES[config.model_type](checkpoint)


def keys_of(family: Family, weights: Sequence[Weight]) -> dict[str, MetadataValue]:
    """All keys but the tokenizer's, in the order in which the converter first sets each."""
    first = Parameters(family.architecture, family.config.path)
    family.write_first(first)
    own = Parameters(family.architecture, family.config.path)
    family.write_parameters(own)
    checkpoint = family.checkpoint
    return {
        "general.architecture": Typed(GgufType.STRING, family.architecture),
        **first.values,
        "general.type": Typed(GgufType.STRING, "model"),
        **naming.general(checkpoint.folder, checkpoint.config, weights),
        **own.values,
    }


def _family_name(config: Config) -> str:
    """What to call a family that is not known: its type, or its class where the type is known."""
    return config.architectures[0] if config.model_type in FAMILIES else config.model_type
