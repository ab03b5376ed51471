"""Chat templates: those of real models, and those that mean harm."""

from __future__ import annotations

import time

import pytest

from app.core.errors import PromptError
from app.engine.protocol import PromptMessage
from app.engine.template import FALLBACK_TEMPLATE, ChatTemplate

HELLO = (PromptMessage("user", "Hello"),)
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def _render(source: str, messages: tuple[PromptMessage, ...] = HELLO, limit_s: float = 5.0) -> str:
    return ChatTemplate(source, "<s>", "</s>", limit_s).render(messages)


def test_chatml() -> None:
    assert _render(CHATML) == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"


def test_the_fallback_reads_as_a_dialogue() -> None:
    messages = (PromptMessage("system", "Be brief."), *HELLO)
    assert _render(FALLBACK_TEMPLATE, messages) == (
        "Instructions: Be brief.\n\nUser: Hello\n\nAssistant:"
    )


def test_what_templates_expect_is_there() -> None:
    source = (
        "{{ bos_token }}{{ strftime_now('%Y') | length }}{{ {'a': 'é'} | tojson }}"
        "{% for m in messages %}{% if loop.first %}{% continue %}{% endif %}{% endfor %}"
        "{% generation %}{{ eos_token }}{% set x = 1 %}{% endgeneration %}{{ x }}"
        "{{ tools is none and documents is none and tool_call is not defined }}"
        "{{ {'b': [1, 2]} | tojson(separators=(',', ':'), sort_keys=true) }}"
        "{% for key, value in {'k': 1}.items() %}{{ key ~ value }}{% endfor %}"
        "{{ '%s-%d' % ('a', 7) }}{{ '{:>3}'.format('b') }}{{ 'a,b' | replace(',', '') }}"
    )
    assert _render(source) == '<s>4{"a": "é"}</s>1True{"b":[1,2]}k1a-7  bab'


def test_the_bounds_are_not_for_what_people_write() -> None:
    text = "123456 %9999999d {:{}} " * 50_000  # 1 MB
    source = (
        "{% set c = messages[0].content %}{{ c.strip().split('%')[0] }}{{ c.replace('{', '(') }}"
        "{{ '' ~ c + 'x' }}{{ '%s' | format(c) }}{{ c | trim | length }}{{ '{}'.format(c) }}"
    )
    assert len(_render(source, (PromptMessage("user", text),))) > 4 * len(text)


def test_tools_and_calls_reach_the_template() -> None:
    template = ChatTemplate(
        "{% for t in tools %}{{ t | tojson(indent=1) }}{% endfor %}"
        "{% for m in messages %}{{ m.content if m.content is not none }}{% endfor %}"
        "{{ enable_thinking }}",
        "",
        "",
    )
    text = template.apply(HELLO, tools=[{"name": "look"}], enable_thinking=False)
    assert text == '{\n "name": "look"\n}HelloFalse'


def test_a_template_without_a_system_role_gets_it_in_the_first_message() -> None:
    source = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
        "{{ messages[0].content }}"
    )
    messages = (PromptMessage("system", "Be brief."), *HELLO)
    assert _render(source, messages) == "Be brief.\n\nHello"


def test_a_template_that_raises_says_so() -> None:
    with pytest.raises(PromptError, match=r"does not work: conversation must alternate\."):
        _render("{{ raise_exception('conversation must alternate') }}")


def test_a_template_that_loops_for_ever_is_ended() -> None:
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    started = time.monotonic()
    with pytest.raises(PromptError, match="takes too long"):
        _render(loop, limit_s=0.2)
    assert time.monotonic() - started < 5


def test_rendering_again_after_a_time_out_works() -> None:
    template = ChatTemplate(
        "{% for m in messages %}{% if m.content == 'loop' %}{% for a in range(99999) %}"
        "{% for b in range(99999) %}{% endfor %}{% endfor %}{% endif %}{{ m.content }}{% endfor %}",
        "",
        "",
        0.2,
    )
    with pytest.raises(PromptError):
        template.render((PromptMessage("user", "loop"),))
    assert template.render(HELLO) == "Hello"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__.os.system('true') }}",
        "{{ strftime_now.__globals__.os }}",
        "{{ 'x' * 10000000000 }}",
        "{{ 10 ** 10000000 }}",
        "{{ [0] * 10000000000 }}",
        "{{ messages | attr('__class__') }}{{ nothing.here }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ unknown() }}",
        "{{ 1 / 0 }}",
        "{% if %}",
        "{{ messages[0]",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ range(10000000) }}",
        "{{ 'x'.ljust(10000000000) }}",
        "{{ ('x' * 999999).replace('x', 'x' * 999999) }}",
        "{{ '%9999999999d' % 1 }}",
        "{{ '{:9999999999}'.format(1) }}",
        "{{ '{:{}}'.format(1, 9999999999) }}",
        "{{ '%*d' | format(9999999999, 1) }}",
        "{{ 'x' | center(9999999999) }}",
        "{{ range(99999) | map('string') | join('x' * 999999) }}",
        "{% set n = namespace(x='xx') %}{% for i in range(99) %}"
        "{% set n.x = n.x ~ n.x %}{% endfor %}",
        "{% set n = namespace(x='xx') %}{% for i in range(99) %}"
        "{% set n.x = n.x + n.x %}{% endfor %}",
        "{% set n = namespace(x=9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}",
    ],
)
def test_a_hostile_or_broken_template_ends_in_a_sentence(source: str) -> None:
    with pytest.raises(PromptError) as caught:
        _render(source, limit_s=2.0)
    assert "\n" not in str(caught.value.text)
    assert caught.value.hint


def test_an_endless_prompt_is_refused() -> None:
    with pytest.raises(PromptError):
        _render(
            "{% for a in range(99999) %}{{ 'x' * 1000 }}{% endfor %}" * 3,
            limit_s=20.0,
        )
