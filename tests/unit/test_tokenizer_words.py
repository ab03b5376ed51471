"""Expressions, words and merges: as Oniguruma and Hugging Face's tokenizers 0.23 have them.

What is expected here was printed by those libraries.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantize.tokenizer.encode import encode, with_special
from quantize.tokenizer.expression import ExpressionError, find_matches
from quantize.tokenizer.files import Step, TokenizerJson
from quantize.tokenizer.hf import HfVocabulary
from quantize.tokenizer.known import CHECK_TEXT, NAMES
from quantize.tokenizer.pre import digest
from quantize.tokenizer.pretokenize import UnknownStepError, normalize, split_words
from tests.helpers.fuzz import fuzz
from tests.helpers.tokenizers import added, byte_fallback, byte_level


def found(expression: str, text: str) -> list[str]:
    return [text[start:end] for start, end in find_matches(expression, text)]


def words(text: str, *steps: dict[str, Any]) -> list[str]:
    step = msgspec.convert({"type": "Sequence", "pretokenizers": [*steps]}, Step)
    return split_words(step, [text], is_start=True)


def split(regex: str, behavior: str = "Isolated", invert: bool = False) -> dict[str, Any]:
    pattern = {"Regex": regex}
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


# Expressions


@pytest.mark.parametrize(
    ("expression", "text", "expected"),
    [
        (r"\p{L}+", "ab1ç я2", ["ab", "ç", "я"]),
        (r"\p{Lu}\p{^L}", "A1b2C d", ["A1", "C "]),
        (r"\P{L}+", "ab12c", ["12"]),
        (r"[^\s\p{L}]+", "a 1-b", ["1-"]),
        (r"[\p{L}&&[^\p{Han}]]+", "ab我c", ["ab", "c"]),
        (r"[\p{Han}]+", "ab我想c", ["我想"]),
        (r"[a-c\-\]]+", "abd-]x", ["ab", "-]"]),
        (r"[a-c-]+", "ab-d", ["ab-"]),
        (r"[]a]+", "x]a", ["]a"]),
        (r"(?i:'s|'t)", "I'S 'u 't", ["'S", "'t"]),
        (r"\p{N}{1,3}", "12345", ["123", "45"]),
        (r"\p{N}{2}+", "12345", ["1234"]),
        (r"[^\r\n\p{L}]?+\p{L}++", "a b", ["a", " b"]),
        (r"\s+(?!\S)|\s+", "a  b", [" ", " "]),
        (r"(?<!\s)'", "a' '", ["'"]),
        (r"(?=(\d{3})+(?!\d))", "a1000", [""]),
        (r"a*", "ba", ["", "a"]),
        (r"^a|a$", "a\na", ["a", "a"]),
        (r"\x{6211}|我|\u60f3|\x61", "我想a", ["我", "想", "a"]),
        (r".", "a\nb", ["a", "b"]),
        (r"\w+", "a_ကိ-", ["a_ကိ"]),
        (r"[𐀀-𐏿]", "a", []),
    ],
)
def test_expressions(expression: str, text: str, expected: list[str]) -> None:
    assert found(expression, text) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "(",
        ")",
        "[",
        "[a",
        "[b-a]",
        "[[:alpha:]]",
        "*a",
        "a**",
        "a{",
        "\\",
        r"\p{Nonsense}\b",
        r"\x{110000}",
        "(?#comment)",
        "(?P<name>a)",
        "(?(1)a)",
        "(?<=a+)b",
        "(a+)+",
        "((a*)b)*",
        "(?:a|b+){2,}",
        "a" * 5000,
        "(" * 500,
        "[" * 500,
    ],
)
def test_expressions_that_are_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        find_matches(expression, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!")


@fuzz
@given(st.text(alphabet="ab1 \\pLNsdx{}[]()^&-+*?|.,:=!<>iu", max_size=24))
def test_only_its_error_leaves_an_expression(expression: str) -> None:
    text = "ab1 \nAç我"
    try:
        spans = find_matches(expression, text)
    except ExpressionError:
        return
    assert all(0 <= start <= end <= len(text) for start, end in spans)


# Words


@pytest.mark.parametrize(
    ("behavior", "expected"),
    [
        ("Isolated", ["a", "-", "-", "b"]),
        ("Removed", ["a", "b"]),
        ("MergedWithPrevious", ["a-", "-", "b"]),
        ("MergedWithNext", ["a", "-", "-b"]),
        ("Contiguous", ["a", "--", "b"]),
    ],
)
def test_split_behaviors(behavior: str, expected: list[str]) -> None:
    assert words("a--b", split("-", behavior)) == expected


def test_split_inverted() -> None:
    assert words("a1b", split(r"\d", "Removed", invert=True)) == ["1"]


def test_byte_level_words() -> None:
    step = {"type": "ByteLevel", "add_prefix_space": True, "use_regex": True}
    assert words("I'm 5 été\n", step) == ["ĠI", "'m", "Ġ5", "ĠÃ©tÃ©", "Ċ"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"type": "Digits", "individual_digits": True}, ["a", "1", "2", "."]),
        ({"type": "Digits", "individual_digits": False}, ["a", "12", "."]),
        ({"type": "Punctuation", "behavior": "Isolated"}, ["a12", "."]),
        ({"type": "Metaspace", "prepend_scheme": "always"}, ["▁a12."]),
        ({"type": "Metaspace", "prepend_scheme": "never"}, ["a12."]),
        ({"type": "Whitespace"}, ["a12", "."]),
        ({"type": "WhitespaceSplit"}, ["a12."]),
    ],
)
def test_other_steps(step: dict[str, Any], expected: list[str]) -> None:
    assert words("a12.", step) == expected


def test_metaspace_splits_before_spaces() -> None:
    step = {"type": "Metaspace", "prepend_scheme": "first", "replacement": "▁"}
    assert words("a b  c", step) == ["▁a", "▁b", "▁", "▁c"]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ({"type": "NFC"}, "é ﬁ"),
        ({"type": "NFKC"}, "é fi"),
        ({"type": "StripAccents"}, "e ﬁ"),
        ({"type": "Prepend", "prepend": "▁"}, "▁e\u0301 ﬁ"),
        ({"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "e\u0301▁ﬁ"),
        ({"type": "Replace", "pattern": {"Regex": r"\s"}, "content": "--"}, "e\u0301--ﬁ"),
        ({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]}, "é ﬁ"),
    ],
)
def test_normalizers(step: dict[str, Any], expected: str) -> None:
    assert normalize(msgspec.convert(step, Step), "e\u0301 ﬁ") == expected


def test_an_unknown_normalizer() -> None:
    with pytest.raises(UnknownStepError):
        normalize(Step(type="Precompiled"), "a")


# Numbers


def vocabulary(json: dict[str, Any]) -> HfVocabulary:
    tokenizer = msgspec.convert(json, TokenizerJson)
    assert isinstance(tokenizer.model.vocab, dict)
    model = tokenizer.model.vocab
    found = HfVocabulary(Path("tokenizer.json"), tokenizer, model, numbers=dict(model))
    found.add(tokenizer.added_tokens)
    return found


def texts(json: dict[str, Any], text: str) -> list[str]:
    made = vocabulary(json)
    names = {number: token for token, number in made.numbers.items()}
    return [names[number] for number in encode(made, text)]


def test_merges_go_by_rank_then_from_the_left() -> None:
    assert texts(byte_level(), " the 33333") == ["Ġthe", "Ġ", "33", "3", "33"]


def test_ignore_merges_takes_a_whole_word() -> None:
    json = byte_level()
    json["model"]["vocab"]["Ġtea"] = 266
    json["added_tokens"] = []
    assert texts(json, " tea") == ["Ġt", "e", "a"]
    json["model"]["ignore_merges"] = True
    assert texts(json, " tea") == ["Ġtea"]


def test_unknown_letters_become_bytes_or_the_unknown_token() -> None:
    json = byte_fallback()
    assert texts(json, "é") == ["<0xC3>", "<0xA9>"]
    json["model"]["byte_fallback"] = False
    assert texts(json, "aéüb") == ["a", "<unk>", "b"]
    json["model"]["fuse_unk"] = False
    assert texts(json, "aéüb") == ["a", "<unk>", "<unk>", "b"]
    json["model"]["unk_token"] = None
    assert texts(json, "aéüb") == ["a", "b"]


def test_added_tokens_in_the_text() -> None:
    json = byte_level()
    assert texts(json, "a<tool_call>b") == ["a", "<tool_call>", "b"]
    json["added_tokens"] = [added(266, "<x", False), added(267, "<x>", False) | {"lstrip": True}]
    assert texts(json, "a <x> <xb") == ["a", "<x>", "Ġ", "<x", "b"]
    json["added_tokens"] = [added(266, "in", False) | {"single_word": True}]
    json["model"]["merges"] = []
    assert texts(json, "in bin") == ["in", "Ġ", "b", "i", "n"]


def test_a_normalized_added_token_is_found_after_normalizing() -> None:
    json = byte_level() | {"added_tokens": [added(266, "é", False, normalized=True)]}
    assert texts(json, "e\u0301") == ["é"]
    json["added_tokens"] = [added(266, "é", False, normalized=False)]
    assert texts(json, "e\u0301") == ["Ã", "©"]


def test_special_tokens_around_the_text() -> None:
    template = vocabulary(byte_level()).json.post_processor
    assert with_special(template, [5]) == [266, 5]
    assert with_special(None, [5]) == [5]
    roberta = Step(type="RobertaProcessing", cls=("<s>", 0), sep=("</s>", 2))
    assert with_special(roberta, [5]) == [0, 5, 2]


# The official table


def test_the_check_text_and_the_table() -> None:
    assert len(CHECK_TEXT) == 350
    assert len(NAMES) == 91
    assert all(len(key) == 64 and name for key, name in NAMES.items())
    assert digest([1, 2]) == hashlib.sha256(b"[1, 2]").hexdigest()
