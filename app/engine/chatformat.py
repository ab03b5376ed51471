"""What a chat template says about the way its model answers, found by rendering with it.

Nobody writes down which tags a model thinks between, what ends its turn, or whether it can be told
not to think; the template shows it. It knows texts, not tokens: `app.engine.turns` has those.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.core.errors import PromptError
from app.core.reasoning import Pair, Style, style_of
from app.engine.protocol import PromptMessage
from app.engine.template import (
    FALLBACK_TEMPLATE,
    TIME_LIMIT_S,
    ChatTemplate,
    Messages,
    TemplateRefusedError,
)

# Words that stand in no template, and that none of them changes.
_Q, _A, _R, _SYSTEM, _THOUGHT = "Qprobe", "Aprobe", "Rprobe", "Sprobe", "Tprobe"
_ASKED = (PromptMessage("user", _Q),)
_ANSWERED = (*_ASKED, PromptMessage("assistant", _A))
_TURNED = (*_ANSWERED, PromptMessage("user", _R))
_THOUGHT_OVER = (*_ASKED, PromptMessage("assistant", _A, _THOUGHT))

# A tag at the beginning or end of a text: <|im_end|>, [INST], </s>.
_TAG = re.compile(r"<[^<>\s]{1,60}>|\[[^\[\]\s]{1,60}\]")
_LAST_TAG = re.compile(rf"(?:{_TAG.pattern})\s*$")
_PROBE_LIMIT_S = 2.0
FALLBACK_ENDS = ("\nUser:", "\nInstructions:", "\nAssistant:")

Variables = dict[str, Any]
# The switches that templates have, as (thinking, not thinking); the first that changes anything.
_SWITCHES: tuple[tuple[Variables, Variables], ...] = (
    ({"enable_thinking": True}, {"enable_thinking": False}),
    ({"thinking": True}, {"thinking": False}),
    ({"thinking_mode": "enabled"}, {"thinking_mode": "disabled"}),
    ({"thinking_budget": -1}, {"thinking_budget": 0}),
    ({"reasoning_effort": "high"}, {"reasoning_effort": "no_think"}),
    ({"reasoning_effort": "high"}, {"reasoning_effort": "none"}),
    ({"reasoning_effort": "medium"}, {"reasoning_effort": "low"}),
    ({"reasoning_strength": "high"}, {"reasoning_strength": "low"}),
)
_WORDS = ("/think", "/no_think")  # in a message, where the template takes them out again


@dataclass(frozen=True, slots=True)
class Ending:
    """What a template writes after an answer, up to the next turn; never only white space."""

    text: str

    @property
    def strings(self) -> tuple[str, ...]:
        """What ends an answer as text: its tag where it has one, else all of it."""
        start = self.text.lstrip()
        space = self.text[: len(self.text) - len(start)]
        if tag := _TAG.match(start):
            return tuple(dict.fromkeys((space + tag[0], tag[0])))
        whole = self.text.rstrip(" ") if space else self.text.rstrip()
        colon = (f"\n{start.rstrip()}",) if start.rstrip().endswith(":") else ()
        return tuple(dict.fromkeys(s for s in (whole, *colon) if len(s.strip()) > 2))


class ChatFormat:
    """A model's template and what it shows. `source` "" takes a plain dialogue, for base models.

    Raises PromptError where the template does not compile.
    """

    def __init__(self, source: str, bos: str, eos: str, limit_s: float = TIME_LIMIT_S) -> None:
        self.template = ChatTemplate(source or FALLBACK_TEMPLATE, bos, eos, limit_s)
        self._switch: tuple[Variables, Variables] | None = None
        self._words = False
        self._header = ""
        self.endings: tuple[Ending, ...] = ()
        self.stops: tuple[str, ...] = () if source else FALLBACK_ENDS
        self.transition = ""  # from reasoning to answer; what stands in it ends no answer
        self.style: Style = style_of(source)
        self.template.limit_s = min(limit_s, _PROBE_LIMIT_S)
        self._learn(source, _Probe(self.template, limit_s))
        self.template.limit_s = limit_s

    @property
    def can_think(self) -> bool:
        """Thinking can be switched on and off."""
        return self._switch is not None or self._words

    def render(self, messages: Messages, thinking: bool | None = None) -> str:
        """The prompt; `thinking` None leaves that to the template. Raises PromptError."""
        return self.template.render(*self.switched(messages, thinking)) + self._header

    def switched(self, messages: Messages, thinking: bool | None) -> tuple[Messages, Variables]:
        """What tells the template to let the model think, or not to: words or variables."""
        if thinking is None or not self.can_think:
            return messages, {}
        if self._switch is None:
            return _with_word(messages, _WORDS[0 if thinking else 1]), {}
        return messages, self._switch[0 if thinking else 1]

    # --- learning -----------------------------------------------------------------------------

    def _learn(self, source: str, probe: _Probe) -> None:
        asked = probe(_ASKED)
        if asked is None:
            self.template.expect_tools()
            asked = probe(_ASKED)
        system = probe((PromptMessage("system", _SYSTEM), *_ASKED))
        self.template.merges_system = system is not None and _SYSTEM not in system
        self._header = _missing_header(probe, asked)
        self.endings = _endings(probe)
        self.style = self._learn_style(source, probe, asked)
        self._learn_switch(source, probe, asked)

    def _learn_style(self, source: str, probe: _Probe, asked: str | None) -> Style:
        leads: list[str] = []
        found: tuple[Pair, ...] = ()
        answered = probe(_ANSWERED, answer=False)
        lead = _lead(asked, answered)
        thought = probe(_THOUGHT_OVER, answer=False)
        if thought is not None and -1 < thought.find(_THOUGHT) < thought.rfind(_A):
            before, _, rest = thought.partition(_THOUGHT)
            self.transition = rest[: rest.rfind(_A)]
            found = _pair(before, self.transition)
            leads.append(self.transition)
        style = style_of(source, found)
        openings = (_opening(text, style) for text in (lead, *leads))
        trims = lead[:1].isspace() and not lead.strip()
        return style_of(source, found, [o for o in openings if o], trims=trims)

    def _learn_switch(self, source: str, probe: _Probe, asked: str | None) -> None:
        if asked is None:
            return
        for on, off in _SWITCHES:
            if not _knows(source, off):
                continue
            texts = probe(_ASKED, **on), probe(_ASKED, **off)
            if None not in texts and texts[0] != texts[1]:
                self._switch = (on, off)
                return
        spoken = [probe(_with_word(_ASKED, word)) for word in _WORDS]
        taken_out = all(t is not None and _WORDS[i] not in t for i, t in enumerate(spoken))
        self._words = taken_out and spoken[0] != spoken[1]


class _Probe:
    """Renders what the template allows, for `limit_s` in all; nothing any more after that."""

    def __init__(self, template: ChatTemplate, limit_s: float) -> None:
        self._template = template
        self._until = time.monotonic() + limit_s

    def __call__(self, messages: Messages, *, answer: bool = True, **variables: Any) -> str | None:
        if time.monotonic() > self._until:
            return None
        try:
            return self._template.apply(messages, answer=answer, **variables)
        except TemplateRefusedError:
            return None
        except PromptError:  # too slow, and will be so again
            self._until = 0.0
            return None


def _knows(source: str, variables: Variables) -> bool:
    """Whether the template tells this value apart; one that only writes it takes any word."""
    (name, value), *_ = variables.items()
    told = value in ("low", "disabled") or not isinstance(value, str)
    return name in source and (told or any(f"{q}{value}{q}" in source for q in "'\""))


def _missing_header(probe: _Probe, asked: str | None) -> str:
    """The beginning of an answer, where the template writes it only before one that is there."""
    answered = probe(_ANSWERED, answer=False)
    if asked is None or answered is None or probe(_ASKED, answer=False) != asked:
        return ""
    header = answered[len(asked) : answered.rfind(_A)]
    return header if answered.startswith(asked) and header.strip() else ""


def _endings(probe: _Probe) -> tuple[Ending, ...]:
    last, turned = probe(_ANSWERED, answer=False), probe(_TURNED)
    texts = []
    if last is not None and _A in last:
        texts.append(last[last.rfind(_A) + len(_A) :])
    if turned is not None and -1 < turned.rfind(_A) < turned.rfind(_R):
        texts.append(turned[turned.rfind(_A) + len(_A) : turned.rfind(_R)])
    return tuple(Ending(text) for text in dict.fromkeys(texts) if text.strip())


def _lead(asked: str | None, answered: str | None) -> str:
    """What the template writes between the prompt that it makes and an answer."""
    if asked is None or answered is None or _A not in answered:
        return ""
    full = answered[: answered.rfind(_A)]
    n = next((i for i, (a, b) in enumerate(zip(asked, full, strict=False)) if a != b), -1)
    if n < 0:
        return full[len(asked) :]
    tag = max(full.rfind("<", 0, n), full.rfind("[", 0, n))  # not from the middle of a tag
    return full[tag:] if tag > max(full.rfind(">", 0, n), full.rfind("]", 0, n)) else full[n:]


def _pair(before: str, transition: str) -> tuple[Pair, ...]:
    """The tags around reasoning, where both are plain tags that are like each other."""
    opening, closing = _LAST_TAG.search(before), _TAG.match(transition.lstrip())
    if opening is None or closing is None:
        return ()
    pair = opening[0].strip(), closing[0]
    names = [re.sub(r"\W|START|END|start|end|begin", "", tag) for tag in pair]
    return (pair,) if names[0] and names[0] == names[1] else ()


def _opening(lead: str, style: Style) -> str:
    """What of it stands before the answer only, after all that belongs to reasoning."""
    for opening, closing in style.reasoning:
        if closing in lead:
            lead = lead.rpartition(closing)[2]
        elif opening in lead:
            return ""
    return lead.lstrip() if lead.strip() else ""


def _with_word(messages: Messages, word: str) -> Sequence[PromptMessage]:
    last = max((i for i, m in enumerate(messages) if m.role == "user"), default=-1)
    return [
        PromptMessage(m.role, f"{m.text} {word}", m.reasoning) if i == last else m
        for i, m in enumerate(messages)
    ]
