"""What a job will make and take, before any work: exact sizes, predicted time and peak memory.

Sizes come from the same choices and the same header that the writer uses, so they are right to the
byte. Times are predicted from a second of trying (`calibrate`). What is in the way is said here,
with what would fit, and not an hour into the work.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from quantize import calibrate
from quantize.calibrate import Speeds
from quantize.errors import UnsupportedError
from quantize.gguf_writer import EXISTS, EXISTS_HINT, header_bytes, lay_out, padded, tensor_bytes
from quantize.imatrix import CALIBRATION, Imatrix
from quantize.job import Job, Plan, PlannedFile, PlannedTensor
from quantize.messages import QT_TRANSLATE_NOOP, Message
from quantize.model import Model
from quantize.numbers import numbers_of
from quantize.onepass import BLOCK_ELEMENTS, BLOCKS_AHEAD_PER_THREAD
from quantize.origin import history
from quantize.recipe import Choice, choose_types, output_metadata
from quantize.types import FileType, GgmlType
from quantize.variants import parse_type

_MAX_STEM_BYTES = 180
_FLOAT_TYPES = (GgmlType.F32, GgmlType.F16, GgmlType.BF16)
_MATRIX_TOKENS = 32_000  # the calibration text, in most vocabularies
_PROMPT_EFFICIENCY = 0.6  # of what numpy's matrix product reaches, seen on x86-64 with Q8_0
_MATRIX_CONTEXT_BYTES = 512 * 1024**2  # of it up to 256 MB for scores that nobody reads


@dataclass(frozen=True)
class _Draft:
    """A file before its place is judged."""

    file_type: FileType
    path: Path
    choices: tuple[Choice, ...]
    size_bytes: int

    @property
    def fallbacks(self) -> int:
        return sum(bool(choice.wanted) for choice in self.choices)


def make_plan(model: Model, job: Job, imatrix: Imatrix | None, work_dir: Path) -> Plan:
    """The plan of `job` for `model`. Raises UnsupportedError where types and options cannot be.

    `imatrix`: the one at hand. `work_dir` takes llama.cpp's header-only file for a moment.
    """
    n_threads = job.n_threads or default_threads()
    has_imatrix = job.imatrix != "none"
    kept = imatrix or (_expected_matrix(model, job) if has_imatrix else None)
    drafter = _Drafter(model, job, kept, work_dir)
    drafts = [drafter.draft(kind) for kind in _types(job)]
    copy = drafter.working_copy(drafts)
    everything = [*drafts, *([copy] if copy else [])]
    speeds = _speeds(model, everything, n_threads, has_imatrix)
    out_dir = Path(job.out_dir)
    disk_free = _disk_free(out_dir)
    copy_bytes = copy.size_bytes if copy else 0  # gone before the files are begun
    peak_disk = max(copy_bytes, sum(draft.size_bytes for draft in drafts))
    memory = _peak_memory(job, everything, n_threads)
    memory_free = psutil.virtual_memory().available
    matrix_seconds = _matrix_seconds(model, copy, speeds) if job.imatrix == "auto" else 0.0
    return Plan(
        source=job.source,
        name=model.name,
        architecture=model.architecture,
        source_type=model.source_type,
        source_bytes=model.source_bytes,
        n_params=model.n_params,
        n_tensors=len(drafts[0].choices),
        files=tuple(_planned(model, job, draft, speeds) for draft in drafts),
        out_dir=job.out_dir,
        n_threads=n_threads,
        seconds=_seconds(drafts, speeds) + matrix_seconds,
        imatrix=job.imatrix,
        imatrix_seconds=matrix_seconds,
        peak_disk_bytes=peak_disk,
        disk_free_bytes=disk_free,
        peak_memory_bytes=memory,
        memory_free_bytes=memory_free,
        warnings=(
            *model.warnings,
            *_loss_warnings(model, drafts),
            *_memory_warnings(memory, memory_free),
        ),
        problems=(*_folder_problems(out_dir), *_disk_problems(drafts, copy, peak_disk, disk_free)),
        numbers=numbers_of(model.metadata),
    )


def default_threads() -> int:
    """All physical cores, one fewer from four up, so that the computer stays usable."""
    n_cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return n_cores - 1 if n_cores >= 4 else n_cores


def file_stem(model: Model) -> str:
    """The model's name as a file can have it on every system: no path, no part of 255 bytes."""
    kept = "".join(c if c.isalnum() or c in "-_.+ " else "_" for c in model.name).strip(" .")
    return kept.encode()[:_MAX_STEM_BYTES].decode(errors="ignore").strip(" .") or "model"


def _types(job: Job) -> tuple[FileType, ...]:
    """Each once. Raises UnsupportedError where one is unknown, or none is asked for."""
    if not job.types:
        raise UnsupportedError(Path(job.source), _NO_TYPE)
    return tuple(dict.fromkeys(parse_type(name) for name in job.types))


def matrix_path(model: Model, job: Job) -> Path:
    """Where the importance matrix that the job makes is kept."""
    return Path(job.out_dir) / f"{file_stem(model)}.imatrix"


def working_path(model: Model, job: Job) -> Path:
    """What the working copy would be called; it never gets its name."""
    return Path(job.out_dir) / f"{file_stem(model)}.imatrix-copy"


def working_type(job: Job) -> FileType:
    """What the copy is that an importance matrix is measured on."""
    return FileType.BF16 if job.imatrix_precision == "bf16" else FileType.Q8_0


def _expected_matrix(model: Model, job: Job) -> Imatrix:
    """What can be said of the matrix before it is there: enough for the size of a header."""
    return Imatrix(matrix_path(model, job), {}, {}, (CALIBRATION,), 0, 0)


class _Drafter:
    """Decides one file after the other; what all have in common only once."""

    def __init__(self, model: Model, job: Job, imatrix: Imatrix | None, work_dir: Path) -> None:
        self._model = model
        self._job = job
        self._imatrix = imatrix
        self._work_dir = work_dir
        self._header_bytes: dict[bool, int] = {}

    def draft(self, kind: FileType) -> _Draft:
        model, job, imatrix = self._model, self._job, self._imatrix
        if job.imatrix == "auto" and kind is working_type(job):
            imatrix = None  # it is made before the matrix is
        choices = choose_types(model, kind, job.recipe, imatrix is not None, self._work_dir)
        path = Path(job.out_dir) / f"{file_stem(model)}-{kind.name}.gguf"
        data = sum(padded(tensor_bytes(c.weight.shape, c.type)) for c in choices)
        return _Draft(kind, path, choices, self._header_size(kind, choices, imatrix) + data)

    def working_copy(self, drafts: Sequence[_Draft]) -> _Draft | None:
        """The file that the matrix is measured on, unless it was asked for anyway."""
        kind = working_type(self._job)
        if self._job.imatrix != "auto" or any(draft.file_type is kind for draft in drafts):
            return None
        return self.draft(kind)

    def _header_size(
        self, kind: FileType, choices: Sequence[Choice], imatrix: Imatrix | None
    ) -> int:
        """Types are numbers of one size in it; and a vocabulary takes long to write."""
        has_imatrix = imatrix is not None
        if has_imatrix not in self._header_bytes:
            model, recipe = self._model, self._job.recipe
            metadata = output_metadata(model, kind, recipe) | history(model.path, imatrix)
            layout = lay_out((choice.name, choice.weight.shape, choice.type) for choice in choices)
            self._header_bytes[has_imatrix] = len(header_bytes(metadata, layout))
        return self._header_bytes[has_imatrix]


def _speeds(model: Model, drafts: Sequence[_Draft], n_threads: int, has_imatrix: bool) -> Speeds:
    types = {choice.type for draft in drafts for choice in draft.choices}
    return calibrate.measure(types, model.weights, n_threads, has_imatrix)


def _planned(model: Model, job: Job, draft: _Draft, speeds: Speeds) -> PlannedFile:
    n_bytes = sum(tensor_bytes(c.weight.shape, c.type) for c in draft.choices)
    n_elements = sum(choice.weight.n_elements for choice in draft.choices)
    problem, hint = _in_the_way(model, job, draft)
    return PlannedFile(
        type=draft.file_type.name,
        path=str(draft.path),
        size_bytes=draft.size_bytes,
        bpw=n_bytes * 8 / n_elements,
        seconds=_seconds([draft], speeds),
        needs_imatrix=any(choice.requires_imatrix for choice in draft.choices),
        n_fallback=draft.fallbacks,
        tensors=tuple(_planned_tensor(choice) for choice in draft.choices),
        problem=problem,
        hint=hint,
    )


def _planned_tensor(choice: Choice) -> PlannedTensor:
    return PlannedTensor(
        name=choice.name,
        shape=choice.weight.shape,
        source_type=choice.weight.type.name,
        type=choice.type.name,
        size_bytes=tensor_bytes(choice.weight.shape, choice.type),
        wanted=choice.wanted,
        reason=choice.reason,
    )


def _in_the_way(model: Model, job: Job, draft: _Draft) -> tuple[Message | None, Message | None]:
    """Why the file cannot be made, and the way on."""
    if os.path.lexists(draft.path):
        if _is_same(draft.path, model.path):
            return _IS_SOURCE.fill(name=draft.path.name), _IS_SOURCE_HINT
        return EXISTS.fill(name=draft.path.name), EXISTS_HINT
    if job.imatrix == "none":
        for choice in draft.choices:
            if choice.requires_imatrix:
                return _BLIND.fill(type=draft.file_type.name), _BLIND_HINT
    if _requantized([draft]) and not job.recipe.allow_requantize:
        return _REQUANTIZES.fill(type=model.source_type), _REQUANTIZES_HINT
    return None, None


def _is_same(path: Path, source: Path) -> bool:
    """Through links and, where the file system does so, in upper or lower case."""
    try:
        return path.samefile(source)
    except OSError:
        return False


def _requantized(drafts: Sequence[_Draft]) -> int:
    """How many tensors lose twice: quantized in the source, and in another type in the file."""
    return sum(
        choice.weight.type not in _FLOAT_TYPES and choice.type is not choice.weight.type
        for draft in drafts
        for choice in draft.choices
    )


def _loss_warnings(model: Model, drafts: Sequence[_Draft]) -> tuple[Message, ...]:
    if any(
        choice.weight.type not in _FLOAT_TYPES
        and choice.type not in (*_FLOAT_TYPES, choice.weight.type)
        for draft in drafts
        for choice in draft.choices
    ):
        return (_LOSES_TWICE.fill(type=model.source_type),)
    return ()


def _memory_warnings(peak: int, free: int) -> tuple[Message, ...]:
    """Not a problem: what is mapped from disk may be read again and again, slowly."""
    if peak <= free:
        return ()
    return (_MEMORY.fill(need=_size(peak), free=_size(free)),)


def _folder_problems(out_dir: Path) -> tuple[Message, ...]:
    """Where the results go, or the nearest folder above that is there already."""
    place = _nearest(out_dir)
    if not place.is_dir():
        return (_NO_FOLDER.fill(name=place.name),)
    if not os.access(place, os.W_OK | os.X_OK):
        return (_NOT_WRITABLE.fill(name=str(place)),)
    return ()


def _disk_problems(
    drafts: Sequence[_Draft], copy: _Draft | None, peak_disk: int, disk_free: int
) -> tuple[Message, ...]:
    """What does not fit, and the largest or at least the smallest file that would."""
    if peak_disk <= disk_free:
        return ()
    copy_bytes = copy.size_bytes if copy else 0
    needs = {draft.file_type: max(draft.size_bytes, copy_bytes) for draft in drafts}
    fitting = [kind for kind, n_bytes in needs.items() if n_bytes <= disk_free]
    sizes = {"need": _size(peak_disk), "free": _size(disk_free)}
    kind = max(fitting, key=needs.__getitem__) if fitting else min(needs, key=needs.__getitem__)
    text = _DISK_ONE if fitting else _DISK_NONE
    return (text.fill(**sizes, type=kind.name, size=_size(needs[kind])),)


def _seconds(drafts: Sequence[_Draft], speeds: Speeds) -> float:
    """One pass that makes `drafts`: read once, encode each type of a tensor once, write all."""
    elements: Counter[GgmlType] = Counter()
    n_read = n_written = 0
    for choices in _together(drafts):
        weight = choices[0].weight
        n_read += weight.n_elements
        for type_ in {choice.type for choice in choices}:
            elements[type_] += weight.n_elements
        n_written += sum(tensor_bytes(weight.shape, choice.type) for choice in choices)
    encoding = sum(n / speeds.encode[type_] for type_, n in elements.items())
    encoding += calibrate.table_seconds(elements)
    return encoding + n_read / speeds.read + n_written / speeds.write_bytes_per_s


def _matrix_seconds(model: Model, copy: _Draft | None, speeds: Speeds) -> float:
    reading = 2.0 * model.n_params * _MATRIX_TOKENS / (speeds.flops * _PROMPT_EFFICIENCY)
    return reading + (_seconds([copy], speeds) if copy else 0.0)


def _peak_memory(job: Job, drafts: Sequence[_Draft], n_threads: int) -> int:
    """What this process holds now, the blocks under way, and the model a matrix is measured on."""
    now = psutil.Process().memory_info().rss
    blocks = max(_block_memory(choices, n_threads) for choices in _together(drafts))
    return now + max(blocks, _matrix_memory(job, drafts))


def _together(drafts: Sequence[_Draft]) -> Iterator[tuple[Choice, ...]]:
    """The choices of all files for one weight after the other."""
    return zip(*(draft.choices for draft in drafts), strict=True)


def _block_memory(choices: Sequence[Choice], n_threads: int) -> int:
    """Of one weight: a block on every thread (as stored, as float32, as converted), and those
    encoded ahead."""
    weight = choices[0].weight
    n_elements = min(weight.n_elements, max(BLOCK_ELEMENTS, weight.shape[0]))
    encoded = sum(type_.bpw / 8 for type_ in {choice.type for choice in choices})
    return round(n_threads * n_elements * (12 + BLOCKS_AHEAD_PER_THREAD * encoded))


def _matrix_memory(job: Job, drafts: Sequence[_Draft]) -> int:
    if job.imatrix != "auto":
        return 0
    copy = next(draft for draft in drafts if draft.file_type is working_type(job))
    return copy.size_bytes + _MATRIX_CONTEXT_BYTES


def _disk_free(folder: Path) -> int:
    """Of the disk that `folder` is on, or will be."""
    try:
        return shutil.disk_usage(_nearest(folder)).free
    except OSError:
        return 0


def _nearest(folder: Path) -> Path:
    """`folder`, or the first above it that there is."""
    folder = folder.absolute()
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110 - never raises
        folder = folder.parent
    return folder


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


_NO_TYPE = QT_TRANSLATE_NOOP("plan", "Say which type of file to make.")
_NO_FOLDER = QT_TRANSLATE_NOOP("plan", "{name} is a file, not a folder: choose another place.")
_NOT_WRITABLE = QT_TRANSLATE_NOOP(
    "plan", "You are not allowed to write into {name}: choose another folder."
)
_IS_SOURCE = QT_TRANSLATE_NOOP("plan", "{name} is the source itself.")
_IS_SOURCE_HINT = QT_TRANSLATE_NOOP("plan", "Choose another folder for the result.")
_BLIND = QT_TRANSLATE_NOOP("plan", "{type} needs an importance matrix.")
_BLIND_HINT = QT_TRANSLATE_NOOP(
    "plan", "Let Nibble make one (--imatrix auto), or choose a larger type."
)
_REQUANTIZES = QT_TRANSLATE_NOOP("plan", "The source is quantized already ({type}).")
_REQUANTIZES_HINT = QT_TRANSLATE_NOOP(
    "plan", "Take the original weights, or allow the double loss (--allow-requantize)."
)
_LOSES_TWICE = QT_TRANSLATE_NOOP(
    "plan",
    "The source is quantized already ({type}): the loss of both steps adds up, and the result is"
    " worse than one made from the original weights.",
)
_MEMORY = QT_TRANSLATE_NOOP(
    "plan", "Needs {need} of memory, {free} free: close other programs, or it will be slow."
)
_DISK_NONE = QT_TRANSLATE_NOOP(
    "plan", "Needs {need} of disk, {free} free; even {type} alone takes {size}."
)
_DISK_ONE = QT_TRANSLATE_NOOP(
    "plan", "Needs {need} of disk, {free} free; {type} alone ({size}) would fit."
)
