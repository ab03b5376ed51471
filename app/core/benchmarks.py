"""What a benchmark of a model came to on this computer, and how its measurements become figures.

Kept in the database, shown by the window and the command line. It measures nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.core.hardware import Hardware

N_PROMPT, N_GEN = 512, 128  # as llama-bench: pp512 and tg128
N_FIRST = 512  # tokens of the conversation whose first token is waited for
REPETITIONS = 5


@dataclass(frozen=True, slots=True)
class DepthResult:
    """Every measurement after `n_depth` tokens, in tokens per second.

    `bandwidth_share`: of the memory's speed, what writing reached; None where that is not known.
    """

    n_depth: int
    pp_tps: tuple[float, ...]
    tg_tps: tuple[float, ...]
    bandwidth_share: float | None = None


@dataclass(frozen=True, slots=True)
class BenchRecord:
    """One benchmark of one model. Times in milliseconds, sizes in bytes, every measurement.

    `ttft_ms`: a short question to its first token, nothing cached. The other waits are in a
    conversation of `n_first` tokens: all of it to be read, only the last question, and the same
    after its cache came back from disk. `peak_bytes`: the engine's largest resident size.
    `bandwidth`: of the RAM in bytes per second, 0 where not measured. `created_at`: seconds since
    1970, 0 before it is kept.
    """

    model: str
    variant: str
    path: str
    size_bytes: int
    device: str
    n_gpu_layers: int
    n_threads: int
    n_ctx: int
    kv_type: str
    flash_attn: bool
    llama_cpp: str
    n_prompt: int
    n_gen: int
    load_ms: float
    peak_bytes: int
    bandwidth: int
    depths: tuple[DepthResult, ...]
    ttft_ms: tuple[float, ...]
    n_first: int = 0
    cold_ms: tuple[float, ...] = ()
    warm_ms: tuple[float, ...] = ()
    restored_ms: tuple[float, ...] = ()
    created_at: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.model} {self.variant}".strip()

    @property
    def pp_tps(self) -> float:
        return middle(self.depths[0].pp_tps)

    @property
    def tg_tps(self) -> float:
        return middle(self.depths[0].tg_tps)

    @property
    def bandwidth_share(self) -> float | None:
        return self.depths[0].bandwidth_share

    @property
    def same_file(self) -> tuple[str, str, int]:
        """What two benchmarks of one variant have in common."""
        return self.model, self.variant, self.size_bytes


def middle(values: Sequence[float]) -> float:
    """The median; 0 where nothing was measured."""
    return median(values) if values else 0.0


def spread(values: Sequence[float]) -> float:
    """The median absolute deviation from the median: one wild measurement does not count."""
    centre = middle(values)
    return middle([abs(value - centre) for value in values])


def machine_of(computer: Hardware) -> str:
    """A name for this computer that stays, so that results of another one are not mixed in."""
    cpu = computer.cpu
    return f"{cpu.name}, {cpu.n_cores} cores, {computer.ram_total_bytes} bytes"


def latest_of_each(records: Sequence[BenchRecord]) -> tuple[BenchRecord, ...]:
    """Of `records`, the newest first, the newest one of each file."""
    found: dict[tuple[str, str, int], BenchRecord] = {}
    for record in records:
        found.setdefault(record.same_file, record)
    return tuple(found.values())
