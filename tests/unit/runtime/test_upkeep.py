"""Housekeeping that cannot starve: every table has its turn, whatever becomes of the others and of the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest

from tests.unit.runtime.test_apply import MINUTE, START, Shop, event
from tusk_platform.jobs.ingest import Until
from tusk_platform.jobs.maintain import QUALITY_KEPT, maintain
from tusk_platform.jobs.validate import quality_schema
from tusk_platform.runtime.duties import Upkeep, maintain_all
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.log import EventLog
from tusk_platform.units import DAY

TABLES = ["agg.sales", "quality", "raw.orders", "raw.visits"]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


def kept(platform: Platform, tables: int | None = None) -> Upkeep:
    """Housekeeping with time for so many tables."""
    moments = count(platform.clock())
    platform.clock = lambda: next(moments)
    looks = iter(range(100))
    until = Until() if tables is None else Until(stopping=lambda: next(looks) >= tables - 1)
    return maintain_all(platform, until, command="test")


def looked_after(report: Upkeep) -> list[str]:
    return [r.table for r in report.tables]


def hurt(platform: Platform, table: str) -> None:
    """The log of a table says what it cannot mean."""
    for entry in Path(platform.lake.path(table), "_delta_log").iterdir():
        entry.write_bytes(b"{ no log")


def test_table_that_fails_keeps_no_other_from_its_turn(shop: Shop) -> None:
    platform = shop.sell(event(0))
    hurt(platform, "agg.sales")
    report = kept(platform)

    assert looked_after(report) == TABLES
    assert [line.split(":")[0] for line in report.errors] == ["agg.sales"]
    assert [r.table for r in report.tables if r.error] == ["agg.sales"]


def test_those_that_waited_longest_come_first(shop: Shop) -> None:
    platform = shop.sell(event(0))
    hurt(platform, "agg.sales")
    turns = [kept(platform, 3) for _ in range(4)]

    assert [looked_after(t) for t in turns] == [
        ["agg.sales", "quality", "raw.orders"],
        ["raw.visits", "agg.sales", "quality"],
        ["raw.orders", "raw.visits", "agg.sales"],
        ["quality", "raw.orders", "raw.visits"],
    ]
    assert turns[0].left == ("raw.visits",)


def test_verdicts_go_after_a_month_but_never_the_newest_of_a_stream(shop: Shop) -> None:
    platform = shop.open()
    now = START + 100 * DAY
    found = [("orders", 1, 100), ("orders", 2, 40), ("orders", 3, 10), ("visits", 7, 90), ("it's", 1, 80)]
    times = [dt.datetime.fromtimestamp((now - days * DAY) / 1_000_000, dt.UTC) for *_, days in found]
    rows = pa.table({
        "stream": [f[0] for f in found], "through_batch": [f[1] for f in found], "validated_at": times,
        **{f.name: pa.nulls(len(found), f.type) for f in quality_schema()
           if f.name not in {"stream", "through_batch", "validated_at"}},
    })  # fmt: skip
    platform.lake.open("quality").append(rows, {})
    first = maintain(platform.plan, "quality", platform.lake, clock=lambda: now)
    version = platform.lake.open("quality").version
    again = maintain(platform.plan, "quality", platform.lake, clock=lambda: now + 60 * MINUTE)

    assert QUALITY_KEPT == 30 * DAY
    assert (first.rows_expired, again.rows_expired) == (2, 0)
    assert platform.lake.open("quality").version == version
    left = platform.lake.open("quality").delta.to_pyarrow_table().select(["stream", "through_batch"]).to_pylist()
    assert sorted((r["stream"], r["through_batch"]) for r in left) == [("it's", 1), ("orders", 3), ("visits", 7)]


@pytest.mark.parametrize("adapter", ["http", "mqtt"])
def test_log_loses_only_what_is_in_the_lake_and_old(shop: Shop, adapter: str) -> None:
    # Another source has another kind of reader, and a log all the same.
    platform = shop.sell(event(0), event(1))
    log = EventLog(platform.home.log, "orders")
    log.append([b"{}"], arrival=platform.clock() - 400 * DAY)
    late = platform.clock() + 300 * DAY
    platform.clock = lambda: late
    object.__setattr__(platform.plan.stream("orders"), "adapter", adapter)
    maintain_all(platform, command="test")
    unread = (log.start(), log.end())
    log.close()

    assert unread == (2, 3)
