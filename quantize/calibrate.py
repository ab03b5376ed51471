"""How fast this computer reads, encodes and writes: about a second of trying, not assuming."""

from __future__ import annotations

import functools
import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from quantize import native
from quantize.model import Weight
from quantize.types import GgmlType

_BUDGET_S = 0.8
_MAX_PER_TYPE_S = 0.06
_SHAPE = (32, 1024)
_READ_BLOCKS = 8
_READ_ELEMENTS = 512 * 1024
# Building these types' tables takes ggml up to 13 s, too long for a plan: their speed is taken as a
# part of Q4_K's with an importance matrix (seen on x86-64), and the tables are counted apart.
_PART_OF_Q4_K = {
    GgmlType.IQ2_XXS: 0.24,
    GgmlType.IQ2_XS: 0.11,
    GgmlType.IQ2_S: 0.24,
    GgmlType.IQ3_XXS: 0.20,
    GgmlType.IQ3_S: 0.23,
    GgmlType.IQ1_S: 0.38,
    GgmlType.IQ1_M: 0.56,
}
_TABLE_SECONDS = {
    GgmlType.IQ2_XXS: 1.0,
    GgmlType.IQ2_XS: 2.2,
    GgmlType.IQ2_S: 6.4,
    GgmlType.IQ1_S: 13.0,
    GgmlType.IQ1_M: 13.0,
}


@dataclass(frozen=True, slots=True)
class Speeds:
    """`encode`: weights per second of all threads together; `read` the same for reading and
    turning into float32; `write_bytes_per_s` for hashing what is written; `flops` of a matrix
    product."""

    encode: dict[GgmlType, float]
    read: float
    write_bytes_per_s: float
    flops: float


def measure(
    types: Iterable[GgmlType], weights: Sequence[Weight], n_threads: int, with_imatrix: bool
) -> Speeds:
    """Try everything the job will do. Takes about a second, less when asked again."""
    wanted = sorted(set(types))
    budget = min(_MAX_PER_TYPE_S, _BUDGET_S / max(1, len(wanted)))
    return Speeds(
        encode={t: _encode_speed(t, n_threads, with_imatrix, budget) for t in wanted},
        read=_read_speed(weights, n_threads),
        write_bytes_per_s=_hash_speed(),
        flops=_flops(),
    )


def table_seconds(types: Iterable[GgmlType]) -> float:
    """What ggml takes, once, to build the tables of `types`."""
    return sum(_TABLE_SECONDS.get(type_, 0.0) for type_ in set(types))


@functools.cache
def _encode_speed(type_: GgmlType, n_threads: int, with_imatrix: bool, budget_s: float) -> float:
    if type_ in _PART_OF_Q4_K:
        q4_k = _encode_speed(GgmlType.Q4_K, n_threads, True, _MAX_PER_TYPE_S)
        return q4_k * _PART_OF_Q4_K[type_]
    native.quantize_init(type_)
    rows = np.random.default_rng(0).standard_normal(_SHAPE).astype(np.float32)
    importance = np.ones(_SHAPE[1], np.float32) if with_imatrix else None

    def work(_: int) -> float:
        return _rate(lambda: native.quantize_rows(type_, rows, importance), budget_s) * rows.size

    with ThreadPoolExecutor(n_threads) as pool:
        return sum(pool.map(work, range(n_threads)))


def _rate(action: Callable[[], object], budget_s: float) -> float:
    """How often a second `action` can be done."""
    began = time.perf_counter()
    n_done = 0
    while True:
        action()
        n_done += 1
        spent = time.perf_counter() - began
        if spent >= budget_s:
            return n_done / spent


def _read_speed(weights: Sequence[Weight], n_threads: int) -> float:
    """Weights per second of all threads together, from the first blocks of the largest tensor."""
    rows = max(weights, key=lambda weight: weight.n_elements).rows
    step = max(1, _READ_ELEMENTS // rows.n_cols)
    starts = range(0, min(rows.n_rows, n_threads * _READ_BLOCKS * step), step)
    began = time.perf_counter()

    def work(start: int) -> int:
        if start and time.perf_counter() - began > _MAX_PER_TYPE_S:
            return 0
        return rows.read(start, min(rows.n_rows, start + step)).size

    with ThreadPoolExecutor(n_threads) as pool:
        n_read = sum(pool.map(work, starts))
    return n_read / max(1e-9, time.perf_counter() - began)


@functools.cache
def _hash_speed() -> float:
    data = bytes(1_000_000)
    return _rate(lambda: hashlib.sha256(data), 0.02) * len(data)


@functools.cache
def _flops() -> float:
    """Floating-point operations per second of a matrix product, for prompt reading."""
    a = np.ones((256, 1024), np.float32)
    b = np.ones((1024, 1024), np.float32)
    return _rate(lambda: a @ b, 0.03) * 2 * 256 * 1024 * 1024
