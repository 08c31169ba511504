"""Bring the aggregates of a stream up to date with raw, each at its own pace, in few calls of the engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition
from tusk_platform.jobs.ingest import Until
from tusk_platform.plan.nodes import Aggregate, Plan, Stream
from tusk_platform.ports import Engine, RefreshResult
from tusk_platform.storage.lake import Lake
from tusk_platform.units import SECOND

# Between two looks at a stream in which nothing is due.
LOOK_EVERY: Final = SECOND


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What one call did: how many aggregates it refreshed, rows written, the last result of each, errors included."""

    stream: str
    refreshes: int = 0
    rows: int = 0
    results: tuple[RefreshResult, ...] = ()

    @property
    def errors(self) -> tuple[str, ...]:
        """One line for each aggregate whose last refresh failed."""
        return tuple(f"agg.{r.aggregate}: {r.error}" for r in self.results if r.error)


def refresh(
    plan: Plan,
    stream: Stream,
    engine: Engine,
    lake: Lake,
    *,
    clock: Callable[[], int],
    until: Until,
    wait: Callable[[float], None] = time.sleep,
) -> RefreshReport:
    """Refresh what is due of a stream until told to stop; ``until.once``: all that is behind, at once, then return.

    An aggregate is due when raw holds batches that it does not, and its `update_frequency` has passed since it was last
    refreshed. A window that only waits to become final needs no refresh: `is_final` is worked out when it is read.
    An aggregate that failed is tried again at its own pace, and hinders no other.
    """
    last: dict[str, RefreshResult] = {}
    tried: dict[str, int] = {}
    refreshes = rows = 0
    while True:
        now = clock()
        pace = {a.name: a.update_frequency for a in plan.aggregates_of(stream.name)}
        due = {name: max(at, tried.get(name, at) + pace[name]) for name, at in due_times(plan, stream, lake).items()}
        names = [name for name in pace if name in due and (until.once or due[name] <= now)]
        for result in engine.refresh(names) if names else ():
            last[result.aggregate] = result
            tried[result.aggregate] = now
            refreshes += result.error is None
            rows += result.rows
        if until.once or _over(until, clock()):
            return RefreshReport(stream.name, refreshes, rows, tuple(last.values()))
        if not names:
            wait(_pause(until, clock()) / SECOND)


def due_times(plan: Plan, stream: Stream, lake: Lake) -> dict[str, int]:
    """Aggregate -> when it is due (microseconds UTC, 0: at once), for those that do not hold all of raw."""
    if not lake.exists(stream.table):
        return {}
    raw = lake.open(stream.table)
    batch = raw.transaction(transactions.batch(stream.name))
    if batch is None:
        return {}
    generation = raw.transaction(transactions.generation(stream.name)) or 0
    times = {a.name: _due(plan, a, lake, batch, generation) for a in plan.aggregates_of(stream.name)}
    return {name: at for name, at in times.items() if at is not None}


def _due(plan: Plan, aggregate: Aggregate, lake: Lake, batch: int, generation: int) -> int | None:
    if not lake.exists(aggregate.table):
        return 0
    name = aggregate.name
    version = lake.open(aggregate.table).transaction
    computed_by = (version(transactions.refreshed_generation(name)), version(transactions.definition(name)))
    if computed_by != (generation, definition(plan, aggregate)):
        # What is there is wrong or not there yet: no reason to wait.
        return 0
    if version(transactions.refreshed(name)) == batch:
        return None
    return (version(transactions.refreshed_at(name)) or 0) + aggregate.update_frequency


def _over(until: Until, now: int) -> bool:
    return until.stopping() or (until.deadline is not None and now >= until.deadline)


def _pause(until: Until, now: int) -> int:
    return LOOK_EVERY if until.deadline is None else max(0, min(LOOK_EVERY, until.deadline - now))
