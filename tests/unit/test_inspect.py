"""What a look into a file says."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random

import pytest

from quantize.errors import QuantizeError
from quantize.inspect import inspect_file, render, to_json
from tests.helpers.gguf_files import ATTACKS, F32, Q4_0, Tensor, write_gguf

METADATA = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "tokenizer.ggml.tokens": ["a"] * 100,
    "some.list": [1, 2, 3],
    "tokenizer.chat_template": "{{ one }}\n{{ two }}",
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    tensors = (
        Tensor("token_embd.weight", Q4_0, (32, 4), bytes(72)),
        Tensor("output_norm.weight", F32, (32,), bytes(128)),
    )
    return write_gguf(tmp_path / "m.gguf", METADATA, tensors)


def test_types_are_counted_and_long_values_shortened(model: Path) -> None:
    found = inspect_file(model)
    assert found.composition == {"F32": 128, "Q4_0": 72}
    assert found.bpw == pytest.approx(200 * 8 / 160)
    metadata = dict(found.metadata)
    assert metadata["tokenizer.ggml.tokens"] == "[string × 100]"
    assert metadata["some.list"] == "[1, 2, 3]"
    text = render(found)
    assert "Tiny" in text
    assert "some.list = [1, 2, 3]" in text
    assert json.loads(json.dumps(to_json(found)))["tensors"][0]["type"] == "Q4_0"


def test_the_chat_template_is_held_against_the_source(model: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "tokenizer_config.json").write_text('{"chat_template": "{{ one }}\\n{{ 2 }}"}')
    found = inspect_file(model, source)
    assert "-{{ 2 }}\n+{{ two }}" in found.template_diff
    assert "The chat template differs" in render(found)
    same = write_gguf(tmp_path / "same.gguf", METADATA)
    assert inspect_file(model, same).template_diff == ""


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_hostile_file_is_refused(tmp_path: Path, attack: object) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(attack())  # type: ignore[operator]
    with pytest.raises(QuantizeError):
        inspect_file(path)


def test_nothing_in_a_file_commands_the_terminal(tmp_path: Path) -> None:
    values = {
        "general.architecture": "llama\x1b[31m",
        "general.name": "Evil\x1b]0;title\x07",
        "a\x1b[2Jkey": "value\nwith\tlines\x9b",
        "list": ["\x1b[H", "b"],
        "tokenizer.chat_template": "{{ one }}\x1b[2J\n\t{{ two }}",
    }
    model = write_gguf(tmp_path / "m.gguf", values)
    against = write_gguf(tmp_path / "n.gguf", {"general.architecture": "llama"})
    text = render(inspect_file(model, against))
    assert "\x1b" not in text
    assert all(line.isprintable() for line in text.split("\n"))
    assert "value with lines" in text
    assert "+        {{ two }}" in text


def test_two_huge_templates_are_not_compared_for_ever(tmp_path: Path) -> None:
    """Half a minute for these, an hour for the longest that a header may hold."""
    random = Random(1)
    for name in ("m", "n"):
        template = "\n".join(str(random.randrange(200)) for _ in range(100_000))
        write_gguf(tmp_path / f"{name}.gguf", {**METADATA, "tokenizer.chat_template": template})
    began = time.process_time()
    assert inspect_file(tmp_path / "m.gguf", tmp_path / "n.gguf").template_diff
    assert time.process_time() - began < 5


def test_a_source_that_is_not_there_is_said(model: Path, tmp_path: Path) -> None:
    with pytest.raises(QuantizeError, match="nowhere is not there"):
        inspect_file(model, tmp_path / "nowhere")
