"""What a model's id says about it: "org/Llama-3.2-1B-Instruct-v2" in parts.

An id is guesswork in the official converter too; the same guesses give the same files. Knows no
file.

Source: llama.cpp at 0c1e57098, gguf-py/gguf/metadata.py (get_model_id_components, id_to_title),
gguf-py/gguf/utility.py (size_label).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_VERSION = re.compile(r"(v|iter)?\d+([.]\d+)*", re.IGNORECASE)
_TYPE = re.compile(r"i?q\d(_\w)*|b?fp?(16|32)", re.IGNORECASE)
_SIZE = re.compile(
    r"(([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl)", re.IGNORECASE
)
_TUNING = re.compile(r"chat|instruct|vision|lora", re.IGNORECASE)
_NOT_TITLED = re.compile(r"(v\d+(?:\.\d+)*|\d.*)$")
_UNITS = " KMBT"


@dataclass(frozen=True, slots=True)
class ModelId:
    """The parts of an id; None for what it does not say. `name` is all behind the organization."""

    name: str | None = None
    organization: str | None = None
    basename: str | None = None
    finetune: str | None = None
    version: str | None = None
    size_label: str | None = None


@dataclass(slots=True)
class _Word:
    text: str
    kinds: set[str] = field(default_factory=set)


def parse_model_id(model_id: str, n_params: int) -> ModelId:
    """`n_params` (0: not known) tells a size ("7B") from a context length ("32K")."""
    if " " in model_id:
        return ModelId(name=model_id)
    organization: str | None = None
    name = model_id
    if "/" in model_id:
        organization, name = model_id.split("/", 1)
        if organization.startswith("."):
            organization = None
    words = [_annotated(i, text, n_params) for i, text in enumerate(filter(None, name.split("-")))]
    _drop_worded_sizes(words)
    _mark_basename(words)
    finetune = _joined(word.text for word in words if "finetune" in word.kinds)
    size = _joined(dict.fromkeys(word.text for word in words if "size" in word.kinds))
    version = _joined(w.text for w in words if "version" in w.kinds and "basename" not in w.kinds)
    basename = _joined(word.text for word in words if "basename" in word.kinds)
    if size is None and finetune is None and version is None:
        basename = None  # too little to tell the base from the rest
    return ModelId(name, organization, basename, finetune, version, size)


def title(name: str) -> str:
    """ "llama-3-8B" as "Llama 3 8B": lower-case words get a capital, versions keep theirs."""
    words = name.strip().replace("-", " ").split()
    return " ".join(w.title() if w.islower() and not _NOT_TITLED.match(w) else w for w in words)


def size_label(n_total: int, n_shared: int, n_expert_params: int, n_expert: int) -> str:
    """ "1.2B", or "8x7B" of a mixture of experts, whose `n_expert_params` are one expert's."""
    if n_expert > 0:
        return f"{n_expert}x{_rounded(n_shared + n_expert_params)}"
    return _rounded(n_total)


def _rounded(n_params: int) -> str:
    """Two digits at least; each unit only begins above its thousand."""
    units = (("T", 1e12, 1e-12), ("B", 1e9, 1e-9), ("M", 1e6, 1e-6), ("K", 0, 1e-3))
    unit, scale = next((u, scale) for u, above, scale in units if n_params > above or u == "K")
    scaled = n_params * scale
    n_decimals = max(2 - len(str(round(scaled)).lstrip("0")), 0)
    return f"{scaled:.{n_decimals}f}{unit}"


def _joined(texts: Iterable[str]) -> str | None:
    return "-".join(texts) or None


def _annotated(index: int, text: str, n_params: int) -> _Word:
    """What one word of a name is taken for."""
    if _VERSION.fullmatch(text):
        return _Word(text, {"version"})
    if _TYPE.fullmatch(text):
        return _Word(text.upper(), {"type"})
    if index > 0 and _SIZE.fullmatch(text):
        return _sized(text.replace("_", "."), n_params)
    if index > 0 and _TUNING.fullmatch(text):
        return _Word(text, {"finetune"})
    return _Word(text)


def _sized(text: str, n_params: int) -> _Word:
    if text[-1].isdecimal():  # "7b1" means 7.1b
        text = f"{text[:-2]}.{text[-1]}{text[-2]}"
    if len(text) > 1 and text[-2].isdecimal() and text[-1] in "kmbt":
        text = text[:-1] + text[-1].upper()
    if n_params and _is_far_from(text, n_params):
        return _Word(text[:-1] + text[-1].lower(), {"finetune"})
    return _Word(text, {"size"})


def _is_far_from(label: str, n_params: int) -> bool:
    """Whether `label` is rather a context length than this model's size."""
    try:
        labelled = float(label[:-1]) * 1000.0 ** _UNITS.find(label[-1])
    except ValueError:
        return False
    return bool(abs(labelled - n_params) > 7 * n_params // 8)


def _drop_worded_sizes(words: list[_Word]) -> None:
    """ "mini" is no size where "4B" is one."""
    sizes = [word for word in words if "size" in word.kinds]
    if any(char.isdecimal() for word in sizes for char in word.text):
        for word in sizes:
            if all(char.isalpha() for char in word.text):
                word.kinds.remove("size")


def _mark_basename(words: list[_Word]) -> None:
    """The first words that say nothing else, up to a trailing version; the rest is tuning."""
    at_start = True
    for word in words:
        plain = not word.kinds
        at_start = at_start and ((plain and word.text[0].isalpha()) or "version" in word.kinds)
        if at_start:
            word.kinds.add("basename")
        elif plain:
            word.kinds.add("finetune")
    for word in reversed(words):
        if "basename" not in word.kinds or len(word.kinds) == 1:
            break
        word.kinds.remove("basename")
