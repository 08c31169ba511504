"""Bring aggregates and queries of a stream up to date with raw, each at its own pace, in few calls of the engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition, query_definition
from tusk_platform.jobs.ingest import Steady, Until
from tusk_platform.plan.nodes import Aggregate, Plan, Query, Stream
from tusk_platform.ports import Engine, RefreshResult
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.query_table import inputs_moved
from tusk_platform.units import SECOND

# Between two looks at a stream in which nothing is due.
LOOK_EVERY: Final = SECOND


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What one call did: how many refreshes, rows written, the last result of each table, errors included."""

    stream: str
    refreshes: int = 0
    rows: int = 0
    results: tuple[RefreshResult, ...] = ()

    @property
    def errors(self) -> tuple[str, ...]:
        """One line for each table whose last refresh failed."""
        return tuple(f"{r.table}: {r.error}" for r in self.results if r.error)


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
    A query is due when a table that it reads has changed, or with ``now()`` in it always; it comes after the
    aggregates. What failed is tried again at its own pace, and hinders nothing else.
    """
    last: dict[str, RefreshResult] = {}
    tried: dict[str, int] = {}
    timer = Steady(clock)
    refreshes = rows = 0
    pace = {a.name: a.update_frequency for a in plan.aggregates_of(stream.name)}
    pace |= {q.name: q.update_frequency for q in plan.queries_of(stream.name)}
    while True:
        idle = True
        for times in (due_times, due_queries):
            now = clock()
            # What failed here waits its turn; of what others did the table itself says when its turn is.
            due = {n: max(at, tried.get(n, -pace[n]) + pace[n]) for n, at in times(plan, stream, lake).items()}
            # A turn further off than one pace is of a clock that was put back since.
            names = [n for n in pace if n in due and (until.once or not now < due[n] <= now + pace[n])]
            idle = idle and not names
            for result in engine.refresh(names) if names else ():
                last[result.aggregate] = result
                tried[result.aggregate] = now
                refreshes += result.error is None
                rows += result.rows
        if until.once or _over(until, timer()):
            return RefreshReport(stream.name, refreshes, rows, tuple(last.values()))
        if idle:
            wait(_pause(until, timer()) / SECOND)


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


def due_queries(plan: Plan, stream: Stream, lake: Lake) -> dict[str, int]:
    """Query -> when it is due, for those refreshed with a stream whose result may be another one by now."""
    times = {q.name: _query_due(plan, q, lake) for q in plan.queries_of(stream.name)}
    return {name: at for name, at in times.items() if at is not None}


def _query_due(plan: Plan, query: Query, lake: Lake) -> int | None:
    if not lake.exists(query.table):
        return 0
    version = lake.open(query.table).transaction
    if version(transactions.definition(query.name)) != query_definition(plan, query):
        return 0
    moving = query.uses_now and not all(plan.stream(s).replay for s in query.streams)
    if not moving and version(transactions.inputs(query.name)) == inputs_moved(plan, query, lake):
        return None
    return (version(transactions.refreshed_at(query.name)) or 0) + query.update_frequency


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
