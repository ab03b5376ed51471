"""Which variants of a model a repository has, from its file names alone; knows no network.

The makers of GGUFs agree on names nearly, not quite: "model-Q4_K_M.gguf", "model.q4_k_m.gguf",
"Q4_K_M/model-00001-of-00003.gguf", "model_q4_0-it.gguf", "model-UD-Q4_K_XL.gguf". Parts are joined,
the file for pictures (mmproj) is attached, imatrix data is left out.
"""

from __future__ import annotations

import difflib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from app.core.catalog import FileKind
from app.core.errors import QT_TRANSLATE_NOOP
from app.hub.errors import HubError, NotFoundError
from app.hub.reference import Reference, parse_reference
from app.hub.repo import RemoteFile, RemoteVariant, Repo
from quantize.gguf_split import MAX_PARTS, SPLIT_NAME

__all__ = [
    "Reference",
    "choose",
    "group",
    "kind_of",
    "parse_reference",
    "variant_name",
    "why_none",
]

_QUANT = re.compile(
    r"(?<![a-z0-9])(?:"
    r"(?:ud[-_])?(?:iq|tq|q)[1-8](?:_(?:k|0|1|xxs|xs|s|m|l|xl|xxl|nl|4|8))*"
    r"|bf16|fp?16|fp?32|mxfp[468](?:_moe)?|nvfp4"
    r")(?![a-z0-9])",
    re.IGNORECASE,
)
_MMPROJ = re.compile(r"(?<![a-z])mmproj(?![a-z])", re.IGNORECASE)
_IMATRIX = re.compile(r"imatrix", re.IGNORECASE)
_VOCABULARY = re.compile(r"(?:^|/)ggml-vocab-", re.IGNORECASE)
_QAT = re.compile(r"(?<![a-z])qa[td](?![a-z])", re.IGNORECASE)
_FULL_NAMES = {"FP16": "F16", "FP32": "F32"}
# F16 runs fast everywhere, BF16 not on older GPUs; more bits add nothing, fewer blur the picture.
_MMPROJ_ORDER = ("F16", "BF16", "F32", "Q8_0")
_N_NAMED = 8


def group(repo: Repo) -> tuple[RemoteVariant, ...]:
    """The variants that are there with all their parts, largest first."""
    mmproj = _best_mmproj(repo.files)
    models = [parts for parts in _families(repo.files) if _is_complete(parts)]
    names = _names([parts[0].path for parts in models])
    variants = [
        RemoteVariant(name, parts, mmproj) for name, parts in zip(names, models, strict=True)
    ]
    return tuple(sorted(variants, key=lambda variant: (-variant.size_bytes, variant.name)))


def choose(variants: Sequence[RemoteVariant], wanted: str) -> RemoteVariant:
    """The variant called `wanted`, in any case, or that has such a file. Raises NotFoundError."""
    found = [variant for variant in variants if _answers_to(variant, wanted)]
    if not found:  # "Q4_K_XL" means "UD-Q4_K_XL" where there is no other
        ending = f"-{wanted.lower()}"
        found = [variant for variant in variants if variant.name.lower().endswith(ending)]
    if len(found) == 1:
        return found[0]
    text = QT_TRANSLATE_NOOP("hub", "There is no variant “{wanted}” there.")
    hint = QT_TRANSLATE_NOOP("hub", "There are: {names}.")
    names = ", ".join(_nearest(wanted, [variant.name for variant in variants]))
    raise NotFoundError(text.fill(wanted=wanted), hint.fill(names=names) if names else None)


def why_none(repo: Repo) -> HubError:
    """What to say of a repository that `group` finds no variant in."""
    name = repo.summary.id
    if any(_families(repo.files)):
        text = QT_TRANSLATE_NOOP("hub", "{repo} has only some parts of its models.")
        hint = QT_TRANSLATE_NOOP("hub", "They may still be on their way there. Look again later.")
    elif any(file.path.endswith(".safetensors") for file in repo.files):
        text = QT_TRANSLATE_NOOP("hub", "{repo} has original weights, not GGUF files.")
        hint = QT_TRANSLATE_NOOP("hub", "Quantize them here, or search for a GGUF of this model.")
    else:
        text = QT_TRANSLATE_NOOP("hub", "{repo} has no files that Nibble can use.")
        hint = QT_TRANSLATE_NOOP("hub", "Search for a GGUF of this model.")
    return NotFoundError(text.fill(repo=name), hint)


def kind_of(variant: RemoteVariant) -> FileKind:
    """Whether the variant is what its makers trained for: QAT at 4 bits, or MXFP4 originals."""
    place = "/".join((variant.files[0].repo, variant.files[0].path))
    if variant.name.upper().endswith("Q4_0") and _QAT.search(place):
        return FileKind.QAT
    if "MXFP4" in variant.name.upper() and "gpt-oss" in place.lower():
        return FileKind.ORIGINAL
    return FileKind.QUANTIZED


def variant_name(path: str) -> str:
    """ "Q4_K_M", "UD-Q4_K_XL", "BF16" as the file name says, else as its folder says, else ""."""
    for part in reversed(_without_suffix(path).split("/")):
        found = _QUANT.findall(part)
        if found:
            name = str(found[-1]).upper().replace("UD_", "UD-")
            return _FULL_NAMES.get(name, name)
    return ""


def _families(files: Iterable[RemoteFile]) -> list[tuple[RemoteFile, ...]]:
    """The files of each model, in the order of its parts. Some may be missing."""
    families: dict[tuple[str, int], list[tuple[int, RemoteFile]]] = defaultdict(list)
    for file in files:
        if _is_model(file.path):
            stem, number, count = _split(file.path)
            families[stem, count].append((number, file))
    return [
        tuple(file for _, file in sorted(parts, key=lambda part: (part[0], part[1].path)))
        for parts in families.values()
    ]


def _is_model(path: str) -> bool:
    if not path.lower().endswith(".gguf") or _MMPROJ.search(_base(path)):
        return False
    is_data = _IMATRIX.search(_base(path)) and not _QUANT.search(_base(path))
    return not is_data and not _VOCABULARY.search(path)


def _split(path: str) -> tuple[str, int, int]:
    """(path without the part's number, number, how many there are): 1 and 1 for a whole file."""
    found = SPLIT_NAME.search(path)
    return (path[: found.start()], int(found[1]), int(found[2])) if found else (path, 1, 1)


def _is_complete(parts: tuple[RemoteFile, ...]) -> bool:
    count = _split(parts[0].path)[2]
    numbers = [_split(part.path)[1] for part in parts]
    return count <= MAX_PARTS and numbers == list(range(1, count + 1))


def _names(paths: list[str]) -> list[str]:
    """A name for each model. Of several with the same one, the plainest file keeps it."""
    stems = [_without_suffix(path) for path in paths]
    names = [variant_name(path) or _base(stem) for path, stem in zip(paths, stems, strict=True)]
    for name in [name for name, count in Counter(names).items() if count > 1]:
        alike = sorted(
            (i for i, other in enumerate(names) if other == name),
            key=lambda i: (len(stems[i]), stems[i]),
        )
        skipped = _shared(stems[i] for i in alike)
        for i in alike[1:]:
            names[i] = stems[i][skipped:]
    return names


def _shared(stems: Iterable[str]) -> int:
    """How much of the beginning `stems` share, up to a mark between words."""
    shared = os.path.commonprefix(list(stems))  # noqa: RUF071 - characters are meant
    return max(shared.rfind(mark) for mark in "-_./") + 1


def _without_suffix(path: str) -> str:
    return SPLIT_NAME.sub("", path) if SPLIT_NAME.search(path) else path[: -len(".gguf")]


def _best_mmproj(files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """The one file to see with, of those there are; none for a model that does not see."""
    found = [f for f in files if f.path.lower().endswith(".gguf") and _MMPROJ.search(_base(f.path))]
    ranked = sorted(found, key=lambda file: (_mmproj_rank(file), len(file.path), file.path))
    return tuple(ranked[:1])


def _mmproj_rank(file: RemoteFile) -> int:
    name = variant_name(file.path)
    return _MMPROJ_ORDER.index(name) if name in _MMPROJ_ORDER else len(_MMPROJ_ORDER)


def _answers_to(variant: RemoteVariant, wanted: str) -> bool:
    if variant.name.lower() == wanted.lower():
        return True
    return any(wanted in (file.path, _base(file.path)) for file in variant.files)


def _nearest(wanted: str, names: list[str]) -> list[str]:
    near = difflib.get_close_matches(wanted.upper(), names, n=3, cutoff=0.5)
    return [*near, *(name for name in names if name not in near)][:_N_NAMED]


def _base(path: str) -> str:
    return path.rpartition("/")[2]
