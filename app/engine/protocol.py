"""What parent and engine child say to each other: one JSON document a line, length-checked.

Commands go down on stdin, events come up on stdout. Every document names its type in "type" and is
checked against it when read, so that neither side ever meets a half-known shape.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from app.core.errors import Message
from app.core.hardware.types import Bandwidth, Device, FoundGpu

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 64 * 1024 * 1024


class ProtocolError(Exception):
    """The other side said something that is not in the protocol. A bug, or a foreign writer."""


class Frame(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of everything that crosses the pipe. Times in milliseconds, sizes in bytes."""


class PromptMessage(msgspec.Struct, frozen=True):
    """`reasoning`: what the model thought before this answer, for templates that want it."""

    role: str
    text: str
    reasoning: str = ""


class Sampling(msgspec.Struct, frozen=True):
    """Names, meaning and order as in llama.cpp's common/sampling.h; `seed` None draws a new one.

    What does nothing at its default is off. `logit_bias`: (word, bias), or ("[id]", bias) for a
    token. `grammar` is GBNF, "" for none; a model's reasoning is not bound by it.
    """

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    typical_p: float = 1.0
    top_n_sigma: float = 0.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    repeat_penalty: float = 1.05
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    penalty_last_n: int = 64
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = 64
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: tuple[tuple[str, float], ...] = ()
    grammar: str = ""
    seed: int | None = None


# --- commands ---------------------------------------------------------------------------------


class Load(Frame, frozen=True):
    """Load one GGUF, in place of the one loaded before. `n_threads` 0: one per fast core.

    `n_gpu_layers` -1: as many as fit, and fewer or a smaller context where memory turns out short.
    `flash_attn`: "auto", "on" or "off". `lookup`: guess tokens from what was said before, where
    that is faster. `draft_path`: a small model of the same vocabulary that guesses;
    "" for none. `pass_costs`: what a pass over n tokens takes against one over a single token, as
    (n, ratio), measured by Tune; () while not known. `states_folder`: where the caches of
    conversations are kept, `states_limit_bytes` of them; "" for nowhere. `sha256`: of the file,
    where it is known.
    """

    path: str
    n_ctx: int = 4096
    n_threads: int = 0
    n_gpu_layers: int = -1
    flash_attn: str = "auto"
    kv_type: str = "f16"
    lookup: bool = True
    draft_path: str = ""
    pass_costs: tuple[tuple[int, float], ...] = ()
    states_folder: str = ""
    states_limit_bytes: int = 0
    sha256: str = ""


class Generate(Frame, frozen=True):
    """Answer the last of `messages`. `max_tokens` 0: as much as the context holds.

    `stop`: strings that end the answer, themselves not shown. `conversation`: its name, under which
    the cache may be kept; "" for one that is not. `thinking`: whether the model is to think first,
    where its template has a switch; None leaves it to the template. `n_dropped`: how many of the
    oldest turns were left out already when the turn before this one was answered. `overflow`: what
    happens when the messages do not fit: "oldest" leaves old turns out, "stop" refuses. `begun`:
    the answer so far; the model goes on from there.
    """

    request_id: int
    messages: tuple[PromptMessage, ...]
    sampling: Sampling = Sampling()
    max_tokens: int = 0
    stop: tuple[str, ...] = ()
    conversation: str = ""
    thinking: bool | None = None
    n_dropped: int = 0
    overflow: str = "oldest"
    begun: str = ""


class Leave(Frame, frozen=True):
    """The conversation is left: keep its cache on disk. Answered by Left."""


class Forget(Frame, frozen=True):
    """The conversation is deleted: delete what is kept of it. Not answered."""

    conversation: str


class Tune(Frame, frozen=True):
    """Measure how this model is run best here, within `limit_s`. Answered by Tuned."""

    request_id: int
    limit_s: float = 6.0


class Stop(Frame, frozen=True):
    """End the running request as soon as possible; it still reports Done."""

    request_id: int


class Bench(Frame, frozen=True):
    """Measure prompt speed over `n_prompt` tokens and decode speed over `n_gen` tokens, each
    `repetitions` times after every one of `n_depths` tokens. Answered by BenchDone.

    `n_first`: the tokens of the conversation whose first token is waited for, 0 for none.
    """

    request_id: int
    n_prompt: int = 512
    n_gen: int = 128
    repetitions: int = 5
    n_depths: tuple[int, ...] = (0,)
    n_first: int = 0


class Probe(Frame, frozen=True):
    """The one word to the child "probe": which stages it is not to go through."""

    skip: tuple[str, ...] = ()


Command = Load | Generate | Leave | Forget | Tune | Stop | Bench


# --- events -----------------------------------------------------------------------------------


class Hello(Frame, frozen=True):
    protocol: int
    llama_cpp: str
    pid: int


class Heartbeat(Frame, frozen=True):
    """Sent while a command runs, so that a hang can be told from work."""


class Memory(msgspec.Struct, frozen=True):
    """What the loaded model takes, as llama.cpp reports it, and the child's resident size."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    rss_bytes: int

    @property
    def total_bytes(self) -> int:
        """llama.cpp's buffers."""
        return self.weights_bytes + self.kv_bytes + self.compute_bytes


class Loaded(Frame, frozen=True):
    """A model is there. `n_smaller`: how many ways to load it failed for lack of memory, and
    `notice` what was given up for it. `can_think`: its template has a switch for thinking.
    `sampling`: the file's own defaults, by Sampling's names.
    """

    path: str
    name: str
    variant: str
    architecture: str
    n_params: int
    size_bytes: int
    n_ctx: int
    n_ctx_train: int
    n_threads: int
    device: str
    flash_attn: bool
    has_chat_template: bool
    load_ms: float
    memory: Memory
    kv_type: str = "f16"
    n_gpu_layers: int = 0
    n_smaller: int = 0
    notice: Message | None = None
    can_think: bool = False
    sampling: tuple[tuple[str, float], ...] = ()


class PromptProgress(Frame, frozen=True):
    request_id: int
    n_done: int
    n_total: int


class Text(Frame, frozen=True):
    """A piece of the answer; `reasoning` is what the model thinks before it answers."""

    request_id: int
    text: str = ""
    reasoning: str = ""
    n_past: int = 0
    tps: float = 0.0


class Done(Frame, frozen=True):
    """The answer is complete. `stop_reason`: "stop", "length", "context" or "cancelled".

    `n_guessed` tokens were guessed from what was said before, and `n_true` of them came true.
    """

    request_id: int
    n_prompt: int
    n_cached: int
    n_generated: int
    n_past: int
    n_dropped: int
    tps: float
    prompt_tps: float
    ttft_ms: float
    thought_ms: float
    stop_reason: str
    seed: int
    rss_bytes: int
    n_guessed: int = 0
    n_true: int = 0


class BenchProgress(Frame, frozen=True):
    """`share` of the work is done; the rest takes about `left_s`. `step`: "warmup", "depth",
    "prompt", "decode" or "first", after `n_depth` tokens."""

    request_id: int
    step: str
    n_depth: int
    share: float
    left_s: float


class BenchDepth(msgspec.Struct, frozen=True):
    """Every measurement after `n_depth` tokens, in tokens per second."""

    n_depth: int
    pp_tps: tuple[float, ...] = ()
    tg_tps: tuple[float, ...] = ()


class BenchDone(Frame, frozen=True):
    """What was measured; `was_stopped`: not all of it.

    `ttft_ms`: from a short question to its first token. The others are waits in a conversation of
    `n_first` tokens: `cold` with all of it to be read, `warm` with its last question to be read,
    `restored` the same after its cache came back from disk.
    """

    request_id: int
    pp_tps: tuple[float, ...]
    tg_tps: tuple[float, ...]
    ttft_ms: tuple[float, ...]
    peak_bytes: int
    n_threads: int
    depths: tuple[BenchDepth, ...] = ()
    n_first: int = 0
    cold_ms: tuple[float, ...] = ()
    warm_ms: tuple[float, ...] = ()
    restored_ms: tuple[float, ...] = ()
    was_stopped: bool = False


class Buffer(msgspec.Struct, frozen=True):
    """A buffer of llama.cpp's, under its name: "CPU", "CUDA0", "CUDA_Host" …"""

    name: str
    n_bytes: int


class Fitted(Frame, frozen=True):
    """The answer of the child "fit": what a load would take.

    `kv_bytes`: keys, values and states of all layers. `process_bytes`: what the child itself takes
    with the vocabulary, as the engine's would.
    """

    compute: tuple[Buffer, ...]
    output_bytes: int
    kv_bytes: int
    process_bytes: int


class Left(Frame, frozen=True):
    """`kept_bytes`: the size of the file, 0 where nothing was kept."""

    kept_bytes: int


class Tuned(Frame, frozen=True):
    """`n_threads`, `flash_attn` and `kv_type` are what is best here; `pass_costs` as in Load.
    `n_threads` 0: not found out, as another command came, or other programs were busy.

    `kv_type` differs from "f16" only where it is no slower and memory is short.
    """

    request_id: int
    n_threads: int
    flash_attn: str
    kv_type: str
    pass_costs: tuple[tuple[int, float], ...]


class Failed(Frame, frozen=True):
    """A command failed; the child lives on. `kind`: "model", "prompt", "engine" or "lost", after
    which the child can compute no more."""

    kind: str
    text: Message
    hint: Message | None = None
    detail: str = ""
    request_id: int | None = None


class ProbeStages(Frame, frozen=True):
    """The first word of the child "probe": the questions it is going to ask, in order."""

    stages: tuple[str, ...]


class ProbePart(Frame, frozen=True):
    """The answer of one stage of the child "probe"; a stage fills what it knows.

    `features`: of stage "ggml" those that the build's kernels use, of "cpu" the processor's.
    `missing`: the driver or library without which the source has nothing to say; `trouble`: what
    it said, for the doctor.
    """

    stage: str
    llama_cpp: str = ""
    devices: tuple[Device, ...] = ()
    backends: tuple[str, ...] = ()
    cuda_archs: tuple[int, ...] = ()
    features: tuple[str, ...] = ()
    n_efficiency: int = 0
    gpus: tuple[FoundGpu, ...] = ()
    missing: str = ""
    bandwidth: Bandwidth | None = None
    trouble: str = ""


Event = (
    Hello
    | Heartbeat
    | Loaded
    | PromptProgress
    | Text
    | Done
    | BenchProgress
    | BenchDone
    | Left
    | Tuned
    | Failed
)

_encoder = msgspec.json.Encoder()
_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_probes: msgspec.json.Decoder[Probe] = msgspec.json.Decoder(Probe)
_answers: msgspec.json.Decoder[ProbeStages | ProbePart] = msgspec.json.Decoder(
    ProbeStages | ProbePart
)
_events: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_fitted: msgspec.json.Decoder[Fitted | Failed] = msgspec.json.Decoder(Fitted | Failed)
_T = TypeVar("_T")


def encode(frame: Frame) -> bytes:
    """`frame` as one line. Raises ProtocolError when it is longer than MAX_FRAME_BYTES."""
    line = _encoder.encode(frame) + b"\n"
    if len(line) > MAX_FRAME_BYTES:
        raise ProtocolError(f"a frame of {len(line)} bytes")
    return line


def decode_command(line: bytes) -> Command:
    return _decode(_commands, line)


def decode_event(line: bytes) -> Event:
    return _decode(_events, line)


def decode_probe(line: bytes) -> Probe:
    return _decode(_probes, line)


def decode_probe_answer(line: bytes) -> ProbeStages | ProbePart:
    return _decode(_answers, line)


def decode_fitted(line: bytes) -> Fitted | Failed:
    return _decode(_fitted, line)


def _decode(decoder: msgspec.json.Decoder[_T], line: bytes) -> _T:
    if len(line) > MAX_FRAME_BYTES:
        raise ProtocolError(f"a frame of more than {MAX_FRAME_BYTES} bytes")
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"{error}: {line[:200]!r}") from error
