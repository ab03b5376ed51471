"""What the quantizer is asked for, and what it says while it works.

One JSON document a line each way when it runs as a child; the command line and the window's page
both read the same events. Sizes in bytes, times in seconds, speeds in MB (10^6 bytes) per second.
"""

from __future__ import annotations

import msgspec

from quantize.messages import Message


class KvOverride(msgspec.Struct, frozen=True):
    """`--override-kv KEY=TYPE:VALUE`; `type` is "int", "float", "bool" or "str"."""

    key: str
    type: str
    value: str


class TensorType(msgspec.Struct, frozen=True):
    """`--tensor-type REGEX=TYPE`: the tensors whose name matches get this ggml type."""

    pattern: str
    type: str


class Recipe(msgspec.Struct, frozen=True):
    """The options of llama.cpp's quantize tool that decide types, under its names."""

    pure: bool = False
    tensor_types: tuple[TensorType, ...] = ()
    output_tensor_type: str = ""
    token_embedding_type: str = ""
    leave_output_tensor: bool = False
    prune_layers: tuple[int, ...] = ()
    override_kv: tuple[KvOverride, ...] = ()
    allow_requantize: bool = False


class Job(msgspec.Struct, frozen=True, tag="quantize"):
    """Make `source` into one file per type of `types` in `out_dir`.

    `imatrix`: "none", "auto", or a file. `n_threads` 0: all physical cores, one fewer from four
    up. `low_priority` makes way for everything else that runs.
    """

    source: str
    types: tuple[str, ...]
    out_dir: str
    imatrix: str = "none"
    imatrix_precision: str = "q8_0"
    recipe: Recipe = Recipe()
    n_threads: int = 0
    low_priority: bool = True
    dry_run: bool = False


class MatrixJob(msgspec.Struct, frozen=True, tag="imatrix"):
    """Collect the importance matrix of the GGUF `model` into `out`.

    `text`: a file, or "" for the calibration text that comes along. `n_threads` 0: as for Job.
    """

    model: str
    out: str
    text: str = ""
    n_threads: int = 0
    low_priority: bool = True


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """End the job as soon as possible; nothing half-written stays."""


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Stop computing until Resume, as while the chat answers."""


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """Go on after Pause."""


Command = Job | MatrixJob | Cancel | Pause | Resume


class Event(msgspec.Struct, frozen=True, tag_field="event"):
    """Base of everything a job says."""


class PlannedTensor(msgspec.Struct, frozen=True):
    """One tensor of a planned file. `shape` as ggml orders it.

    `wanted` is the type the recipe asked for where another had to be taken, with `reason`.
    """

    name: str
    shape: tuple[int, ...]
    source_type: str
    type: str
    size_bytes: int
    wanted: str = ""
    reason: Message | None = None


class PlannedFile(msgspec.Struct, frozen=True):
    """A file that will be made. `seconds` is predicted for this type alone (0: not known).

    `problem` says why it cannot be made (no importance matrix, output exists); then the job fails.
    """

    type: str
    path: str
    size_bytes: int
    bpw: float
    seconds: float
    needs_imatrix: bool
    n_fallback: int
    tensors: tuple[PlannedTensor, ...]
    problem: Message | None = None
    hint: Message | None = None


class Plan(Event, frozen=True, tag="plan"):
    """What the job will do and take, before any work.

    `peak_disk_bytes` counts the files, their working copies and the importance matrix's model;
    `problems` are what does not fit, each with what would. `numbers`: the files' metadata that are
    whole numbers (of lists of text how many), which say what running them will take.
    """

    source: str
    name: str
    architecture: str
    source_type: str
    source_bytes: int
    n_params: int
    n_tensors: int
    files: tuple[PlannedFile, ...]
    out_dir: str
    n_threads: int
    seconds: float
    imatrix: str
    imatrix_seconds: float
    peak_disk_bytes: int
    disk_free_bytes: int
    peak_memory_bytes: int
    memory_free_bytes: int
    warnings: tuple[Message, ...] = ()
    problems: tuple[Message, ...] = ()
    numbers: tuple[tuple[str, int | tuple[int, ...]], ...] = ()


class MatrixProgress(Event, frozen=True, tag="imatrix"):
    """The importance matrix is being made. `step`: "copy" (its working copy) or "collect"."""

    step: str
    n_done: int
    n_total: int
    eta_s: float


class MatrixDone(Event, frozen=True, tag="imatrix_done"):
    path: str
    n_tokens: int
    seconds: float


class Progress(Event, frozen=True, tag="progress"):
    """Within the tensor `name`, at most a few times a second."""

    name: str
    read_bytes: int
    total_bytes: int
    mb_per_s: float
    eta_s: float


class TensorDone(Event, frozen=True, tag="tensor"):
    """A tensor is in every file. `types` in the order of the plan's files, `sizes` likewise."""

    index: int
    n_tensors: int
    name: str
    types: tuple[str, ...]
    size_bytes: tuple[int, ...]
    read_bytes: int
    total_bytes: int
    mb_per_s: float
    eta_s: float


class FileDone(Event, frozen=True, tag="done"):
    """A file is whole, verified, and under its name. `composition`: bytes by tensor type."""

    path: str
    type: str
    size_bytes: int
    bpw: float
    sha256: str
    seconds: float
    composition: dict[str, int]


class Failed(Event, frozen=True, tag="error"):
    text: Message
    hint: Message | None = None
    detail: str = ""


class Cancelled(Event, frozen=True, tag="cancelled"):
    """The job was cancelled; nothing of it is left."""


class Finished(Event, frozen=True, tag="finished"):
    """All that was asked for is done (a dry run: planned)."""


class Heartbeat(Event, frozen=True, tag="heartbeat"):
    """Sent while the job runs, so that a hang can be told from work."""


AnyEvent = (
    Plan
    | MatrixProgress
    | MatrixDone
    | Progress
    | TensorDone
    | FileDone
    | Failed
    | Cancelled
    | Finished
    | Heartbeat
)
