"""The small checkpoints, made by the official pair and by us: what differs, and the goldens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quantize.errors import QuantizeError
from tests.helpers import checkpoints, identity
from tests.helpers.checkpoints import CASES, Case
from tests.oracle import reference
from tests.oracle.reference import Oracle

_OUTTYPES = {"BF16": "bf16", "F16": "f16", "F32": "f32"}


@dataclass
class Result:
    """One case: by type, whether the tensor sections are equal; and all that differs, in words."""

    name: str
    equal: dict[str, bool] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    golden: dict[str, Any] = field(default_factory=dict)


def check(oracle: Oracle, scratch: Path, names: Sequence[str]) -> Iterator[Result]:
    """Every case of `names`: made, converted, quantized and compared."""
    jobs = []
    for name in names:
        folder = checkpoints.write_case(scratch, name)
        jobs.append((folder, scratch / f"{name}.gguf", _OUTTYPES[CASES[name].dtype]))
    converted = oracle.convert(jobs)
    for folder, gguf, _ in jobs:
        yield _compare(folder, gguf, **converted[str(folder)])


def _compare(folder: Path, gguf: Path, pre_hash: str, error: str) -> Result:
    result = Result(folder.name)
    case = CASES[folder.name]
    if error:
        result.differences.append(f"the official converter: {error.strip().splitlines()[-1]}")
        return result
    matrix = identity.matrix_for(folder.parent, gguf)
    result.golden = {"pre_hash": pre_hash, "metadata": {}, "types": {}}
    with identity.known_tokenizers({pre_hash: reference.PRE} if pre_hash else {}):
        for plan in plans(case):
            try:
                _compare_types(result, folder, gguf, matrix, plan)
            except QuantizeError as failure:
                result.differences.append(f"{failure} {failure.detail}".strip())
                result.equal |= dict.fromkeys(plan.types, False)
    return result


@dataclass(frozen=True)
class Plan:
    """Types that are made in one job."""

    types: tuple[str, ...]
    with_matrix: bool = False
    requantize: bool = False


def plans(case: Case) -> tuple[Plan, ...]:
    """MXFP4 is a quantized type: that its tensors become another one must be asked for."""
    if "quantization_config" in case.config:
        return (
            Plan(identity.MXFP4_TYPES),
            Plan(identity.TYPES, requantize=True),
            Plan(identity.MATRIX_TYPES, with_matrix=True, requantize=True),
        )
    return (Plan(identity.TYPES), Plan(identity.MATRIX_TYPES, with_matrix=True))


def _compare_types(
    result: Result, folder: Path, gguf: Path, matrix: checkpoints.Matrix, plan: Plan
) -> None:
    path = folder.parent / "random.imatrix" if plan.with_matrix else None
    out = folder.parent / "ours"
    out.mkdir(exist_ok=True)
    ours = identity.make_ours(folder, out, plan.types, path, plan.requantize)
    for type_, mine in ours.items():
        theirs = reference.quantize(
            gguf,
            folder.parent / "theirs.gguf",
            type_,
            matrix if plan.with_matrix else None,
            plan.requantize,
        )
        _compare_files(result, type_, mine, theirs)
        mine.unlink()
        theirs.unlink()


def _compare_files(result: Result, type_: str, mine: Path, theirs: Path) -> None:
    golden = identity.section(theirs)
    result.golden["types"][type_] = golden
    result.equal[type_] = identity.section(mine) == golden
    expected, found = identity.metadata(theirs), identity.metadata(mine)
    result.golden["metadata"] = expected
    for key in dict.fromkeys([*expected, *found]):
        if expected.get(key) != found.get(key):
            said = f"{key}: {expected.get(key)} expected, {found.get(key)} found"
            if said not in result.differences:
                result.differences.append(said)
    if list(expected) != list(found) and expected == found:
        result.differences.append(f"{type_}: keys in another order")
    if identity.file_type(mine) != identity.file_type(theirs):
        result.differences.append(f"{type_}: general.file_type")
    if not result.equal[type_]:
        result.differences.append(f"{type_}: {first_difference(mine, theirs)}")


def first_difference(mine: Path, theirs: Path) -> str:
    """The first tensor whose place or bytes differ."""
    from quantize.gguf_header import read_header

    ours, official = read_header(mine), read_header(theirs)
    for a, b in zip(ours.tensors, official.tensors, strict=False):
        if (a.name, a.type, a.shape, a.offset) != (b.name, b.type, b.shape, b.offset):
            return f"{a.name} {a.type.name} {a.shape} is {b.name} {b.type.name} {b.shape}"
        with mine.open("rb") as file, theirs.open("rb") as other:
            file.seek(ours.data_offset + a.offset)
            other.seek(official.data_offset + b.offset)
            if file.read(a.n_bytes) != other.read(b.n_bytes):
                return f"{a.name} {a.type.name} {a.shape}: other bytes"
    return f"{len(ours.tensors)} tensors, {len(official.tensors)} official"
