"""config.json: what is found in sound ones, and what is said about the others."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.config import Config, read_config
from quantize.errors import CheckpointError
from tests.helpers.fuzz import fuzz
from tests.helpers.safetensors_files import write_config

LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "rms_norm_eps": 1e-5,
    "rope_scaling": None,
    "torch_dtype": "bfloat16",
}


def config(tmp_path: Path, values: dict[str, Any]) -> Config:
    write_config(tmp_path, values)
    return read_config(tmp_path)


def refused(tmp_path: Path, data: bytes) -> CheckpointError:
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        read_config(tmp_path)
    return caught.value


def test_values_of_a_sound_file(tmp_path: Path) -> None:
    found = config(tmp_path, LLAMA)
    assert found.model_type == "llama"
    assert found.architectures == ("LlamaForCausalLM",)
    assert found.number("n_embd", "hidden_size") == 64
    assert found.real("rms_norm_eps") == 1e-5
    assert found.real("hidden_size") == 64.0
    assert found.text("torch_dtype") == "bfloat16"
    assert found.quantization == {}


def test_the_first_key_that_is_there_wins_be_it_null(tmp_path: Path) -> None:
    found = config(tmp_path, LLAMA)
    assert found.get("nothing", "hidden_size") == 64
    assert found.get("rope_scaling", "hidden_size", default=3) is None
    assert found.get("nothing", default=3) == 3


def test_text_config_lies_over_the_root(tmp_path: Path) -> None:
    text = {"model_type": "gemma3_text", "hidden_size": 8, "architectures": None}
    root = {**LLAMA, "model_type": "gemma3", "text_config": text, "vision_config": {}}
    found = config(tmp_path, root)
    assert found.model_type == "gemma3_text"
    assert found.number("hidden_size") == 8
    assert found.real("rms_norm_eps") == 1e-5
    assert found.architectures == ("LlamaForCausalLM",)
    assert found.root["model_type"] == "gemma3"


@pytest.mark.parametrize("key", ["llm_config", "lm_config", "language_config", "lfm"])
def test_text_config_of_other_names(tmp_path: Path, key: str) -> None:
    assert config(tmp_path, {**LLAMA, key: {"hidden_size": 7}}).number("hidden_size") == 7


def test_text_config_within_a_thinker(tmp_path: Path) -> None:
    values = {**LLAMA, "thinker_config": {"text_config": {"hidden_size": 7}}}
    assert config(tmp_path, values).number("hidden_size") == 7


def test_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(LLAMA).encode())
    assert read_config(tmp_path).model_type == "llama"


@pytest.mark.parametrize(
    ("kind", "key", "value", "words"),
    [
        ("number", "n", 1.5, "“n” should be a whole number"),
        ("number", "n", True, "“n” should be a whole number"),
        ("number", "n", "8", "“n” should be a whole number"),
        ("number", "n", None, "“n” should be a whole number"),
        ("number", "n", 2**63, "“n” should be a whole number"),
        ("real", "x", "1e-5", "“x” should be a number"),
        ("real", "x", [1], "“x” should be a number"),
        ("real", "x", False, "“x” should be a number"),
        ("real", "x", float("inf"), "“x” should be a number"),
        ("real", "x", 10**400, "“x” should be a number"),
        ("text", "s", 1, "“s” should be text"),
    ],
)
def test_wrong_kinds_are_named(
    tmp_path: Path, kind: str, key: str, value: object, words: str
) -> None:
    found = config(tmp_path, {key: value})
    with pytest.raises(CheckpointError, match=words) as caught:
        getattr(found, kind)("other", key)
    assert str(caught.value).startswith("config.json: ")


def test_whole_numbers_may_be_written_as_fractions(tmp_path: Path) -> None:
    assert config(tmp_path, {"n": 4096.0}).number("n") == 4096


def test_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        config(tmp_path, {}).number("n_embd", "hidden_size")
    assert str(caught.value) == "config.json does not say “n_embd” / “hidden_size”."


@pytest.mark.parametrize("value", [None, 7])
def test_missing_model_type(tmp_path: Path, value: object) -> None:
    found = config(tmp_path, {} if value is None else {"model_type": value})
    with pytest.raises(CheckpointError, match="model_type"):
        _ = found.model_type
    assert found.architectures == ()


def test_quantization_of_the_wrong_kind(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="“quantization_config” should be an object"):
        _ = config(tmp_path, {"quantization_config": "gptq"}).quantization


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "config.json is damaged: it is not valid JSON."),
        (b"{", "config.json is damaged: it is not valid JSON."),
        (b"\xff\xfe{\0}\0", "config.json is damaged: it is not valid JSON."),
        (b'{"a": "\xe9"}', "config.json is damaged: it is not valid JSON."),
        (b'{"a":' * 100_000, "config.json is damaged: it is not valid JSON."),
        (b'{"a": ' + b"9" * 5000 + b"}", "config.json is damaged: it is not valid JSON."),
        (b'{"a": [' + b"[]," * 2_100_000 + b"1]}", "config.json is damaged: it is not valid JSON."),
        (b"[1]", "config.json is damaged: it does not say what it should."),
        (b"null", "config.json is damaged: it does not say what it should."),
        (b'{"text_config": 3}', "config.json: “text_config” should be an object."),
    ],
)
def test_damaged_files(tmp_path: Path, data: bytes, words: str) -> None:
    error = refused(tmp_path, data)
    assert str(error) == words
    assert error.path == tmp_path / "config.json"
    assert error.hint is not None
    assert error.detail


def test_file_of_50_mb(tmp_path: Path) -> None:
    refused(tmp_path, b"{")
    os.truncate(tmp_path / "config.json", 50_000_000)
    with pytest.raises(CheckpointError) as caught:
        read_config(tmp_path)
    assert str(caught.value) == "config.json is far too large (50 MB)."


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        read_config(tmp_path)


def test_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(CheckpointError) as caught:
        read_config(tmp_path)
    assert str(caught.value) == "config.json is not an ordinary file."


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe has no name in the file system there")
def test_named_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(CheckpointError, match="is not an ordinary file"):
        read_config(tmp_path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("config")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = ("model_type", "architectures", "text_config", "thinker_config", "quantization_config", "n")


@given(content=st.dictionaries(st.sampled_from(KEYS), values))
@fuzz
def test_only_checkpoint_errors_come_out(folder: Path, content: dict[str, Any]) -> None:
    write_config(folder, content)
    try:
        found = read_config(folder)
    except CheckpointError:
        return
    assert all(isinstance(name, str) for name in found.architectures)
    for ask in (found.number, found.real, found.text, _model_type(found), _quantization(found)):
        try:
            ask("n")
        except CheckpointError as error:
            check_printable(error)


def check_printable(error: CheckpointError) -> None:
    assert str(error).isprintable()


def _model_type(found: Config) -> Any:
    return lambda _: found.model_type


def _quantization(found: Config) -> Any:
    return lambda _: found.quantization
