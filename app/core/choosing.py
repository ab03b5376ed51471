"""Applies the policy's tables: which candidate, with what context, kept how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.core.assessing import assess
from app.core.catalog_model import FileKind
from app.core.hardware import Hardware
from app.core.policy import (
    CONCESSIONS,
    LAST_RESORTS,
    LEAST_CONTEXT,
    POLICY,
    Grade,
    Place,
    Rule,
    grade_of,
    order_of,
)
from app.core.recommendation import Assessment, Candidate
from app.core.room import is_fast, is_roomy
from app.core.speed import SpeedRecord

_ANYTHING = tuple(Rule(kind, grade, Place.ANY, 0.0) for kind in FileKind for grade in Grade)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was chosen, if anything; `n_ctx` is what was wanted.

    `others`: every candidate in the order given, with the pick's context and KV type, or with those
    that were wanted.
    """

    n_ctx: int
    pick: Assessment | None
    others: tuple[Assessment, ...]


def choose(
    candidates: Sequence[Candidate],
    hardware: Hardware,
    n_ctx: int,
    kv_type: str | None = None,
    measured: Sequence[SpeedRecord] = (),
) -> Judged:
    """The candidate that satisfies the first rule it can, with the fewest concessions.

    Of a single candidate only the way to run it is in question, so that any rule will do.
    """
    trials = _Trials(candidates, hardware, measured)
    concessions = tuple(_concessions(n_ctx, kv_type))
    tables: tuple[tuple[Rule, ...], ...] = (
        (_ANYTHING,) if len(candidates) == 1 else (POLICY, LAST_RESORTS)
    )
    last = concessions[-1]
    if not any(trial.plan.fits for trial in trials.of_all(last)):
        tables = ()  # it is no use to go through them all
    for rules in tables:
        for concession in concessions:
            pick = _first(rules, trials, concession)
            if pick:
                return Judged(n_ctx, pick, trials.of_all(concession))
    return Judged(n_ctx, None, trials.of_all(_Conceded(n_ctx, kv_type or "f16", False)))


@dataclass(frozen=True, slots=True)
class _Conceded:
    n_ctx: int
    kv_type: str
    is_roomy: bool


class _Trials:
    """Assessments, each made once and only when asked for."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        hardware: Hardware,
        measured: Sequence[SpeedRecord],
    ) -> None:
        self.candidates = candidates
        self._hardware = hardware
        self._measured = measured
        self._made: dict[tuple[int, int, str], Assessment] = {}

    def of(self, number: int, way: _Conceded) -> Assessment:
        key = (number, way.n_ctx, way.kv_type)
        if key not in self._made:
            candidate = self.candidates[number]
            self._made[key] = assess(
                candidate, self._hardware, way.n_ctx, way.kv_type, self._measured
            )
        return self._made[key]

    def of_all(self, way: _Conceded) -> tuple[Assessment, ...]:
        return tuple(self.of(number, way) for number in range(len(self.candidates)))


def _concessions(n_ctx: int, kv_type: str | None) -> Iterator[_Conceded]:
    """From none on, with never less context than is of use."""
    for concession in CONCESSIONS:
        smaller = n_ctx // concession.divisor
        if concession.divisor > 1 and smaller < LEAST_CONTEXT:
            continue
        if kv_type in (None, concession.kv_type):
            yield _Conceded(smaller, concession.kv_type, concession.is_roomy)
        elif concession.kv_type == "f16":
            yield _Conceded(smaller, kv_type, concession.is_roomy)


def _first(rules: Sequence[Rule], trials: _Trials, way: _Conceded) -> Assessment | None:
    for rule in rules:
        for number in _meant(rule, trials.candidates):
            trial = trials.of(number, way)
            if _satisfies(trial, rule, way):
                return trial
    return None


def _meant(rule: Rule, candidates: Sequence[Candidate]) -> list[int]:
    """Which of them are of the rule's kind, grade and size, the best known first."""
    meant = [
        number
        for number, candidate in enumerate(candidates)
        if candidate.kind is rule.kind
        and grade_for(candidate) is rule.grade
        and candidate.shape.n_params >= rule.from_params
    ]
    return sorted(meant, key=lambda number: order_of(candidates[number].variant))


def _satisfies(trial: Assessment, rule: Rule, way: _Conceded) -> bool:
    return (
        trial.plan.fits
        and (is_roomy(trial.plan) or not way.is_roomy)
        and trial.predicted_tps >= rule.least_tps
        and (rule.place is Place.ANY or is_fast(trial.plan, trial.candidate.shape))
    )


def grade_for(candidate: Candidate) -> Grade:
    n_params = candidate.shape.n_params
    bpw = candidate.size_bytes * 8 / n_params if n_params else 0.0
    return grade_of(candidate.variant, bpw)
