"""What templates in the style of each family say about answers: ends, tags, switches, repairs."""

from __future__ import annotations

import pytest

from app.core.errors import PromptError
from app.engine.chatformat import ChatFormat, Ending
from app.engine.protocol import PromptMessage

USER, NEXT = PromptMessage("user", "Hello"), PromptMessage("user", "And you?")
ANSWER = PromptMessage("assistant", "Well.", "They greet me.")
SYSTEM = PromptMessage("system", "Be brief.")

_TURN = "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
CHATML = (
    "{% for m in messages %}" + _TURN + "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QWEN = (
    CHATML.replace(
        "{{ m.content }}",
        "{% if loop.last and m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n"
        "{% endif %}{{ m.content }}",
    )
    + "{% if add_generation_prompt and enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}"
)
HEADERLESS = "{% for m in messages %}" + _TURN + "{% endfor %}"
GEMMA = (
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}"
    "{% endif %}{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}<start_of_turn>{{ m.role }}\n"
    "{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
HARMONY = (
    "<|start|>system<|message|>Reasoning: {{ reasoning_effort or 'medium' }}<|end|>"
    "{% for m in messages %}{% if m.role == 'assistant' %}"
    "{% if m.thinking and loop.last and not add_generation_prompt %}"
    "<|start|>assistant<|channel|>analysis<|message|>{{ m.thinking }}<|end|>{% endif %}"
    "<|start|>assistant<|channel|>final<|message|>{{ m.content }}"
    "{{ '<|return|>' if loop.last else '<|end|>' }}"
    "{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
COHERE = (
    "{% for m in messages %}<|START_OF_TURN_TOKEN|>{% if m.role == 'assistant' %}<|CHATBOT_TOKEN|>"
    "<|START_RESPONSE|>{{ m.content }}<|END_RESPONSE|>{% else %}<|USER_TOKEN|>{{ m.content }}"
    "{% endif %}<|END_OF_TURN_TOKEN|>{% endfor %}<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>"
    "{% if not enable_thinking %}<|START_THINKING|><|END_THINKING|>{% endif %}"
)
SEED = (
    "{% if not thinking_budget is defined %}{% set thinking_budget = -1 %}{% endif %}"
    "{% for m in messages %}<seed:bos>{{ m.role }}\n{% if m.reasoning_content %}<seed:think>"
    "{{ m.reasoning_content }}</seed:think>{% endif %}{{ m.content }}<seed:eos>{% endfor %}"
    "{% if add_generation_prompt %}<seed:bos>assistant\n{% if thinking_budget == 0 %}<seed:think>"
    "</seed:think>{% endif %}{% endif %}"
)
NEMOTRON = (
    "{% set ns = namespace(on=true) %}{% for m in messages %}{% if '/no_think' in m.content %}"
    "{% set ns.on = false %}{% elif '/think' in m.content %}{% set ns.on = true %}{% endif %}"
    "<S>{{ m.role }}\n{{ m.content.replace('/think', '').replace('/no_think', '').strip() }}\n"
    "{% endfor %}{% if add_generation_prompt %}<S>Assistant\n<think>"
    "{% if not ns.on %}</think>{% endif %}{% endif %}"
)
NEW_TAG = CHATML.replace(
    "{{ m.content }}",
    "{% if m.reasoning %}<ponder>{{ m.reasoning }}</ponder>{% endif %}{{ m.content }}",
)
NAMED_TOOLS = "{% for t in tools %}{{ t.name }}{% endfor %}" + CHATML
VICUNA = (
    "{% for m in messages %}{{ m.role | upper }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def _format(source: str) -> ChatFormat:
    return ChatFormat(source, "<s>", "</s>")


def _ends(source: str) -> set[str]:
    return {ending.text.strip() for ending in _format(source).endings}


@pytest.mark.parametrize(
    ("source", "end"),
    [
        (CHATML, "<|im_end|>"),
        (GEMMA.replace("{{ bos_token }}", ""), "<end_of_turn>"),
        (MISTRAL, "</s>"),
        (COHERE, "<|END_RESPONSE|>"),
        (SEED, "<seed:eos>"),
        (HARMONY, "<|return|>"),
        (VICUNA, "USER:"),
    ],
)
def test_what_ends_a_turn_is_what_the_template_writes_after_an_answer(
    source: str, end: str
) -> None:
    assert any(text.startswith(end) for text in _ends(source))


@pytest.mark.parametrize(
    ("text", "strings"),
    [
        ("<|im_end|>\n<|im_start|>user\n", ("<|im_end|>",)),
        ("\n</assistant>\n<user>", ("\n</assistant>", "</assistant>")),
        ("\n\nUser: ", ("\n\nUser:", "\nUser:")),
        ("\nUSER: ", ("\nUSER:",)),
        (" [INST]", (" [INST]", "[INST]")),
        ("\n\n### Instruction:\n", ("\n\n### Instruction:\n", "\n### Instruction:")),
    ],
)
def test_an_end_without_a_token_is_a_stop_string(text: str, strings: tuple[str, ...]) -> None:
    assert Ending(text).strings == strings


@pytest.mark.parametrize(
    ("source", "on", "off"),
    [
        (QWEN, "assistant\n", "<think>\n\n</think>\n\n"),
        (HARMONY, "Reasoning: medium", "Reasoning: low"),
        (COHERE, "<|CHATBOT_TOKEN|>", "<|START_THINKING|><|END_THINKING|>"),
        (SEED, "assistant\n", "<seed:think></seed:think>"),
        (NEMOTRON, "<think>", "<think></think>"),
    ],
)
def test_the_switch_is_found_and_used(source: str, on: str, off: str) -> None:
    chat = _format(source)
    assert chat.can_think
    texts = chat.render([USER], thinking=True), chat.render([USER], thinking=False)
    assert on in texts[0]
    assert off in texts[1]
    assert texts[0] != texts[1]
    assert "/no_think" not in texts[1]
    assert chat.render([USER]) in texts


@pytest.mark.parametrize("source", [CHATML, GEMMA, MISTRAL, NEW_TAG, VICUNA, HEADERLESS])
def test_a_template_without_a_switch_has_none(source: str) -> None:
    chat = _format(source)
    assert not chat.can_think
    assert chat.render([USER], thinking=False) == chat.render([USER])


def test_a_missing_beginning_of_the_answer_is_added() -> None:
    assert _format(HEADERLESS).render([USER]) == _format(CHATML).render([USER])
    assert _format(MISTRAL).render([USER]) == "<s>[INST]Hello[/INST]"  # there it is none


def test_a_system_message_that_is_ignored_or_refused_goes_to_the_first_question() -> None:
    asked = [PromptMessage("user", "Be brief.\n\nHello")]
    for source in (GEMMA, MISTRAL):
        assert _format(source).render([SYSTEM, USER]) == _format(source).render(asked)
        assert "Be brief." in _format(source).render([SYSTEM])


def test_roles_that_must_alternate_are_made_to() -> None:
    text = _format(GEMMA).render([USER, NEXT])
    assert "Hello\n\nAnd you?" in text
    assert _format(GEMMA).render([SYSTEM, USER, NEXT]).count("<start_of_turn>user") == 1
    assert _format(CHATML).render([USER, NEXT]).count("<|im_start|>user") == 2


def test_earlier_reasoning_is_where_templates_look_for_it() -> None:
    assert "<seed:think>They greet me.</seed:think>Well." in _format(SEED).render(
        [USER, ANSWER, NEXT]
    )
    assert "They greet me." not in _format(QWEN).render([USER, ANSWER, NEXT])
    assert "They greet me." not in _format(CHATML).render([USER, ANSWER, NEXT])


def test_the_marks_around_reasoning_and_answer_are_learnt() -> None:
    assert ("<ponder>", "</ponder>") in _format(NEW_TAG).style.reasoning
    harmony = _format(HARMONY)
    assert "<|channel|>final<|message|>" in harmony.style.answer
    assert "<|start|>assistant<|channel|>final<|message|>" in harmony.style.answer
    assert harmony.transition == "<|end|><|start|>assistant<|channel|>final<|message|>"
    assert _format(COHERE).style.answer == ("<|START_RESPONSE|>",)
    assert _format(VICUNA).style.trims
    assert not _format(CHATML).style.trims


def test_a_template_that_needs_tools_gets_none_of_them() -> None:
    assert _format(NAMED_TOOLS).render([USER]) == _format(CHATML).render([USER])


def test_a_base_model_gets_a_dialogue_that_ends_before_the_users_next_words() -> None:
    chat = _format("")
    assert chat.render([SYSTEM, USER]) == "Instructions: Be brief.\n\nUser: Hello\n\nAssistant:"
    ends = {*chat.stops, *(s for ending in chat.endings for s in ending.strings)}
    assert {"\nUser:", "\n\nUser:", "\nInstructions:", "\nAssistant:"} <= ends
    assert chat.style.trims


def test_a_template_that_fails_in_the_second_turn_says_so_then() -> None:
    chat = _format("{% if messages | length > 2 %}{{ messages[9].content }}{% endif %}" + CHATML)
    assert chat.render([USER])
    with pytest.raises(PromptError, match="does not work"):
        chat.render([USER, ANSWER, NEXT])


@pytest.mark.parametrize("source", ["", CHATML, GEMMA, MISTRAL, HARMONY, QWEN, COHERE])
def test_no_conversation_is_too_short(source: str) -> None:
    assert "Be brief." in _format(source).render([SYSTEM])
    with pytest.raises(PromptError, match="no message"):
        _format(source).render([])


def test_a_slow_template_does_not_hold_up_the_load() -> None:
    slow = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    chat = ChatFormat(slow, "", "", limit_s=0.2)
    assert chat.endings == ()
    assert not chat.can_think
