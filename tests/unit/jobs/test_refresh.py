"""Which aggregates are due, and that one call of the engine takes all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.oracle.histories import STREAM, aggregate, plan
from tests.oracle.project import add
from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition
from tusk_platform.jobs.ingest import Until
from tusk_platform.jobs.refresh import RefreshReport, refresh
from tusk_platform.plan.nodes import Plan, Tumbling
from tusk_platform.ports import RefreshResult, Windows
from tusk_platform.storage.aggregate_table import create
from tusk_platform.storage.lake import Lake
from tusk_platform.units import MINUTE, SECOND

FAST = aggregate("fast", Tumbling(MINUTE), update_frequency=10 * SECOND)
SLOW = aggregate("slow", Tumbling(MINUTE), update_frequency=MINUTE)
PLAN = plan(FAST, SLOW)


class Recorder:
    """An engine that writes what an engine writes into the tables' transactions, and no rows."""

    def __init__(self, the_plan: Plan, lake: Lake, clock: Clock) -> None:
        self.plan, self.lake, self.clock = the_plan, lake, clock
        self.calls: list[list[str]] = []
        self.broken: set[str] = set()

    def refresh(
        self, aggregates: Sequence[str], *, full: bool = False, windows: Windows | None = None
    ) -> tuple[RefreshResult, ...]:
        self.calls.append([*aggregates, *(["full"] if full else []), *(["some"] if windows else [])])
        return tuple(self._one(name) for name in aggregates)

    def close(self) -> None:
        pass

    def _one(self, name: str) -> RefreshResult:
        if name in self.broken:
            return RefreshResult(name, 0, 0, 0.0, "no such column")
        the_aggregate = self.plan.aggregate(name)
        raw = self.lake.open(STREAM.table)
        upto = raw.transaction(transactions.batch(STREAM.name)) or 0
        create(self.lake, self.plan, the_aggregate)
        table = self.lake.open(the_aggregate.table)
        versions = {
            transactions.refreshed(name): upto,
            transactions.refreshed_generation(name): raw.transaction(transactions.generation(STREAM.name)) or 0,
            transactions.definition(name): definition(self.plan, the_aggregate),
            transactions.refreshed_at(name): self.clock.now,
        }
        table.append(table.schema.empty_table(), versions)
        return RefreshResult(name, 1, upto, 0.0)


class Clock:
    """Time that only passes when somebody waits, and what happens meanwhile."""

    def __init__(self) -> None:
        self.now = 1_000_000 * SECOND
        self.batch = 0
        self.lake: Lake | None = None

    def __call__(self) -> int:
        return self.now

    def wait(self, seconds: float) -> None:
        """A second passes and a batch comes."""
        self.now += round(seconds * SECOND)
        if self.lake is not None:
            self.batch += 1
            add(self.lake, STREAM, [], self.batch)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def engine(lake: Lake, clock: Clock) -> Recorder:
    return Recorder(PLAN, lake, clock)


def run(engine: Recorder, lake: Lake, clock: Clock, seconds: int = 0) -> RefreshReport:
    until = Until(deadline=clock.now + seconds * SECOND) if seconds else Until(once=True)
    return refresh(PLAN, STREAM, engine, lake, clock=clock, until=until, wait=clock.wait)


def test_nothing_is_due_before_the_first_batch(engine: Recorder, lake: Lake, clock: Clock) -> None:
    assert run(engine, lake, clock) == RefreshReport("events")
    assert engine.calls == []


def test_what_is_behind_goes_in_one_call(engine: Recorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)

    report = run(engine, lake, clock)

    assert engine.calls == [["fast", "slow"]]
    assert (report.refreshes, report.rows) == (2, 2)


def test_what_holds_all_of_raw_is_left_alone(engine: Recorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)
    run(engine, lake, clock)

    assert run(engine, lake, clock).refreshes == 0


def test_each_goes_at_its_own_pace(engine: Recorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)
    clock.lake, clock.batch = lake, 1
    run(engine, lake, clock, seconds=65)

    assert engine.calls.count(["fast"]) == 5
    assert engine.calls.count(["fast", "slow"]) == 2


def test_what_started_over_does_not_wait(engine: Recorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)
    run(engine, lake, clock)
    add(lake, STREAM, [], 2, generation=1)

    run(engine, lake, clock, seconds=3)

    assert engine.calls[1:] == [["fast", "slow"]]


def test_a_failure_waits_its_turn_and_hinders_no_other(engine: Recorder, lake: Lake, clock: Clock) -> None:
    engine.broken = {"fast"}
    add(lake, STREAM, [], 1)
    report = run(engine, lake, clock, seconds=12)

    assert engine.calls == [["fast", "slow"], ["fast"]]
    assert report.errors == ("agg.fast: no such column",)
    assert report.refreshes == 1


def test_clock_that_was_put_back_makes_nothing_wait_for_it(engine: Recorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)
    clock.lake, clock.batch = lake, 1
    run(engine, lake, clock, seconds=15)
    engine.calls.clear()
    clock.now -= 3_600 * SECOND

    run(engine, lake, clock, seconds=25)

    assert engine.calls == [["fast", "slow"], ["fast"], ["fast"]]


def test_it_stops_when_told(engine: Recorder, lake: Lake, clock: Clock) -> None:
    add(lake, STREAM, [], 1)
    report = refresh(
        PLAN, STREAM, engine, lake, clock=clock, until=Until(stopping=lambda: bool(engine.calls)), wait=clock.wait
    )

    assert report.refreshes == 2
