"""A folder's vocabulary: the keys are the official converter's, and bad folders get a sentence."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import quantize.tokenizer as package
from quantize.config import Config, read_config
from quantize.errors import CheckpointError, QuantizeError, UnsupportedError
from quantize.model import MetadataValue, Typed, TypedArray
from quantize.tokenizer import VocabStyle, known, vocabulary
from tests.helpers.fuzz import fuzz
from tests.helpers.tokenizer_oracle import GOLDENS, digests, ours
from tests.helpers.tokenizers import (
    CASES,
    added,
    byte_fallback,
    byte_level,
    sentencepiece,
    write,
    write_case,
)

EXPECTED = json.loads(GOLDENS.read_text(encoding="utf-8"))
TOKENS = "tokenizer.ggml.tokens"
KINDS = "tokenizer.ggml.token_type"


@pytest.fixture(autouse=True)
def _known_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small tokenizers count as known, by the hashes that the official converter found."""
    for golden in EXPECTED.values():
        if golden["pre_hash"]:
            monkeypatch.setitem(known.NAMES, golden["pre_hash"], "known")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_case(tmp_path / "model", CASES["qwen3"])


def read(folder: Path, style: VocabStyle = VocabStyle.GPT2) -> dict[str, MetadataValue]:
    return vocabulary(folder, read_config(folder), style)


def value(metadata: dict[str, MetadataValue], key: str) -> Any:
    found = metadata[key]
    return found.value if isinstance(found, Typed) else [*found.values]


def change(folder: Path, name: str, edit: Callable[[Any], object]) -> None:
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def refused(folder: Path, style: VocabStyle = VocabStyle.GPT2) -> QuantizeError:
    with pytest.raises(QuantizeError) as caught:
        read(folder, style)
    assert str(caught.value.hint)
    return caught.value


# What the official converter writes


@pytest.mark.parametrize("name", CASES)
def test_as_the_official_converter(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    got = digests(ours(write_case(tmp_path / name, case), VocabStyle[case.style]))
    assert got == EXPECTED[name]["keys"]
    assert [*got] == [*EXPECTED[name]["keys"]]


def test_added_tokens_are_decoded_and_sorted_by_kind(folder: Path) -> None:
    metadata = read(folder)
    texts, kinds = value(metadata, TOKENS), value(metadata, KINDS)
    tokens = dict(zip(texts, kinds, strict=True))
    assert tokens["<|begin|>"] == 3
    assert tokens["<|user|>"] == 3  # only looks special
    assert tokens["<tool_call>"] == 4
    assert tokens[" q"] == 4  # was "Ġq"
    assert tokens["�?"] == 3  # "é?" is a byte that is not UTF-8
    assert tokens["[PAD279]"] == 5
    assert tokens["  "] == 4  # was "▁▁"
    assert len(texts) == 280


def test_a_space_within_a_merge_is_written_as_a_letter(folder: Path) -> None:
    change(folder, "tokenizer.json", lambda j: j["model"]["merges"].append([" ", "a b"]))
    assert value(read(folder), "tokenizer.ggml.merges")[-1] == "Ġ aĠb"


def test_merges_may_be_in_a_file_of_their_own(folder: Path) -> None:
    merges = [" ".join(pair) for pair in byte_level()["model"]["merges"]]
    change(folder, "tokenizer.json", lambda j: j["model"].update(merges=[]))
    write(folder, merges_txt="#version: 0.2\n" + "\n".join(merges) + "\n\nbad line here\n")
    change(folder, "tokenizer.json", lambda j: j["model"].update(merges=[]))
    metadata = read_without_pre(folder)
    assert value(metadata, "tokenizer.ggml.merges") == merges


def read_without_pre(folder: Path) -> dict[str, MetadataValue]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "pre_tokenizer", lambda *_: "any")
        return read(folder)


def test_a_chat_template_file_counts_where_the_config_has_none(folder: Path) -> None:
    write(folder, chat_template_jinja="one\r\ntwo")
    change(folder, "tokenizer_config.json", lambda c: c.pop("chat_template"))
    assert value(read(folder), "tokenizer.chat_template") == "one\ntwo"
    write(folder / "additional_chat_templates", rag_jinja="three")
    metadata = read(folder)
    assert value(metadata, "tokenizer.chat_template") == "one\ntwo"
    assert value(metadata, "tokenizer.chat_template.rag") == "three"
    assert value(metadata, "tokenizer.chat_templates") == ["rag"]


def test_chat_template_json(folder: Path) -> None:
    change(folder, "tokenizer_config.json", lambda c: c.pop("chat_template"))
    write(folder, chat_template_json={"chat_template": "{{ x }}"})
    assert value(read(folder), "tokenizer.chat_template") == "{{ x }}"


def test_numbers_that_are_no_tokens_are_left_out(folder: Path) -> None:
    change(folder, "tokenizer_config.json", lambda c: c.pop("eos_token"))
    change(folder, "config.json", lambda c: c.update(eos_token_id=[1, 2], pad_token_id=-1))
    metadata = read(folder)
    assert "tokenizer.ggml.eos_token_id" not in metadata
    assert "tokenizer.ggml.unknown_token_id" not in metadata


def test_a_new_special_token_gets_the_next_number(folder: Path) -> None:
    change(folder, "tokenizer_config.json", lambda c: c.update(mask_token="<new>"))
    metadata = read(folder)
    assert value(metadata, TOKENS)[277] == "<new>"
    assert value(metadata, KINDS)[277] == 3


# Bad folders


@pytest.mark.parametrize("style", VocabStyle)
def test_no_tokenizer(style: VocabStyle, tmp_path: Path) -> None:
    write(tmp_path, config_json={"model_type": "any", "vocab_size": 8})
    error = refused(tmp_path, style)
    assert isinstance(error, CheckpointError)
    assert "has no tokenizer" in str(error)


def test_more_tokens_than_config_json_says(folder: Path) -> None:
    change(folder, "config.json", lambda c: c.update(vocab_size=276))
    error = refused(folder)
    assert isinstance(error, CheckpointError)
    assert str(error) == (
        "tokenizer.json has tokens up to number 276, but config.json says that there are 276."
    )


@pytest.mark.parametrize("size", [-1, "many", 2**40, 2.5, [3], True])
def test_absurd_vocab_size(size: object, folder: Path) -> None:
    change(folder, "config.json", lambda c: c.update(vocab_size=size))
    assert isinstance(refused(folder), CheckpointError)


def test_unknown_pre_tokenizer(folder: Path) -> None:
    split = {"type": "Split", "pattern": {"Regex": "e"}, "behavior": "Isolated"}
    change(folder, "tokenizer.json", lambda j: j.update(pre_tokenizer=split))
    error = refused(folder)
    assert isinstance(error, UnsupportedError)
    assert "unknown pre-tokenizer" in str(error)
    assert "convert-all" in str(error.hint)
    assert error.detail.startswith("hash ")


@pytest.mark.parametrize(
    "step",
    [
        {"type": "Sentences"},
        {"type": "Split", "pattern": {"Regex": "("}},
        {"type": "Split", "pattern": {"Regex": "(a+)+"}},
        {"type": "Split"},
        {"type": "Split", "pattern": "a", "behavior": "Lost"},
    ],
)
def test_a_pre_tokenizer_that_is_not_understood(step: object, folder: Path) -> None:
    change(folder, "tokenizer.json", lambda j: j.update(pre_tokenizer=step))
    assert isinstance(refused(folder), UnsupportedError)


@pytest.mark.parametrize("type_", ["WordPiece", "Unigram", "WordLevel", None])
def test_a_model_that_is_not_bpe(type_: object, folder: Path) -> None:
    change(folder, "tokenizer.json", lambda j: j["model"].update(type=type_))
    assert isinstance(refused(folder), UnsupportedError)


@pytest.mark.parametrize("style", [VocabStyle.LLAMA_HF, VocabStyle.GEMMA4])
def test_bpe_without_byte_fallback_where_it_is_needed(style: VocabStyle, folder: Path) -> None:
    assert isinstance(refused(folder, style), UnsupportedError)


@pytest.mark.parametrize("style", [VocabStyle.GLM4, VocabStyle.GLM4_MOE])
def test_a_token_that_the_family_needs(style: VocabStyle, folder: Path) -> None:
    def rename(j: Any) -> None:
        for token in j["added_tokens"]:
            token["content"] = token["content"].replace("<|user|>", "<|human|>")

    change(folder, "tokenizer.json", rename)
    assert "lacks the token <|user|>" in str(refused(folder, style))


def test_two_tokens_with_one_text(folder: Path) -> None:
    """llama.cpp would end the process that loads such a file."""
    change(folder, "tokenizer.json", lambda j: j["added_tokens"].append(added(277, " q", False)))
    error = refused(folder)
    assert isinstance(error, CheckpointError)
    assert "the same text" in str(error)


def test_phi3_with_an_added_token_beyond_the_vocabulary(tmp_path: Path) -> None:
    folder = write_case(tmp_path / "phi3", CASES["phi3"])
    change(folder, "tokenizer.json", lambda j: j["added_tokens"].append(added(300, "<x>", True)))
    assert "up to number 300" in str(refused(folder, VocabStyle.PHI3))


def test_mistrals_own_format(tmp_path: Path) -> None:
    write(tmp_path, config_json={"model_type": "mistral"}, tekken_json={})
    assert isinstance(refused(tmp_path, VocabStyle.LLAMA), UnsupportedError)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"model": {"type": "BPE", "vocab": {}}}',
        b'{"model": {"type": "BPE", "vocab": {"a": -1}}}',
        b'{"model": {"type": "BPE", "vocab": {"a": 99999999999}}}',
        b'{"model": {"type": "BPE", "vocab": {"a": "b"}}}',
        b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [1]}}',
        b'{"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b", ["a", "b"]]}}',
        b'{"model": {"type": "BPE", "vocab": {"a": 0}}, "added_tokens": [{"id": 1}]}',
        b'{"model": 1' + b"0" * 5000 + b"}",
    ],
)
def test_damaged_tokenizer_json(content: bytes, folder: Path) -> None:
    (folder / "tokenizer.json").write_bytes(content)
    error = refused(folder)
    assert isinstance(error, CheckpointError)
    assert str(error) == "tokenizer.json is damaged."


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"[" * 100_000, b"\xff"])
def test_damaged_tokenizer_config(content: bytes, folder: Path) -> None:
    (folder / "tokenizer_config.json").write_bytes(content)
    assert str(refused(folder)) == "tokenizer_config.json is damaged."


@pytest.mark.parametrize(
    "change_to",
    [
        {"added_tokens_decoder": []},
        {"added_tokens_decoder": {"x": {"content": "a"}}},
        {"added_tokens_decoder": {"-1": {"content": "a"}}},
        {"added_tokens_decoder": {"9999999999": {"content": "a"}}},
        {"added_tokens_decoder": {"1": "a"}},
        {"chat_template": [1]},
        {"chat_template": [{"name": 1, "template": "x"}]},
        {"chat_template": "\ud800"},
    ],
)
def test_wrong_kinds_in_tokenizer_config(change_to: dict[str, object], folder: Path) -> None:
    change(folder, "tokenizer_config.json", lambda c: c.update(change_to))
    error = refused(folder)
    assert isinstance(error, CheckpointError)
    assert error.path.name == "tokenizer_config.json"


def test_half_a_surrogate_pair_in_a_token(folder: Path) -> None:
    change(folder, "tokenizer_config.json", lambda c: c.update(mask_token="\udc80"))
    assert isinstance(refused(folder), CheckpointError)


def test_tokenizer_json_that_is_a_folder(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer.json").mkdir()
    assert isinstance(refused(folder), CheckpointError)


def test_a_file_far_too_large(folder: Path) -> None:
    with (folder / "tokenizer.json").open("r+b") as file:
        file.truncate(2**30)
    assert "far too large" in str(refused(folder))


# Property tests

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 300) | st.text(max_size=4) | st.floats(0, 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


def paths_in(content: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value; of long lists and objects only the ends."""
    items = [*(content.items() if isinstance(content, dict) else enumerate(content))]
    found = []
    for key, inner in items if len(items) < 30 else [*items[:2], *items[-2:]]:
        found.append((*prefix, key))
        if isinstance(inner, (dict, list)):
            found += paths_in(inner, (*prefix, key))
    return found


FILES = {
    "tokenizer_json": {"bpe": byte_level(), "fallback": byte_fallback()},
    "tokenizer_config_json": {
        "bpe": {
            "bos_token": "<|begin|>",
            "eos_token": {"content": "<|end|>", "special": True},
            "chat_template": [{"name": "default", "template": "x"}],
            "add_bos_token": True,
            "added_tokens_decoder": {"1": {"content": "<s>", "special": True}},
            "additional_special_tokens": ["<x>"],
            "tokenizer_class": "LlamaTokenizer",
        }
    },
    "added_tokens_json": {"bpe": {"<A>": 264}},
    "special_tokens_map_json": {"bpe": {"bos_token": "<s>", "pad_token": {"content": "<p>"}}},
}


@fuzz
@given(data=st.data())
def test_only_our_errors_leave(data: st.DataObject, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    name = data.draw(st.sampled_from([*FILES]))
    for file, contents in FILES.items():
        content = copy.deepcopy(contents[data.draw(st.sampled_from([*contents]))])
        if file == name:
            *outer, last = data.draw(st.sampled_from(paths_in(content)))
            place: Any = content
            for key in outer:
                place = place[key]
            place[last] = data.draw(JSON)
        write(folder, **{file: content})
    if data.draw(st.booleans()):
        write(folder, tokenizer_model=sentencepiece())
    config = Config(folder, {"vocab_size": 300}, {"vocab_size": 300})
    style = data.draw(st.sampled_from([*VocabStyle]))
    try:
        metadata = vocabulary(folder, config, style)
    except QuantizeError:
        return
    assert all(isinstance(found, (Typed, TypedArray)) for found in metadata.values())
