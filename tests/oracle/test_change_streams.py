"""Tables of databases: whatever is inserted, updated and deleted, windows hold the rows that are there."""

from __future__ import annotations

from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings

from tests.oracle.engine import Event, images
from tests.oracle.histories import SESSIONS, SLIDING, START, TUMBLING, aggregate, plan
from tests.oracle.quick import QuickEngine, raw_rows
from tests.oracle.tables import TABLE, History, tables
from tests.oracle.test_windows import DENSE, FEW_EXAMPLES, MANY_EXAMPLES, replay
from tusk_platform.core.query_rows import clean_since
from tusk_platform.core.views import view_sql
from tusk_platform.plan.nodes import Op, Tumbling
from tusk_platform.units import MINUTE, SECOND

PLANS = {
    "tumbling": plan(*TUMBLING, stream=TABLE),
    "sliding": plan(*SLIDING, stream=TABLE),
    "session": plan(*SESSIONS, stream=TABLE),
    "dense": plan(*DENSE.aggregates, stream=TABLE),
}


def check(kind: str, history: History) -> None:
    """One history through a new engine."""
    engine = QuickEngine(PLANS[kind])
    replay(engine, history.batches, PLANS[kind], settled=history.settled)
    engine.close()


@pytest.mark.parametrize("kind", PLANS)
@FEW_EXAMPLES
@given(history=tables(90))
def test_every_refresh_of_a_table_equals_the_oracle(kind: str, history: History) -> None:
    check(kind, history)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLANS)
@MANY_EXAMPLES
@given(history=tables(60, keys="abcdefgh", most=60))
def test_many_histories_of_tables_equal_the_oracle(kind: str, history: History) -> None:
    check(kind, history)


@settings(max_examples=60, deadline=None)
@given(history=tables(90))
def test_clean_rows_are_the_table(history: History) -> None:
    events = [e for b in history.batches for e in b.events]
    raw = raw_rows(TABLE, events)
    there = sorted((START + i.time, i.values["user"]) for i in history.table.values() if i.ok and i.values["user"])

    assert sorted((e.time, e.values["user"]) for e in images(events) if e.values["user"]) == there
    with duckdb.connect() as connection:
        connection.register("stored", raw)
        for sql, since in (
            (view_sql(plan(stream=TABLE), "clean.events", "stored", present=raw.schema), -1),
            (clean_since(TABLE, "(select * from stored where _status = 'ok')", START + 30 * SECOND), 30),
        ):
            found = connection.execute(f'select epoch_us(_event_time), "user" from ({sql}) where "user" is not null')
            assert sorted(found.fetchall()) == [row for row in there if row[0] >= START + since * SECOND]


def test_a_changed_row_leaves_its_window_and_comes_into_another() -> None:
    the_plan = plan(aggregate("minutely", Tumbling(MINUTE), dimensions=()), stream=TABLE)
    engine = QuickEngine(the_plan)

    def record(offset: int, op: Op, second: int, amount: int, key: str = "a") -> Event:
        values = {"amount": Decimal(amount), "user": "u"}
        return Event(START + second * SECOND, offset, offset, values=values, op=op, key=key)

    def after(*records: Event) -> dict[int, tuple[int, int]]:
        """Minute -> rows and their sum, once these records came."""
        engine.add(TABLE, list(records), records[-1].batch)
        engine.refresh("minutely")
        found = engine.rows("minutely")
        return {(k[0] - START) // MINUTE: (row["event_count"], int(row["revenue"])) for k, row in found.items()}

    assert after(record(1, "snapshot", 5, 10), record(2, "insert", 65, 7, "b")) == {0: (1, 10), 1: (1, 7)}
    # The amount is another one; then the time is, so that an old window loses the row and a new one gets it.
    assert after(record(3, "update_preimage", 5, 10), record(4, "update_postimage", 5, 11)) == {0: (1, 11), 1: (1, 7)}
    assert after(record(5, "update_preimage", 5, 11), record(6, "update_postimage", 70, 11)) == {1: (2, 18)}
    # Both records of an update need not come together.
    assert after(record(7, "update_preimage", 70, 11)) == {1: (1, 7)}
    assert after(record(8, "update_postimage", 125, 12)) == {1: (1, 7), 2: (1, 12)}
    assert after(record(9, "delete", 125, 12)) == {1: (1, 7)}
    assert after(record(10, "insert", 3, 1)) == {0: (1, 1), 1: (1, 7)}
    engine.close()
