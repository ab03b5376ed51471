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
    role: str
    text: str


class Sampling(msgspec.Struct, frozen=True):
    """Names and meaning as in llama.cpp's common/sampling.h; `seed` None draws a new one."""

    temperature: float = 0.7
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.05
    seed: int | None = None


# --- commands ---------------------------------------------------------------------------------


class Load(Frame, frozen=True):
    """Load one GGUF, in place of the one loaded before. `n_threads` 0: one per physical core.

    `n_gpu_layers` -1: all, where a GPU is there. `flash_attn`: "auto", "on" or "off".
    """

    path: str
    n_ctx: int = 4096
    n_threads: int = 0
    n_gpu_layers: int = -1
    flash_attn: str = "auto"
    kv_type: str = "f16"


class Generate(Frame, frozen=True):
    """Answer the last of `messages`. `max_tokens` 0: as much as the context holds."""

    request_id: int
    messages: tuple[PromptMessage, ...]
    sampling: Sampling = Sampling()
    max_tokens: int = 0


class Stop(Frame, frozen=True):
    """End the running request as soon as possible; it still reports Done."""

    request_id: int


class Bench(Frame, frozen=True):
    """Measure prompt speed over `n_prompt` tokens and decode speed over `n_gen` tokens."""

    request_id: int
    n_prompt: int = 512
    n_gen: int = 128
    repetitions: int = 5


class Probe(Frame, frozen=True):
    """The one word to the child "probe": which stages it is not to go through."""

    skip: tuple[str, ...] = ()


Command = Load | Generate | Stop | Bench


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
    """The answer is complete. `stop_reason`: "stop", "length", "context" or "cancelled"."""

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


class BenchDone(Frame, frozen=True):
    request_id: int
    pp_tps: tuple[float, ...]
    tg_tps: tuple[float, ...]
    ttft_ms: tuple[float, ...]
    peak_bytes: int
    n_threads: int


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


class Failed(Frame, frozen=True):
    """A command failed; the child lives on. `kind`: "model", "prompt" or "engine"."""

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


Event = Hello | Heartbeat | Loaded | PromptProgress | Text | Done | BenchDone | Failed

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
