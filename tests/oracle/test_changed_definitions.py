"""Another definition over a table with rows, raw trimmed: what is whole is as the oracle says, the rest stays."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.oracle.compare import assert_same
from tests.oracle.engine import Event, Key, Row, rows
from tests.oracle.histories import CONDITIONS, GROUPED, START, STREAM, aggregate, plan
from tests.oracle.project import add, stored_rows
from tests.oracle.quick import compiled_once
from tusk_platform.core import transactions
from tusk_platform.core.history import first_whole
from tusk_platform.plan.nodes import Aggregate, Metric, Plan, Session, Sliding, Tumbling, Window
from tusk_platform.storage.aggregate_table import RESULT, Done, advance, begin, commit
from tusk_platform.storage.duck import connect
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.older_windows import keep_older, move
from tusk_platform.storage.snapshot import rows_sql
from tusk_platform.units import DAY, HOUR, MINUTE, SECOND

BERLIN = "Europe/Berlin"
METRIC = {m.name: m for m in GROUPED}
BEFORE = (METRIC["count"], METRIC["revenue"], METRIC["least"])
# One stays, one is new, one means something else and has another type, one is gone.
AFTER = (METRIC["count"], METRIC["users"], replace(METRIC["longest"], name="least"))
WINDOWS: list[tuple[Window, str]] = [
    (Tumbling(5 * MINUTE), "UTC"),
    (Sliding(6 * MINUTE, 2 * MINUTE), "UTC"),
    (Session(4 * MINUTE, max_size=HOUR), "UTC"),
    (Tumbling(DAY), BERLIN),
    (Sliding(2 * DAY, DAY), BERLIN),
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def history(window: Window) -> list[Event]:
    """Sixty events of two users, an hour of them or, for windows of days, ten."""
    step = 4 * HOUR if not isinstance(window, Session) and window.size >= DAY else MINUTE
    return [
        Event(START + n * step + n % 7 * SECOND, 1, n, values={
            "user": "ab"[n % 2] if n % 11 else None, "amount": None if n % 5 == 0 else n, "duration": float(n),
        })
        for n in range(60)
        if n % 13 not in {4, 5, 6, 7, 8}
    ]  # fmt: skip


def defined(window: Window, zone: str, metrics: tuple[Metric, ...], name: str = "one") -> tuple[Plan, Aggregate]:
    made = aggregate(name, window, metrics=metrics)
    whole = plan(made)
    return replace(whole, runtime=replace(whole.runtime, timezone=zone)), made


def refreshed(lake: Lake, whole: Plan, name: str = "one", *, full: bool = False) -> Done:
    sql = compiled_once(whole)[name]
    with connect(lake, whole) as connection:
        begun = begin(lake, whole, whole.aggregate(name), full=full)
        assert begun is not None
        begun = advance(connection, begun, sql, partial(rows_sql, lake))
        connection.execute(f"create or replace temp table {RESULT} as ({sql})")
        return commit(connection, begun, now=1)


def trimmed(lake: Lake, events: list[Event]) -> int:
    """Raw without the older half of its rows, and the time after which it is whole."""
    gone = sorted(e.time for e in events)[: len(events) // 2]
    raw = lake.open("raw.events")
    raw.delete(f"epoch_us(_event_time) <= {gone[-1]}", {transactions.trimmed("events"): gone[-1]})
    return gone[-1]


def shown(lake: Lake, whole: Plan, name: str = "one") -> dict[Key, Row]:
    found = stored_rows(lake, whole, name)
    for row in found.values():
        del row["updated_at"], row["is_final"]
    return found


@pytest.mark.parametrize(("window", "zone"), WINDOWS)
def test_older_windows_stay_and_the_others_are_computed(lake: Lake, window: Window, zone: str) -> None:
    events = history(window)
    before, _ = defined(window, zone, BEFORE)
    after, now = defined(window, zone, AFTER)
    add(lake, STREAM, events, 1)
    refreshed(lake, before)
    was = shown(lake, before)
    whole = first_whole(now, zone, trimmed(lake, events))
    keep_older(lake, after, now, whole, empty=("least",))
    refreshed(lake, after)

    found = shown(lake, after)
    older = {key: row for key, row in found.items() if key[0] < whole}
    assert older
    assert older == {
        key: {"event_count": row["event_count"], "count": row["count"], "users": None, "least": None}
        for key, row in was.items()
        if key[0] < whole
    }
    computed = {key: row for key, row in rows(after, now, events, CONDITIONS).items() if key[0] >= whole}
    assert computed
    assert_same({k: r for k, r in found.items() if k[0] >= whole}, computed)
    assert lake.open("agg.one").schema.names[-6:] == [
        "event_count",
        "count",
        "users",
        "least",
        "updated_at",
        "_window_date",
    ]


@pytest.mark.parametrize(("window", "zone"), WINDOWS)
def test_full_refresh_does_not_lose_what_raw_no_longer_holds(lake: Lake, window: Window, zone: str) -> None:
    events = history(window)
    whole, one = defined(window, zone, BEFORE)
    add(lake, STREAM, events, 1)
    refreshed(lake, whole)
    trimmed(lake, events)
    refreshed(lake, whole, full=True)

    assert_same(shown(lake, whole), rows(whole, one, events, CONDITIONS))


def test_windows_that_may_go_are_gone_before_others_come(lake: Lake) -> None:
    before, _ = defined(Tumbling(5 * MINUTE), "UTC", BEFORE)
    after, now = defined(Tumbling(15 * MINUTE), "UTC", BEFORE)
    events = history(Tumbling(5 * MINUTE))
    add(lake, STREAM, events, 1)
    refreshed(lake, before)
    whole = first_whole(now, "UTC", trimmed(lake, events))
    keep_older(lake, after, now, whole, remove=True)
    refreshed(lake, after)

    computed = {key: row for key, row in rows(after, now, events, CONDITIONS).items() if key[0] >= whole}
    assert_same(shown(lake, after), computed)


def test_moved_table_goes_on_where_it_was(lake: Lake) -> None:
    window = Tumbling(5 * MINUTE)
    before, _ = defined(window, "UTC", BEFORE)
    after, other = defined(window, "UTC", BEFORE, name="other")
    events = history(window)
    add(lake, STREAM, events, 1)
    refreshed(lake, before)
    trimmed(lake, events)
    move(lake, after, "one", other)
    later = [Event(START + 2 * HOUR, 2, 100, values={"user": "a", "amount": 1})]
    add(lake, STREAM, later, 2)
    done = refreshed(lake, after, "other")

    assert done.rows == 1
    assert_same(shown(lake, after, "other"), rows(after, other, [*events, *later], CONDITIONS))
