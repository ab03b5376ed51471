"""How a loaded model takes turns: its template's texts as tokens of its vocabulary.

A turn ends with the token that the template writes after an answer, whatever the file names as its
end of text; where the vocabulary has no such token, with that text.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.engine.chatformat import ChatFormat
from app.engine.model import Model
from quantize.gguf_header import GgufHeader

_KEY = "tokenizer.chat_template"
_LAST = ("rag", "tool_use")  # made for other things than talking


@dataclass(frozen=True, slots=True)
class Turns:
    """`ends`: tokens that end an answer. `inner`: tokens that do not, whatever the file says,
    because they stand between reasoning and answer. `shown`: control tokens that tell reasoning
    from the answer, so their text is needed. `stops`: texts that end an answer."""

    ends: frozenset[int]
    inner: frozenset[int]
    shown: frozenset[int]
    stops: tuple[str, ...]


def chat_template(header: GgufHeader) -> str:
    """The template for a conversation without tools; "" where the file has none.

    A file may have several, each under its name (gguf-py/gguf/constants.py, CHAT_TEMPLATE_N).
    """
    named = [key for key in header.metadata if key.startswith(f"{_KEY}.")]
    named.sort(key=lambda key: (key != f"{_KEY}.default", key.endswith(_LAST), key))
    return next((text for key in (_KEY, *named) if (text := header.text(key))), "")


def turns_of(chat: ChatFormat, model: Model) -> Turns:
    inner = frozenset(model.special_tokens(chat.transition))
    ends: set[int] = set()
    shown = {token for mark in chat.style.marks for token in model.special_tokens(mark)}
    stops = [*chat.stops, *chat.style.ends]
    for ending in chat.endings:
        token = model.first_special(ending.text.lstrip())
        if token is None:
            stops.extend(ending.strings)
        elif token in inner:  # it ends an answer, but not reasoning: the text decides
            shown.add(token)
            stops.append(model.token_text(token))
        else:
            ends.add(token)
    return Turns(frozenset(ends), inner, frozenset(shown), tuple(dict.fromkeys(stops)))
