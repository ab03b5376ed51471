"""What a GGUF holds, for people who want to look: keys, tensors by type, the chat template.

Reads the header only, and trusts none of it. Knows neither windows nor terminals.
"""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quantize.gguf_header import ArrayRef, GgufHeader, TensorInfo, Value, read_header
from quantize.model import Typed
from quantize.tokenizer.chat_template import chat_template, template_metadata
from quantize.tokenizer.files import TokenizerFiles

_N_SHOWN = 8  # of an array's values
_MAX_TEXT = 400
_MAX_COMPARED = 50_000  # characters of a template; more would keep difflib busy for minutes
_TEMPLATE_KEY = "tokenizer.chat_template"


@dataclass(frozen=True, slots=True)
class TypeShare:
    """All tensors of one type together."""

    type: str
    n_tensors: int
    n_elements: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """`metadata`: key, and value as it reads. `template_diff` is a unified diff, "" for none."""

    path: Path
    name: str
    variant: str
    architecture: str
    size_bytes: int
    n_params: int
    n_ctx_train: int
    bpw: float
    types: tuple[TypeShare, ...]
    metadata: tuple[tuple[str, str], ...]
    tensors: tuple[TensorInfo, ...]
    chat_template: str
    template_diff: str = ""

    @property
    def composition(self) -> dict[str, int]:
        """Bytes by tensor type, most first."""
        return {share.type: share.n_bytes for share in self.types}


def inspect_file(path: Path, against: Path | None = None) -> Inspection:
    """What the GGUF at `path` holds, its chat template held against that of `against`, a GGUF or a
    folder of original weights. Raises QuantizeError."""
    header = read_header(path)
    return Inspection(
        path=path,
        name=header.name or path.stem,
        variant=header.variant,
        architecture=header.architecture,
        size_bytes=header.file_size_bytes,
        n_params=header.n_params,
        n_ctx_train=header.n_ctx_train,
        bpw=header.bpw,
        types=_types(header),
        metadata=tuple((_one_line(key), _as_text(value)) for key, value in header.metadata.items()),
        tensors=header.tensors,
        chat_template=header.chat_template,
        template_diff=_difference(header.chat_template, against) if against else "",
    )


def _types(header: GgufHeader) -> tuple[TypeShare, ...]:
    """From the type that takes most bytes to the one that takes least."""
    n_tensors: Counter[str] = Counter(tensor.type.name for tensor in header.tensors)
    n_elements: Counter[str] = Counter()
    n_bytes: Counter[str] = Counter()
    for tensor in header.tensors:
        n_elements[tensor.type.name] += tensor.n_elements
        n_bytes[tensor.type.name] += tensor.n_bytes
    return tuple(
        TypeShare(name, n_tensors[name], n_elements[name], size)
        for name, size in n_bytes.most_common()
    )


def _as_text(value: Value) -> str:
    if isinstance(value, ArrayRef) and value.count > _N_SHOWN:
        return f"[{value.type.name.lower()} × {value.count:,}]"
    if isinstance(value, ArrayRef):
        return _one_line("[" + ", ".join(str(each) for each in value.read()) + "]")
    return _one_line(str(value))


def _one_line(text: str) -> str:
    """Not too long, and without what could command a terminal."""
    line = _printable(" ".join(text[: 2 * _MAX_TEXT].split()))
    return line if len(line) <= _MAX_TEXT else line[:_MAX_TEXT] + "…"


def _printable(line: str) -> str:
    return "".join(c for c in line if c.isprintable())


def _difference(template: str, against: Path) -> str:
    """Of the first `_MAX_COMPARED` characters of each."""
    ours, theirs = (text[:_MAX_COMPARED] for text in (template, _template_of(against)))
    lines = difflib.unified_diff(
        theirs.splitlines(), ours.splitlines(), against.name, "this file", lineterm=""
    )
    return "\n".join(_printable(line[:1] + line[1:].expandtabs()) for line in lines)


def _template_of(source: Path) -> str:
    if not source.is_dir():
        return read_header(source).chat_template
    found = template_metadata(chat_template(TokenizerFiles(source))).get(_TEMPLATE_KEY)
    return str(found.value) if isinstance(found, Typed) else ""


def to_json(inspection: Inspection) -> dict[str, Any]:
    """As JSON can hold it."""
    values = asdict(inspection)
    values["path"] = str(inspection.path)
    values["metadata"] = dict(inspection.metadata)
    values["tensors"] = [
        {"name": t.name, "type": t.type.name, "shape": list(t.shape), "size_bytes": t.n_bytes}
        for t in inspection.tensors
    ]
    return values


def render(inspection: Inspection) -> str:
    """As a terminal shows it."""
    head = (
        f"{_one_line(inspection.name)} {inspection.variant}: {_one_line(inspection.architecture)},"
        f" {inspection.n_params / 1e9:.2f} B weights, {inspection.size_bytes / 1e6:.1f} MB,"
        f" {inspection.bpw:.2f} bits per weight"
    )
    lines = [head, "", f"{'type':<8} {'tensors':>7} {'MB':>10} {'share':>6}"]
    total = max(1, sum(share.n_bytes for share in inspection.types))
    lines += [
        f"{s.type:<8} {s.n_tensors:>7} {s.n_bytes / 1e6:>10.1f} {s.n_bytes / total:>6.1%}"
        for s in inspection.types
    ]
    lines += ["", *(f"{key} = {value}" for key, value in inspection.metadata)]
    if inspection.template_diff:
        lines += ["", "The chat template differs:", inspection.template_diff]
    return "\n".join(lines)
