"""How real models take turns: their templates' ends and tags as tokens, in the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from app.core.errors import PromptError
from app.engine.chatformat import ChatFormat
from app.engine.client import BlockingEngine
from app.engine.model import Model, NativeLog
from app.engine.protocol import Load, Sampling
from app.engine.turns import Turns, chat_template, turns_of
from quantize.gguf_header import read_header
from tests.helpers import gguf_files
from tests.helpers.asking import Answer, ask, request
from tests.helpers.changed_model import with_template, without_template

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# As gpt-oss does it: what ends the reasoning ends the answer too.
CHANNELS = (
    "{% for m in messages %}{% if m.thinking and loop.last and not add_generation_prompt %}"
    "<|im_start|>thought\n{{ m.thinking }}<|im_end|>{% endif %}"
    "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def model(starter_path: Path) -> Iterator[Model]:
    model = Model(starter_path, 0, NativeLog(), lambda _fraction: True)
    yield model
    model.close()


def _turns(model: Model, template: str) -> Turns:
    turns = turns_of(ChatFormat(template, model.bos_text, model.eos_text), model)
    model.mark(turns.ends, turns.inner, turns.shown)
    return turns


def _token(model: Model, text: str) -> int:
    (token,) = model.tokenize(text, add_special=False)
    return token


def test_a_turn_ends_with_the_templates_token_whatever_the_file_says(model: Model) -> None:
    separator, end = _token(model, "<file_sep>"), _token(model, "<|im_end|>")
    _turns(model, CHATML)
    assert (model.is_end(end), model.is_end(separator)) == (True, False)
    assert _turns(model, CHATML.replace("<|im_end|>", "<file_sep>")).ends == {separator}
    assert model.is_end(separator)


def test_a_token_between_reasoning_and_answer_ends_only_the_answer(model: Model) -> None:
    end = _token(model, "<|im_end|>")
    turns = _turns(model, CHANNELS)
    assert not model.is_end(end)  # though the file names it
    assert "<|im_end|>" in turns.stops
    assert model.piece(end) == b"<|im_end|>"
    _turns(model, CHATML)
    assert model.piece(end) == b""


def test_an_end_that_is_no_token_is_a_text(model: Model) -> None:
    turns = _turns(model, CHATML.replace("<|im_end|>", "</assistant>"))
    assert turns.ends == frozenset()
    assert turns.stops == ("</assistant>",)


def test_gemmas_turns_end_as_its_template_says() -> None:
    path = Path(__file__).parents[2] / ".cache/models/gemma-3-270m-q4_k_m.gguf"
    if not path.is_file():
        pytest.skip(f"{path.name} is not here")
    template = CHATML.replace("<|im_start|>", "<start_of_turn>")
    gemma = Model(path, 0, NativeLog(), lambda _fraction: True)
    try:
        turns = _turns(gemma, template.replace("<|im_end|>", "<end_of_turn>"))
        assert [gemma.token_text(token) for token in turns.ends] == ["<end_of_turn>"]
        assert turns.stops == ()
        assert chat_template(gemma.header) == ""  # this file is a base model's
        assert {"\nUser:", "\n\nUser:"} <= set(_turns(gemma, "").stops)
    finally:
        gemma.close()


def _load(engine: BlockingEngine, path: Path) -> None:
    loaded = engine.load(Load(str(path), n_ctx=512, states_folder=""))
    assert loaded.has_chat_template == bool(chat_template(read_header(path)))


def test_generation_stops_at_the_templates_end(
    engine: BlockingEngine, model: Model, starter_path: Path, tmp_path: Path
) -> None:
    """The bias makes the model write a token that its file does not know as an end."""
    certain = Sampling(temperature=0.0, logit_bias=((f"[{_token(model, '<file_sep>')}]", 100.0),))
    question = request("Hello", max_tokens=3, sampling=certain)
    _load(engine, starter_path)
    assert ask(engine, question).done.stop_reason == "length"
    other = CHATML.replace("<|im_end|>", "<file_sep>")
    _load(engine, with_template(starter_path, tmp_path / "m.gguf", other))
    assert ask(engine, question).done.stop_reason == "stop"


def test_a_template_without_a_beginning_of_the_answer_answers_the_same(
    engine: BlockingEngine, starter_path: Path, tmp_path: Path
) -> None:
    headerless = CHATML.partition("{% if")[0]
    answers = []
    for number, template in enumerate((CHATML, headerless)):
        path = with_template(starter_path, tmp_path / f"{number}.gguf", template)
        _load(engine, path)
        answers.append(ask(engine, request("What is the capital of France?", max_tokens=8)))
    assert answers[0].done.n_prompt == answers[1].done.n_prompt
    assert answers[0].text == answers[1].text


def test_a_base_model_does_not_go_on_talking_for_the_user(
    engine: BlockingEngine, starter_path: Path, tmp_path: Path
) -> None:
    _load(engine, without_template(starter_path, tmp_path / "base.gguf"))
    answer = ask(engine, request("What is the capital of France?", max_tokens=120))
    assert answer.text
    assert "User:" not in answer.text
    assert not answer.text[0].isspace()


def test_a_template_that_fails_in_the_second_turn_fails_then_and_not_before(
    engine: BlockingEngine, starter_path: Path, tmp_path: Path
) -> None:
    broken = "{% if messages | length > 2 %}{{ messages[9].content }}{% endif %}" + CHATML
    _load(engine, with_template(starter_path, tmp_path / "m.gguf", broken))
    assert ask(engine, request("Hello", max_tokens=2)).done.n_generated
    with pytest.raises(PromptError, match="chat template does not work"):
        ask(engine, request("Hello", "Hi.", "How are you?", max_tokens=2))
    assert ask(engine, request("Hello", max_tokens=2)).done.n_generated


def test_the_switch_for_thinking_reaches_the_template(
    engine: BlockingEngine, starter_path: Path, tmp_path: Path
) -> None:
    switch = "{% if enable_thinking %}<think>\n{% else %}<think></think>{% endif %}{% endif %}"
    template = CHATML.removesuffix("{% endif %}") + switch
    path = with_template(starter_path, tmp_path / "m.gguf", template)
    assert engine.load(Load(str(path), n_ctx=512)).can_think
    thoughtful = ask(engine, replace(request("Hello", max_tokens=8), thinking=True))
    assert _reasoning(thoughtful)
    assert not thoughtful.text
    answer = ask(engine, replace(request("Hello", max_tokens=8), thinking=False))
    assert answer.text
    assert not _reasoning(answer)


def _reasoning(answer: Answer) -> str:
    return "".join(frame.reasoning for frame in answer.frames)


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("tool_use", "default", "rag"), "default"),
        (("tool_use", "fancy"), "fancy"),
        (("tool_use",), "tool_use"),
        ((), ""),
    ],
)
def test_of_several_templates_the_one_for_talking_is_taken(
    tmp_path: Path, names: tuple[str, ...], chosen: str
) -> None:
    metadata = {k: v for k, v in gguf_files.METADATA.items() if "chat_template" not in k}
    metadata |= {f"tokenizer.chat_template.{name}": name for name in names}
    path = gguf_files.write_gguf(tmp_path / "m.gguf", metadata, gguf_files.TENSORS)
    assert chat_template(read_header(path)) == chosen
    metadata["tokenizer.chat_template"] = "the one"
    path = gguf_files.write_gguf(tmp_path / "n.gguf", metadata, gguf_files.TENSORS)
    assert chat_template(read_header(path)) == "the one"
