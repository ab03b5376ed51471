"""llama.cpp's models/templates, rendered here and by transformers: the same text, and right ends.

Where a template refuses a conversation that a person can have, transformers gives up; what is
rendered here is then held against the conversation that stands in for it. What a model would write
after each prompt is known from the template too: it must come out as reasoning and answer.
"""

from __future__ import annotations

import datetime
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.core.reasoning import ReasoningSplitter
from app.engine.chatformat import ChatFormat
from app.engine.protocol import PromptMessage
from app.engine.stopping import StopStrings
from tests.oracle.result import Result

GOLDENS = Path(__file__).resolve().parents[1] / "goldens" / "chat_ends.json"
_BOS, _EOS = "<BOS>", "<EOS>"
_SCRIPT = Path(__file__).with_name("render.py")
_U, _S = PromptMessage("user", "Hello 😀 {x}"), PromptMessage("system", "Be brief.")
_A = PromptMessage("assistant", 'Well, "so" <b>&</b>\n\n- 99999 ')
_T = PromptMessage("assistant", "Yes.", "They ask.\n\nAgain.")
_N = PromptMessage("user", "  And you?\n")
Messages = tuple[PromptMessage, ...]
CONVERSATIONS: dict[str, Messages] = {
    "a question": (_U,),
    "with a system prompt": (_S, _U),
    "two turns": (_U, _A, _N),
    "four turns with a system prompt": (_S, _U, _A, _N, _A, _U, _T, _N),
    "after reasoning": (_U, _T, _N),
}
_SYSTEM_IN_QUESTION = PromptMessage("user", f"{_S.text}\n\n{_U.text}")
Job = dict[str, Any]


def check(python: Path, packages: Path) -> Iterator[Result]:
    paths = sorted((packages / "llama-cpp-python").glob("*.jinja"))
    expected = json.loads(GOLDENS.read_text(encoding="utf-8"))
    sources = {path.stem: path.read_text(encoding="utf-8") for path in paths}
    formats = {name: ChatFormat(source, _BOS, _EOS) for name, source in sources.items()}
    asked = {name: _asked(chat) for name, chat in formats.items()}
    jobs = [
        _job(sources[name], chat, messages, thinking, *stand_in)
        for name, chat in formats.items()
        for messages, thinking in asked[name].values()
        for stand_in in _STAND_INS
    ]
    answered = {name: _answered(chat) for name, chat in formats.items()}
    jobs += [
        _job(sources[name], chat, messages, thinking, answer=False)
        for name, chat in formats.items()
        for messages, thinking in answered[name].values()
    ]
    texts = iter(_transformers(python, jobs))
    results = {name: Result(name) for name in formats}
    for name, chat in formats.items():
        _compare_prompts(results[name], chat, asked[name], texts)
    for name, chat in formats.items():
        for label, (messages, thinking) in answered[name].items():
            _compare_answer(results[name], label, chat, messages, thinking, next(texts))
        _compare_ends(results[name], chat, expected.get(name))
    yield from results.values()


# What transformers is asked in turn, until it renders: as it is, with tools, without the system's.
_STAND_INS = ((False, False), (True, False), (False, True))
_NOTES = ("", "only with a list of tools", "the system prompt in the question")
Asked = dict[str, tuple[Messages, bool | None]]


def _asked(chat: ChatFormat) -> Asked:
    switch = (None, True, False) if chat.can_think else (None,)
    return {f"{n}, {t}": (m, t) for n, m in CONVERSATIONS.items() for t in switch}


def _answered(chat: ChatFormat) -> Asked:
    switch = (None, True) if chat.can_think else (None,)
    asked: Asked = {f"a thought, {t}": ((_U, _T), t) for t in switch}
    return {**asked, "an answer": ((_U, _A), False if chat.can_think else None)}


def _job(
    source: str,
    chat: ChatFormat,
    messages: Messages,
    thinking: bool | None,
    tools: bool = False,
    merged: bool = False,
    answer: bool = True,
) -> Job:
    if merged and messages[0].role == "system":
        messages = (_SYSTEM_IN_QUESTION, *messages[2:])
    switched, variables = chat.switched(messages, thinking)
    told = [{"role": m.role, "content": m.text} for m in switched]
    for message, fields in zip(switched, told, strict=True):
        if message.reasoning:
            fields["reasoning_content"] = message.reasoning
    given: Job = {"bos_token": _BOS, "eos_token": _EOS, **variables}
    if tools:
        today = datetime.datetime.now().strftime("%Y-%m-%d")
        given |= {"tools": [], "functions": "[]", "datetime": today}
    return {"template": source, "messages": told, "answer": answer, "variables": given}


def _transformers(python: Path, jobs: list[Job]) -> list[Any]:
    done = subprocess.run(
        [python, _SCRIPT], input=json.dumps(jobs), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    found: list[Any] = json.loads(done.stdout)
    return found


def _compare_prompts(result: Result, chat: ChatFormat, asked: Asked, texts: Iterator[Any]) -> None:
    n_equal = 0
    for label, (messages, thinking) in asked.items():
        theirs = [next(texts) for _ in _STAND_INS]
        place = next((i for i, text in enumerate(theirs) if isinstance(text, str)), None)
        if place is None:
            result.differences.append(f"{label}: transformers has {theirs[0]}")
            continue
        if place and (line := f"{_NOTES[place]}: {theirs[0][0]}") not in result.notes:
            result.notes.append(line)
        ours = chat.render(messages, thinking)
        n_equal += ours == theirs[place]
        if ours != theirs[place]:
            result.differences.append(f"{label}: {_difference(theirs[place], ours)}")
    result.equal[f"{len(asked)} prompts"] = n_equal == len(asked)


def _difference(expected: str, found: str) -> str:
    pairs = enumerate(zip(expected, found, strict=False))
    at = next((i for i, (a, b) in pairs if a != b), min(len(expected), len(found)))
    start = max(at - 30, 0)
    return f"{expected[start : at + 50]!r} expected, {found[start : at + 50]!r} found"


def _compare_answer(
    result: Result,
    label: str,
    chat: ChatFormat,
    messages: Messages,
    thinking: bool | None,
    full: Any,
) -> None:
    """`full`: prompt and answer as transformers has them. Where the prompt is not the beginning of
    it, or has opened reasoning that the answer lacks, no model would write that."""
    prompt = chat.render(messages[:1], thinking)
    if not isinstance(full, str) or not full.startswith(prompt):
        return
    written, answer = full[len(prompt) :], messages[-1]
    splitter = ReasoningSplitter(prompt[-200:], chat.style)
    if splitter.in_reasoning and answer.reasoning not in written:
        return
    stops = StopStrings([*chat.stops, *(s for ending in chat.endings for s in ending.strings)])
    text = reasoning = ""
    for character in written:
        piece, thought = splitter.feed(character)
        text, reasoning = text + stops.feed(piece), reasoning + thought
    piece, thought = splitter.finish()
    text, reasoning = text + stops.feed(piece) + stops.finish(), reasoning + thought
    expected = answer.text.strip(), answer.reasoning if answer.reasoning in written else ""
    result.equal[label] = (text.strip(), reasoning) == expected
    if not result.equal[label]:
        result.differences.append(f"{label}: {written!r} became {text!r} and {reasoning!r}")


def _compare_ends(result: Result, chat: ChatFormat, expected: Any) -> None:
    ends = sorted({ending.strings[0].strip() for ending in chat.endings})
    result.equal["ends"] = ends == expected
    if ends != expected:
        result.differences.append(f"ends: {expected} expected, {ends} found")
