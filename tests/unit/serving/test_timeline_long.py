"""Windows and the events after them give one answer: that of the plain engine over everything that came."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.warehouse import FakeWarehouse
from tests.oracle import engine
from tests.oracle.engine import Event
from tests.oracle.histories import CONDITIONS, DAYS, STREAM, TUMBLING, Batch, histories, plan
from tests.oracle.quick import QuickEngine
from tusk_platform.plan.nodes import Aggregate, Metric, Plan, Tumbling
from tusk_platform.serving.questions import Asked, adds_up
from tusk_platform.serving.timeline import Desk, Values, grid_of, timeline
from tusk_platform.units import DAY, MINUTE, SECOND

_BY_NAME = {a.name: a for a in (*TUMBLING, *DAYS)}


def _expected(plan_: Plan, aggregate: Aggregate, metric: Metric, events: Iterable[Event]) -> dict[int, Any]:
    total = replace(aggregate, dimensions=(), metrics=(metric,))
    found = engine.rows(plan_, total, events, CONDITIONS)
    return {start: row[metric.name] for (start, _, _), row in found.items()}


def _same(found: Any, expected: Any) -> bool:  # noqa: ANN401 - whatever a metric gives
    if found is None or expected is None or isinstance(expected, str | int | Decimal):
        return bool(found == expected)
    return float(found) == pytest.approx(float(expected), rel=1e-9, abs=1e-6)


class _Told:
    """A history as it unfolds: raw filled, aggregates refreshed now and then, the desk asked after each batch."""

    def __init__(self, plan_: Plan, *, span: int | None = None, most_rows: int = 1_000_000) -> None:
        self.quick = QuickEngine(plan_)
        self.warehouse = FakeWarehouse(plan_, self.quick.lake, span=span, most_rows=most_rows)
        self.plan = plan_
        self.events: list[Event] = []
        self.kept: dict[tuple[object, ...], Any] = {}

    def add(self, batch: Batch, number: int) -> None:
        self.quick.add(self.plan.streams[0], list(batch.events), number)
        self.events += batch.events
        if batch.refreshed:
            for a in self.plan.aggregates:
                self.quick.refresh(a.name)

    def ask(self, asked: Asked) -> Values:
        times = [e.time for e in self.events if e.ok] or [0]
        desk = Desk(self.plan, self.warehouse, max(times), self.kept)
        assert asked.grid is not None
        start = asked.grid.floor(min(times))
        return timeline(desk, asked, start, asked.grid.step(asked.grid.floor(max(times))))


@settings(deadline=None, max_examples=250)
@given(
    st.data(),
    histories(40),
    st.sampled_from([a.name for a in TUMBLING]),
    st.sampled_from([None, 5 * SECOND, MINUTE]),
    st.sampled_from([3, 1000]),
)
def test_total_over_groups_is_that_of_the_plain_engine(
    data: st.DataObject, history: list[Batch], name: str, span: int | None, most_rows: int
) -> None:
    aggregate = _BY_NAME[name]
    told = _Told(plan(aggregate), span=span, most_rows=most_rows)
    metric = data.draw(st.sampled_from([m for m in aggregate.metrics if m.name != "last_kind"]))
    grid = grid_of(Desk(told.plan, told.warehouse, 0), aggregate)
    asked = Asked(aggregate, metric, grid)
    for number, batch in enumerate(history, start=1):
        told.add(batch, number)
        found = told.ask(asked)

        expected = _expected(told.plan, aggregate, metric, told.events)
        held = told.warehouse.held(STREAM) or 0
        # What came too late to be held in memory waits for the next refresh, where the windows themselves are asked.
        for start, value in expected.items():
            if start >= held or batch.refreshed or not adds_up(asked):
                assert _same(found.get((start, ""), (None,))[0], value), (start, value, found)
    told.quick.close()


@settings(deadline=None, max_examples=80)
@given(histories(6, DAY // 2), st.sampled_from([a.name for a in DAYS]), st.sampled_from(["Europe/Berlin", "UTC"]))
def test_days_and_weeks_start_at_local_midnight(history: list[Batch], name: str, timezone: str) -> None:
    aggregate = _BY_NAME[name]
    told = _Told(plan(aggregate, timezone=timezone))
    metric = next(m for m in aggregate.metrics if m.function == "distinct")
    asked = Asked(aggregate, metric, grid_of(Desk(told.plan, told.warehouse, 0), aggregate), timezone=timezone)
    for number, batch in enumerate(history, start=1):
        told.add(batch, number)

    found = {start: value for (start, _), (value, _) in told.ask(asked).items()}

    assert found == _expected(told.plan, aggregate, metric, told.events)
    told.quick.close()


@settings(deadline=None, max_examples=80)
@given(histories(300), st.sampled_from(["count", "revenue", "throughput", "avg_amount", "users", "longest"]))
def test_wider_buckets_are_exact(history: list[Batch], name: str) -> None:
    narrow, wide = _BY_NAME["everything"], Tumbling(MINUTE)
    told = _Told(plan(narrow))
    metric = next(m for m in narrow.metrics if m.name == name)
    grid = grid_of(Desk(told.plan, told.warehouse, 0), narrow, MINUTE)
    for number, batch in enumerate(history, start=1):
        told.add(replace(batch, refreshed=True), number)

    found = told.ask(Asked(narrow, metric, grid))

    # Nothing is late here, so a minute of narrow windows holds what one wide window holds.
    told.events = [replace(e, watermark=None) for e in told.events] if _in_time(told.events) else []
    if told.events:
        expected = _expected(told.plan, replace(narrow, window=wide), metric, told.events)
        assert {k[0] for k in found} == set(expected)
        assert all(_same(found[start, ""][0], value) for start, value in expected.items())
    told.quick.close()


def _in_time(events: list[Event]) -> bool:
    return all(e.watermark is None or e.time // (10 * SECOND) * 10 * SECOND + 10 * SECOND > e.watermark for e in events)


def test_events_are_read_once() -> None:
    aggregate = _BY_NAME["everything"]
    told = _Told(plan(aggregate))
    metric = next(m for m in aggregate.metrics if m.name == "users")
    asked = Asked(aggregate, metric, grid_of(Desk(told.plan, told.warehouse, 0), aggregate))
    first = Event(STREAM.max_future, 1, 0, values={"user": "u"})
    told.add(Batch((first,), refreshed=False), 1)
    told.ask(asked)
    told.warehouse.asked.clear()

    told.ask(asked)

    assert told.warehouse.asked == []
    told.quick.close()


def test_rows_taken_out_of_raw_take_their_windows_with_them() -> None:
    aggregate = _BY_NAME["everything"]
    told = _Told(plan(aggregate))
    count = aggregate.metrics[0]
    asked = Asked(aggregate, count, grid_of(Desk(told.plan, told.warehouse, 0), aggregate))
    told.add(Batch((Event(0, 1, 0, values={"user": "demo"}),), refreshed=True), 1)
    told.warehouse.connection.execute("delete from raw.events")
    told.warehouse.generations["events"] = 1
    told.add(Batch((Event(SECOND, 2, 0, values={"user": "real"}),), refreshed=False), 2)

    assert told.ask(asked) == {(0, ""): (1, False)}
    told.quick.close()
