"""llama.cpp reads the vocabularies that are written, and finds the same numbers in a text."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import quantize.tokenizer as package
from quantize.config import read_config
from quantize.gguf_writer import header_bytes
from quantize.libllama import lib
from quantize.model import MetadataValue, Typed
from quantize.tokenizer import VocabStyle, known, vocabulary
from quantize.tokenizer.encode import encode
from quantize.tokenizer.files import TokenizerFiles
from quantize.tokenizer.hf import read_vocabulary
from quantize.types import GgufType
from tests.helpers.tokenizers import CASES, byte_level, write, write_case

TOKENS = "tokenizer.ggml.tokens"
PRE = "llama-bpe"  # cuts words as the small byte-level tokenizer does
_KEYS: dict[str, MetadataValue] = {
    "general.architecture": Typed(GgufType.STRING, "llama"),
    "llama.context_length": Typed(GgufType.UINT32, 64),
    "llama.embedding_length": Typed(GgufType.UINT32, 8),
    "llama.block_count": Typed(GgufType.UINT32, 1),
    "llama.feed_forward_length": Typed(GgufType.UINT32, 8),
    "llama.attention.head_count": Typed(GgufType.UINT32, 1),
    "llama.attention.layer_norm_rms_epsilon": Typed(GgufType.FLOAT32, 1e-5),
}


@pytest.fixture(autouse=True)
def _any_pre_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "pre_tokenizer", lambda *_: PRE)


@contextmanager
def loaded(path: Path, metadata: Mapping[str, MetadataValue]) -> Iterator[object]:
    """llama.cpp's vocabulary of a GGUF that holds nothing else."""
    path.write_bytes(header_bytes(_KEYS | dict(metadata), ()))
    lib.llama_backend_init()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(str(path).encode(), params)
    assert model
    try:
        yield lib.llama_model_get_vocab(model)
    finally:
        lib.llama_model_free(model)


def numbers(vocab: object, text: str) -> list[int]:
    data = text.encode("utf-8")
    found = (ctypes.c_int32 * (len(data) + 8))()
    n = lib.llama_tokenize(vocab, data, len(data), found, len(found), False, True)
    return list(found[:n])


@pytest.mark.parametrize("name", ["llama3", "llama_hf", "llama", "gemma2", "phi3", "glm4"])
def test_llama_cpp_loads_the_vocabulary(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    folder = write_case(tmp_path / name, case)
    metadata = vocabulary(folder, read_config(folder), VocabStyle[case.style])
    with loaded(tmp_path / "model.gguf", metadata) as vocab:
        assert lib.llama_vocab_n_tokens(vocab) == metadata[TOKENS].count  # type: ignore[union-attr]


def test_llama_cpp_finds_the_same_numbers(tmp_path: Path) -> None:
    folder = write_case(tmp_path / "llama3", CASES["llama3"])
    tokenizer = byte_level()
    del tokenizer["added_tokens"][3:]  # llama.cpp finds "▁▁" in two spaces
    write(folder, tokenizer_json=tokenizer)
    metadata = vocabulary(folder, read_config(folder), VocabStyle.LLAMA)
    expected = encode(read_vocabulary(TokenizerFiles(folder)), known.CHECK_TEXT)
    with loaded(tmp_path / "model.gguf", metadata) as vocab:
        assert numbers(vocab, known.CHECK_TEXT) == expected


@pytest.mark.parametrize(
    "pre", sorted(set(known.NAMES.values()) - {"jina-v2-en", "bert-bge-large"})
)
def test_every_name_is_known_to_llama_cpp(pre: str, tmp_path: Path) -> None:
    folder = write_case(tmp_path / "llama3", CASES["llama3"])
    metadata = vocabulary(folder, read_config(folder), VocabStyle.LLAMA)
    metadata["tokenizer.ggml.pre"] = Typed(GgufType.STRING, pre)
    with loaded(tmp_path / "model.gguf", metadata) as vocab:
        assert lib.llama_vocab_n_tokens(vocab) == 280
