from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from tests.fakes.streams import a_stream
from tusk_platform.core.schema import raw_schema
from tusk_platform.core.transactions import trimmed
from tusk_platform.jobs.maintain import MaintainReport, maintain
from tusk_platform.plan.nodes import Plan
from tusk_platform.storage.lake import Lake
from tusk_platform.units import DAY

NOW = 1_767_225_600_000_000
TODAY = dt.date(2026, 1, 1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.create(
        "raw.orders",
        raw_schema(a_stream()),
        partition_by=("_status", "_ingested_date"),
        statistics=("_batch", "_event_time"),
    )
    return lake


def a_plan(retention: int | None) -> Plan:
    return Plan("shop.tsk", streams=(a_stream(retention=retention),))


def fill(lake: Lake, *days_ago: int) -> None:
    handle = lake.open("raw.orders")
    for number, days in enumerate(days_ago):
        rows = {
            "_status": ["ok", "quarantined"],
            "_ingested_date": [TODAY - dt.timedelta(days=days)] * 2,
            "_batch": [number] * 2,
        }
        handle.append(pa.table(rows), {"orders/batch": number})


def keep(lake: Lake, retention: int | None = None, table: str = "raw.orders") -> MaintainReport:
    return maintain(a_plan(retention), table, lake, clock=lambda: NOW)


def test_table_with_many_small_files_is_made_small(lake: Lake) -> None:
    fill(lake, *[0] * 10)
    report = keep(lake)

    assert (report.files_before, report.files_after, report.rows_expired) == (20, 2, 0)
    assert lake.open("raw.orders").delta.to_pyarrow_table().num_rows == 20
    assert lake.open("raw.orders").transaction("orders/batch") == 9


def test_second_time_there_is_nothing_to_do(lake: Lake) -> None:
    fill(lake, *[0] * 10)
    first = keep(lake)
    second = keep(lake)

    assert second == MaintainReport("raw.orders", files_before=2, files_after=2, version=first.version)


def test_rows_past_retention_go_good_and_bad(lake: Lake) -> None:
    fill(lake, 0, 6, 7, 8, 40)
    report = keep(lake, retention=7 * DAY)

    assert report.rows_expired == 4
    days = lake.open("raw.orders").delta.to_pyarrow_table()["_ingested_date"].to_pylist()
    assert sorted(set(days)) == [TODAY - dt.timedelta(days=d) for d in (7, 6, 0)]


def test_raw_knows_up_to_when_events_may_be_missing(lake: Lake) -> None:
    handle = lake.open("raw.orders")
    for days in (9, 8, 0):
        day = TODAY - dt.timedelta(days=days)
        times = [dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC) for hour in (5, 6)]
        handle.append(pa.table({"_status": ["ok"] * 2, "_ingested_date": [day] * 2, "_event_time": times}), {})
    before = lake.open("raw.orders").transaction(trimmed("orders"))
    keep(lake, retention=7 * DAY)
    once = lake.open("raw.orders").transaction(trimmed("orders"))
    keep(lake, retention=7 * DAY)

    six = dt.datetime(2025, 12, 24, 6, tzinfo=dt.UTC)
    assert before is None
    assert once == int(six.timestamp() * 1_000_000) + 999  # the log keeps milliseconds
    assert lake.open("raw.orders").transaction(trimmed("orders")) == once


def test_without_retention_everything_stays(lake: Lake) -> None:
    fill(lake, 4000)

    assert keep(lake).rows_expired == 0


def test_table_the_plan_does_not_know_is_kept_small_too(lake: Lake) -> None:
    lake.create("notes", pa.schema([("rule", pa.string())]))
    handle = lake.open("notes")
    for _ in range(5):
        handle.append(pa.table({"rule": ["r"]}), {})

    assert keep(lake, DAY, "notes").files_after == 1
