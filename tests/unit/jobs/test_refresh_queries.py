"""When a query is due: when what it reads has moved, or time has; never before its aggregates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from tests.oracle.histories import ORIGIN, STREAM, aggregate, plan
from tests.oracle.project import add
from tests.unit.jobs.test_refresh import Clock, Recorder
from tusk_platform.core import transactions
from tusk_platform.core.catalog import query_definition
from tusk_platform.jobs.ingest import Until
from tusk_platform.jobs.refresh import RefreshReport, due_queries, refresh
from tusk_platform.plan.nodes import Column, Plan, Query, QueryInput, Tumbling
from tusk_platform.ports import RefreshResult
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.query_table import inputs_moved
from tusk_platform.units import MINUTE, SECOND


def asked(name: str, table: str, *, uses_now: bool = False) -> Query:
    """A query over one table of the stream."""
    columns, inputs = (Column("n", "integer"),), (QueryInput(table),)
    return Query(name, "select 1", inputs, ORIGIN, columns, (STREAM.name,), uses_now=uses_now)


MINUTELY = aggregate("minutely", Tumbling(MINUTE), update_frequency=10 * SECOND)
PLAN = replace(
    plan(MINUTELY),
    queries=(
        asked("events_now", "clean.events", uses_now=True),
        asked("total", "agg.minutely"),
        asked("top", "query.total"),
    ),
)


class QueryRecorder(Recorder):
    """An engine that records the marks of queries too."""

    def _one(self, name: str) -> RefreshResult:
        query = next((q for q in self.plan.queries if q.name == name), None)
        if query is None:
            return super()._one(name)
        if name in self.broken:
            return RefreshResult(name, 0, 0, 0.0, "no such function", "query")
        self.lake.create(query.table, pa.schema([pa.field("n", pa.int64())]))
        table = self.lake.open(query.table)
        versions = {
            transactions.inputs(name): inputs_moved(self.plan, query, self.lake),
            transactions.definition(name): query_definition(self.plan, query),
            transactions.refreshed_at(name): self.clock.now,
            transactions.changed_at(name): self.clock.now,
        }
        table.append(table.schema.empty_table(), versions)
        return RefreshResult(name, 1, 0, 0.0, schema="query")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def engine(lake: Lake, clock: Clock) -> QueryRecorder:
    return QueryRecorder(PLAN, lake, clock)


def run(engine: Recorder, lake: Lake, clock: Clock, seconds: int = 0, the_plan: Plan = PLAN) -> RefreshReport:
    until = Until(deadline=clock.now + seconds * SECOND) if seconds else Until(once=True)
    return refresh(the_plan, STREAM, engine, lake, clock=clock, until=until, wait=clock.wait)


def names(calls: Sequence[Sequence[str]]) -> set[str]:
    return {name for call in calls for name in call}


def test_queries_are_computed_before_the_first_event(engine: QueryRecorder, lake: Lake, clock: Clock) -> None:
    run(engine, lake, clock)

    assert engine.calls == [["events_now", "total", "top"]]


def test_queries_come_after_their_aggregates(engine: QueryRecorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)
    run(engine, lake, clock)

    assert engine.calls == [["minutely"], ["events_now", "total", "top"]]


def test_while_nothing_comes_only_time_moves_a_query(engine: QueryRecorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)
    run(engine, lake, clock)
    run(engine, lake, clock)
    engine.calls.clear()
    run(engine, lake, clock, seconds=130)

    assert names(engine.calls) == {"events_now"}
    assert len(engine.calls) == 2


def test_what_is_read_moves_a_query_at_its_own_pace(engine: QueryRecorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)
    run(engine, lake, clock)
    add(lake, STREAM, [], 2)
    engine.calls.clear()
    run(engine, lake, clock, seconds=59)
    assert names(engine.calls) == {"minutely"}

    run(engine, lake, clock, seconds=30)
    assert names(engine.calls) == {"minutely", "events_now", "total", "top"}


def test_a_query_written_anew_does_not_wait(engine: QueryRecorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)
    run(engine, lake, clock)
    changed = replace(PLAN, queries=(*PLAN.queries[:2], replace(PLAN.queries[2], sql="select 2")))

    assert due_queries(changed, STREAM, lake)["top"] == 0
    assert "top" not in due_queries(PLAN, STREAM, lake) or due_queries(PLAN, STREAM, lake)["top"] > clock.now


def test_a_query_that_fails_is_named_by_its_table(engine: QueryRecorder, lake: Lake, clock: Clock) -> None:
    engine.broken = {"total"}
    report = run(engine, lake, clock)

    assert report.errors == ("query.total: no such function",)
