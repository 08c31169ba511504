"""Windows of every kind: the project's macros and refresh against the oracle, over random histories, without dbt."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.compare import assert_same, nearly
from tests.oracle.engine import Event, Key, Row, rows
from tests.oracle.histories import (
    CONDITIONS,
    DAYS,
    LONG_SLIDING,
    SESSIONS,
    SLIDING,
    TUMBLING,
    Batch,
    aggregate,
    dense,
    histories,
    plan,
)
from tests.oracle.quick import QuickEngine
from tusk_platform.plan.nodes import Plan, Session
from tusk_platform.units import HOUR, SECOND

FEW_EXAMPLES = settings(max_examples=6, deadline=None)
MANY_EXAMPLES = settings(max_examples=100, deadline=None)
SHORT = {"tumbling": plan(*TUMBLING), "sliding": plan(*SLIDING), "session": plan(*SESSIONS)}
DENSE = plan(
    aggregate("long", Session(6 * SECOND, 20 * SECOND)),
    aggregate("patient", Session(5 * SECOND, 11 * SECOND), allowed_lateness=8 * SECOND),
)
ZONES = ("UTC", "Europe/Berlin", "America/Havana", "America/Nuuk", "Asia/Kolkata")
LONG = {zone: plan(*DAYS, *LONG_SLIDING, timezone=zone) for zone in ZONES}


def replay(engine: QuickEngine, history: list[Batch], the_plan: Plan, *, settled: int = 1) -> None:
    """Batch by batch; after every refresh the tables hold what the oracle says, and equal rows kept their time.

    Before batch ``settled`` they need not yet.
    """
    seen: list[Event] = []
    before: dict[str, dict[Key, Row]] = {a.name: {} for a in the_plan.aggregates}
    for number, batch in enumerate(history, start=1):
        engine.add(the_plan.streams[0], list(batch.events), number)
        seen += batch.events
        if not batch.refreshed and number < len(history):
            continue
        for each in the_plan.aggregates:
            engine.refresh(each.name, now=number)
            found = engine.rows(each.name)
            if number >= settled:
                assert_same(found, rows(the_plan, each, seen, CONDITIONS))
            assert_kept(before[each.name], found, number)
            before[each.name] = found


def assert_kept(before: dict[Key, Row], after: dict[Key, Row], now: int) -> None:
    """Rows equal to those before have their time, all others the time of this refresh; by rounding apart, either."""
    for key, row in after.items():
        allowed = {now}
        if (old := before.get(key)) is not None and nearly({**row, "updated_at": 0}, {**old, "updated_at": 0}):
            same = {**row, "updated_at": 0} == {**old, "updated_at": 0}
            allowed = {old["updated_at"]} if same else {old["updated_at"], now}
        assert row["updated_at"] in allowed, key


def check(the_plan: Plan, history: list[Batch]) -> None:
    """One history through a new engine."""
    engine = QuickEngine(the_plan)
    replay(engine, history, the_plan)
    engine.close()


@pytest.mark.parametrize("kind", SHORT)
@FEW_EXAMPLES
@given(history=histories(120))
def test_every_refresh_equals_the_oracle(kind: str, history: list[Batch]) -> None:
    check(SHORT[kind], history)


@FEW_EXAMPLES
@given(history=dense(80))
def test_long_sessions_are_cut_where_the_oracle_cuts(history: list[Batch]) -> None:
    check(DENSE, history)


@pytest.mark.parametrize("zone", ZONES)
@FEW_EXAMPLES
@given(history=histories(300, HOUR, most=10))
def test_days_begin_at_local_midnight(zone: str, history: list[Batch]) -> None:
    check(LONG[zone], history)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHORT)
@MANY_EXAMPLES
@given(history=histories(120, users=3))
def test_many_histories_equal_the_oracle(kind: str, history: list[Batch]) -> None:
    check(SHORT[kind], history)


@pytest.mark.slow
@MANY_EXAMPLES
@given(zone=st.sampled_from(ZONES), history=histories(300, HOUR))
def test_many_histories_of_days_equal_the_oracle(zone: str, history: list[Batch]) -> None:
    check(LONG[zone], history)


@pytest.mark.slow
@MANY_EXAMPLES
@given(history=dense(120))
def test_many_long_sessions_equal_the_oracle(history: list[Batch]) -> None:
    check(DENSE, history)
