"""What a refresh continues, what it starts over, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.oracle.engine import Event
from tests.oracle.histories import METRICS, START, STREAM, aggregate, plan
from tests.oracle.quick import QuickEngine, all_rows, compiled_once
from tusk_platform.core import transactions
from tusk_platform.core.schema import raw_schema
from tusk_platform.plan.nodes import Tumbling
from tusk_platform.storage.aggregate_table import RESULT, advance, begin, commit
from tusk_platform.units import SECOND

MINUTELY = aggregate("minutely", Tumbling(60 * SECOND), allowed_lateness=30 * SECOND)
PLAN = plan(MINUTELY)


def event(second: int, batch: int, watermark: int | None = None, **values: object) -> Event:
    known = None if watermark is None else START + watermark * SECOND
    return Event(START + second * SECOND, batch, second, known, values={"user": "u", **values})


@pytest.fixture
def engine() -> Iterator[QuickEngine]:
    opened = QuickEngine(PLAN)
    yield opened
    opened.close()


def counts(engine: QuickEngine) -> dict[int, int]:
    """Window start in seconds -> events."""
    return {(k[0] - START) // SECOND: row["event_count"] for k, row in engine.rows("minutely").items()}


def test_rows_that_come_during_a_refresh_wait_for_the_next(engine: QuickEngine) -> None:
    engine.add(STREAM, [event(1, 1)], 1)
    begun = begin(engine.lake, PLAN, MINUTELY)
    assert begun is not None
    engine.add(STREAM, [event(2, 2)], 2)
    begun = advance(engine.connection, begun, engine.sql["minutely"], all_rows)
    engine.connection.execute(f"create temp table {RESULT} as ({engine.sql['minutely']})")
    done = commit(engine.connection, begun, now=1)

    assert (done.through_batch, counts(engine)) == (1, {0: 1})
    engine.refresh("minutely")
    assert counts(engine) == {0: 2}


def test_rows_taken_out_of_raw_start_over(engine: QuickEngine) -> None:
    engine.add(STREAM, [event(1, 1), event(61, 1)], 1)
    engine.refresh("minutely", now=1)
    raw = engine.lake.open(STREAM.table)
    raw.replace(raw_schema(STREAM).empty_table(), "true", {transactions.generation(STREAM.name): 1})
    engine.add(STREAM, [event(62, 2)], 2)

    engine.refresh("minutely", now=2)

    assert counts(engine) == {60: 1}


def test_another_definition_starts_over(engine: QuickEngine) -> None:
    engine.add(STREAM, [event(1, 1, amount=Decimal(1)), event(61, 1)], 1)
    engine.refresh("minutely", now=1)
    engine.plan = plan(replace(MINUTELY, window=Tumbling(30 * SECOND)))
    engine.sql = compiled_once(engine.plan)

    engine.refresh("minutely", now=2)

    assert {k[1] - k[0] for k in engine.rows("minutely")} == {30 * SECOND}


def test_another_pace_goes_on(engine: QuickEngine) -> None:
    engine.add(STREAM, [event(1, 1)], 1)
    engine.refresh("minutely")
    engine.plan = plan(replace(MINUTELY, update_frequency=SECOND, group="elsewhere"))

    assert engine.refresh("minutely") is not None
    assert engine.lake.commits == 2


def test_late_rows_only_move_the_batch(engine: QuickEngine) -> None:
    engine.add(STREAM, [event(1, 1)], 1)
    engine.refresh("minutely", now=1)
    before = engine.rows("minutely")
    engine.add(STREAM, [event(2, 2, watermark=90)], 2)

    done = engine.refresh("minutely", now=2)

    assert done is not None
    assert (done.rows, done.since, done.through_batch) == (0, None, 2)
    assert engine.rows("minutely") == before


def test_nothing_new_commits_nothing(engine: QuickEngine) -> None:
    engine.add(STREAM, [event(1, 1)], 1)
    engine.refresh("minutely")
    commits = engine.lake.commits
    for _ in range(3):
        engine.refresh("minutely")

    assert engine.lake.commits == commits


def test_repeated_events_change_no_row(engine: QuickEngine) -> None:
    engine.add(STREAM, [event(1, 1, event_id="a"), event(70, 1)], 1)
    engine.refresh("minutely", now=1)
    before = engine.rows("minutely")
    engine.add(STREAM, [event(1, 2, event_id="a")], 2)

    done = engine.refresh("minutely", now=2)

    assert done is not None
    assert (done.rows, done.changed) == (0, 0)
    assert engine.rows("minutely") == before


def test_only_the_window_that_changed_gets_a_new_time(engine: QuickEngine) -> None:
    engine.add(STREAM, [event(1, 1), event(61, 1), event(121, 1)], 1)
    engine.refresh("minutely", now=1)
    engine.add(STREAM, [event(62, 2)], 2)

    done = engine.refresh("minutely", now=2)

    assert done is not None
    assert (done.rows, done.changed) == (2, 1)
    assert [row["updated_at"] for _, row in sorted(engine.rows("minutely").items())] == [1, 2, 1]


def test_a_raw_table_from_a_backup_starts_over(engine: QuickEngine) -> None:
    engine.add(STREAM, [event(1, 1)], 1)
    engine.add(STREAM, [event(61, 2)], 2)
    engine.refresh("minutely")
    engine.connection.execute("delete from raw.events where _batch = 2")
    engine.lake.versions[STREAM.table][transactions.batch(STREAM.name)] = 1

    engine.refresh("minutely")

    assert counts(engine) == {0: 1}


def test_sums_that_differ_in_the_last_digit_are_equal() -> None:
    the_plan = plan(replace(MINUTELY, metrics=(METRICS[5],)))
    engine = QuickEngine(the_plan)
    engine.add(STREAM, [event(n, 1, duration=0.1) for n in range(10)], 1)
    engine.refresh("minutely", now=1)
    engine.connection.execute("update agg.minutely set time_spent = time_spent + 1e-15")

    done = engine.refresh("minutely", now=2, full=True)

    assert done is not None
    assert done.changed == 0
    engine.close()
