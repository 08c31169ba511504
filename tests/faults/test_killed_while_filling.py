"""Windows and events of a span once more, killed in between: what is outside of it stays, what is in it is right."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import Any

import pytest

from tests.e2e.test_million_events import START
from tests.e2e.tusk import Answer
from tests.faults.scene import KILLED, Scene
from tests.faults.verdict import rows_of
from tusk_platform.core import transactions

pytestmark = pytest.mark.slow

STORED = "select * exclude (updated_at, is_final) from agg.per_country order by all"
MINUTE = dt.timedelta(minutes=1)
FROM, TO = (START + n * MINUTE for n in (2, 4))


@pytest.fixture
def scene(log_scene: Scene) -> Scene:
    """Five minutes of events, all counted."""
    log_scene.configure("1 ms")
    log_scene.write(45_000)
    log_scene.tusk("ingest", "orders", "--once")
    log_scene.tusk("run", "agg.per_country")
    return log_scene


def filled(scene: Scene, *more: str) -> Answer:
    """The span computed again."""
    return scene.tusk("backfill", "orders", "--from", FROM.isoformat(), "--to", TO.isoformat(), *more, "--json")


def spoil(scene: Scene) -> None:
    """Lose all windows, as nothing of ours does."""
    scene.lake.open("agg.per_country").delete("event_count > 0", {})


def of_span(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [r for r in rows if FROM <= dt.datetime.fromisoformat(r["window_start"]) < TO]


def test_windows_of_the_span_are_computed_from_raw_and_no_others(scene: Scene) -> None:
    was = scene.tusk.sql(STORED)
    spoil(scene)
    scene.write(3_000)
    told = filled(scene).json()

    # What came since is counted first, as ever; of what was lost only the span comes back.
    now = scene.tusk.sql(STORED)
    assert of_span(now) == of_span(was) != []
    assert {dt.datetime.fromisoformat(r["window_start"]) for r in now} == {FROM, FROM + MINUTE}
    assert told["windows"] == [{"table": "agg.per_country", "rows": len(of_span(was)), "left_until": None}]


def without_old(scene: Scene) -> None:
    """Raw without what happened before the third minute, as retention leaves it, and aggregates that know."""
    gone = FROM + MINUTE - dt.timedelta(microseconds=1)
    at = {transactions.trimmed("orders"): int(gone.timestamp() * 1_000_000)}
    scene.lake.open("raw.orders").delete(f"_event_time <= '{gone.isoformat()}'", at)


def test_windows_that_raw_does_not_hold_are_left_and_named(scene: Scene) -> None:
    was = scene.tusk.sql(STORED)
    without_old(scene)
    told = filled(scene).json()

    [windows] = told["windows"]
    assert windows["left_until"] == (FROM + MINUTE).isoformat().replace("+00:00", "Z")
    assert scene.tusk.sql(STORED) == was


@pytest.mark.parametrize("point", ["inside_write:1", "in_backfill:2", "in_backfill:4"])
def test_fetching_killed_and_started_again_has_every_event_once(scene: Scene, point: str) -> None:
    was = scene.tusk.sql(STORED)
    without_old(scene)
    spoil(scene)
    lacking = scene.rows()
    span = ("--from", FROM.isoformat(), "--to", TO.isoformat(), "--from-source")
    killed = scene.dying(point).call("backfill", "orders", *span)
    assert killed.code == KILLED, killed.err
    told = filled(scene, "--from-source").json()

    assert told["read"] == 45_000
    assert scene.rows() > lacking
    assert max(Counter(row.place for row in rows_of(scene.lake)).values()) == 1
    now, then = of_span(scene.tusk.sql(STORED)), of_span(was)
    # Late ones count where they did not before, as they are told to.
    assert [(r["window_start"], r["country"]) for r in now] == [(r["window_start"], r["country"]) for r in then]
    events = {e.id: e for e in scene.produced().values() if not e.broken}.values()
    counted = sum(FROM.timestamp() * 1_000_000 <= e.at < (FROM + MINUTE).timestamp() * 1_000_000 for e in events)
    first = [r for r in now if dt.datetime.fromisoformat(r["window_start"]) == FROM]
    assert sum(int(r["event_count"]) for r in first) == counted
    scene.tusk("ingest", "orders", "--once")
    assert scene.tusk.sql("select count(*) as rows from raw.orders") == [{"rows": scene.rows()}]
