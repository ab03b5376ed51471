"""Our files of a small checkpoint, in digests that can be compared with the official ones.

A tensor section is the table of tensors (names, shapes, types, offsets) and all bytes behind it.
`MAY_DIFFER` is the whole list of keys in which our files may differ from the official pair's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from quantize import pipeline
from quantize.control import Control
from quantize.gguf_header import ArrayRef, GgufHeader, read_header
from quantize.job import Event, Job, Recipe
from quantize.tokenizer import known
from quantize.types import FileType
from tests.helpers import checkpoints
from tests.helpers.checkpoints import Case

GOLDENS = Path(__file__).resolve().parents[1] / "goldens" / "identity.json"
PRE = "llama-bpe"  # what the small tokenizers' pre-tokenizer goes under
TYPES = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K", "IQ4_XS")
MATRIX_TYPES = ("IQ2_XS",)
MXFP4_TYPES = ("MXFP4_MOE",)  # what keeps experts that are MXFP4 already

MAY_DIFFER = {
    "general.quantized_by": "says which program made the file; llama.cpp's own writes none",
    "quantize.tool_version": "the same, with its version",
    "quantize.date": "when",
    "quantize.source.repo": "where the original weights came from, where the folder tells",
    "quantize.source.revision": "which revision of them",
    "quantize.imatrix.file": "llama.cpp's command line writes these four, its library does not",
    "quantize.imatrix.dataset": "see quantize.imatrix.file",
    "quantize.imatrix.entries_count": "see quantize.imatrix.file",
    "quantize.imatrix.chunks_count": "see quantize.imatrix.file",
    "general.file_type": "differs between the types of one model, so it is compared by itself",
}
_CHUNK = 1 << 20


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
            Plan(MXFP4_TYPES),
            Plan(TYPES, requantize=True),
            Plan(MATRIX_TYPES, with_matrix=True, requantize=True),
        )
    return (Plan(TYPES), Plan(MATRIX_TYPES, with_matrix=True))


def make_ours(folder: Path, out: Path, plan: Plan, matrix: Path | None) -> dict[str, Path]:
    """Files by type, made by one job without its child process."""
    job = Job(
        source=str(folder),
        types=plan.types,
        out_dir=str(out),
        imatrix=str(matrix) if matrix else "none",
        recipe=Recipe(allow_requantize=plan.requantize),
        n_threads=2,
        low_priority=False,
    )
    done: list[Event] = []
    pipeline.run(job, done.append, Control())
    return {type_: out / f"{folder.name}-{type_}.gguf" for type_ in job.types}


@contextmanager
def known_tokenizers(pre_hash: str) -> Iterator[None]:
    """Meanwhile a small tokenizer's hash is known; "" where it has none."""
    with mock.patch.dict(known.NAMES, {pre_hash: PRE} if pre_hash else {}):
        yield


def section(path: Path) -> str:
    """SHA-256 of the tensor section."""
    header = read_header(path)
    digest = hashlib.sha256()
    for tensor in header.tensors:
        line = f"{tensor.name} {tensor.type.name} {tensor.shape} {tensor.offset}\n"
        digest.update(line.encode())
    with path.open("rb") as file:
        file.seek(header.data_offset)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def metadata(path: Path) -> dict[str, str]:
    """Type and start of the digest of each key's value, in the file's order, without MAY_DIFFER."""
    header = read_header(path)
    return {key: _digest(header, key) for key in header.metadata if key not in MAY_DIFFER}


def file_type(path: Path) -> FileType:
    return FileType(read_header(path).number("general.file_type"))


def write_matrix_for(model: Path, path: Path) -> checkpoints.Matrix:
    """A random importance matrix for the GGUF `model`, written to `path`."""
    header = read_header(model)
    matrix = checkpoints.random_matrix((tensor.name, tensor.shape) for tensor in header.tensors)
    checkpoints.write_matrix(path, matrix)
    return matrix


def _digest(header: GgufHeader, key: str) -> str:
    value = header.metadata[key]
    kind = header.value_types[key].name
    if isinstance(value, ArrayRef):
        kind = f"{value.type.name}[{value.count}]"
        raw = value.read_raw()
    else:
        raw = repr(value).encode("utf-8", "surrogatepass")
    return f"{kind} {hashlib.sha256(raw).hexdigest()[:16]}"
