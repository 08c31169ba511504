"""The refresh over real Delta tables: who commits first, which files are read, how many commits are made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tests.oracle.engine import Event
from tests.oracle.histories import START, STREAM, aggregate, plan
from tests.oracle.project import add, stored_rows
from tests.oracle.quick import compiled_once
from tusk_platform.errors import Conflict
from tusk_platform.plan.nodes import Tumbling
from tusk_platform.storage.aggregate_table import (
    BEGINNING,
    NO_BATCH,
    RESULT,
    Begun,
    Done,
    advance,
    begin,
    bound,
    commit,
)
from tusk_platform.storage.duck import connect, scan
from tusk_platform.storage.lake import Lake
from tusk_platform.units import DAY, MINUTE, SECOND

STREAM_ALONE = replace(STREAM, deduplicate=False)
MINUTELY = aggregate("minutely", Tumbling(MINUTE))
PLAN = plan(MINUTELY, stream=STREAM_ALONE)
SQL = compiled_once(PLAN)["minutely"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake")
    add(made, STREAM_ALONE, [event(1, 1)], 1)
    return made


@pytest.fixture
def connection(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(lake, PLAN) as opened:
        yield opened


def event(second: int, batch: int, watermark: int | None = None) -> Event:
    known = None if watermark is None else START + watermark * SECOND
    return Event(START + second * SECOND, batch, second, known, values={"user": "u"})


def begun_at(connection: duckdb.DuckDBPyConnection, lake: Lake) -> Begun:
    begun = begin(lake, PLAN, MINUTELY)
    assert begun is not None
    return advance(connection, begun, SQL, scan(lake, MINUTELY.table))


def finished(connection: duckdb.DuckDBPyConnection, lake: Lake, begun: Begun) -> Done:
    connection.execute(f"create or replace temp table {RESULT} as ({SQL})")
    return commit(connection, begun, old=scan(lake, MINUTELY.table), now=1)


def test_the_second_of_two_refreshes_is_refused(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    first = begun_at(connection, lake)
    add(lake, STREAM_ALONE, [event(2, 2)], 2)
    second = begun_at(connection, lake)
    finished(connection, lake, second)
    connection.execute("set variable upto = 1::bigint")

    with pytest.raises(Conflict):
        finished(connection, lake, first)
    assert [r["event_count"] for r in stored_rows(lake, PLAN, "minutely").values()] == [2]


def test_only_what_is_new_is_read_to_find_the_start(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    for batch in range(2, 12):
        add(lake, STREAM_ALONE, [event(batch * 60, batch)], batch)
    bound(connection, STREAM_ALONE, since=BEGINNING, after=9, upto=10)

    assert files_read(connection, f"select min(window_start) from ({SQL})") == ("1", "11")


def test_days_of_ingestion_long_before_are_not_opened(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    for batch in range(2, 32):
        add(lake, STREAM_ALONE, [event(batch * DAY // SECOND, batch)], batch)
    bound(connection, STREAM_ALONE, since=START + 30 * DAY, after=NO_BATCH, upto=31)

    assert files_read(connection, SQL) == ("9", "31")


def files_read(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, str]:
    """How many of how many files a query opens."""
    text = connection.execute(f"explain analyze {sql}").fetchall()[0][1]
    [found] = re.findall(r"Scanning Files: (\d+)/(\d+)", text)
    return found[0], found[1]


def test_commits_are_made_only_for_batches_that_are_new(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    finished(connection, lake, begun_at(connection, lake))
    add(lake, STREAM_ALONE, [event(2, 2, watermark=300)], 2)
    versions = []
    for _ in range(3):
        commit(connection, begun_at(connection, lake), old=scan(lake, MINUTELY.table), now=2)
        versions.append(lake.open(MINUTELY.table).version)

    # The table was made, filled, and told of a batch of late rows, once.
    assert versions == [2, 2, 2]
