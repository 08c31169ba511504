"""The refresh over real Delta tables: who commits first, which files are read, how many commits are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.oracle.engine import Event
from tests.oracle.histories import START, STREAM, aggregate, plan
from tests.oracle.project import add, stored_rows
from tests.oracle.quick import compiled_once
from tusk_platform.core import transactions
from tusk_platform.core.schema import raw_schema
from tusk_platform.errors import Conflict
from tusk_platform.plan.nodes import Session, Tumbling
from tusk_platform.storage.aggregate_table import RESULT, Begun, Done, advance, begin, commit, moment
from tusk_platform.storage.duck import connect
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.snapshot import rows_sql
from tusk_platform.units import MINUTE, SECOND

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
    return advance(connection, begun, SQL, partial(rows_sql, lake))


def finished(connection: duckdb.DuckDBPyConnection, begun: Begun) -> Done:
    connection.execute(f"create or replace temp table {RESULT} as ({SQL})")
    return commit(connection, begun, now=1)


def test_the_second_of_two_refreshes_is_refused(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    first = begun_at(connection, lake)
    add(lake, STREAM_ALONE, [event(2, 2)], 2)
    second = begun_at(connection, lake)
    finished(connection, second)
    connection.execute("set variable upto = 1::bigint")

    with pytest.raises(Conflict):
        finished(connection, first)
    assert [r["event_count"] for r in stored_rows(lake, PLAN, "minutely").values()] == [2]


def test_a_refresh_reads_the_commit_it_began_with(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    begun = begun_at(connection, lake)
    raw = lake.open("raw.events")
    raw.delete("_partition = '0'", {transactions.generation("events"): 1})

    assert finished(connection, begun).rows == 1
    assert finished(connection, begun_at(connection, lake)).rows == 0
    assert stored_rows(lake, PLAN, "minutely") == {}


def test_old_files_are_not_opened(lake: Lake) -> None:
    for batch in range(2, 12):
        add(lake, STREAM_ALONE, [event(batch * 60, batch)], batch)
    raw = lake.open("raw.events")

    assert rows_sql(lake, raw, {"_batch": 11}).count(".parquet") == 1
    assert rows_sql(lake, raw, {"_event_time": moment(START + 600 * SECOND)}).count(".parquet") == 2
    assert rows_sql(lake, raw, {"_status": "ok"}).count(".parquet") == 11
    assert rows_sql(lake, raw, {"_status": "quarantined"}).count(".parquet") == 0


def test_a_column_that_no_file_has_is_null(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    schema = raw_schema(STREAM_ALONE).append(pa.field("colour", pa.string()))
    lake.create("raw.events", schema, partition_by=("_status", "_ingested_date"))
    rows = rows_sql(lake, lake.open("raw.events"), {})

    assert connection.execute(f"select colour, _batch, _status from {rows}").fetchall() == [(None, 1, "ok")]


def test_a_session_in_an_old_file_keeps_its_rows(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    visits = aggregate("visits", Session(10 * SECOND))
    the_plan = plan(visits, stream=STREAM_ALONE)
    sql = compiled_once(the_plan)["visits"]
    others = replace(event(12, 3), values={"user": "v"})
    for batch, events in enumerate([[event(9, 2), event(17, 2)], [others]], start=2):
        add(lake, STREAM_ALONE, events, batch)
        begun = begin(lake, the_plan, visits)
        assert begun is not None
        begun = advance(connection, begun, sql, partial(rows_sql, lake))
        connection.execute(f"create or replace temp table {RESULT} as ({sql})")
        commit(connection, begun, now=batch)

    found = {
        (k[0] - START, k[1] - START, *k[2]): r["event_count"] for k, r in stored_rows(lake, the_plan, "visits").items()
    }
    assert found == {(SECOND, 27 * SECOND, "u"): 3, (12 * SECOND, 22 * SECOND, "v"): 1}


def test_commits_are_made_only_for_batches_that_are_new(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    finished(connection, begun_at(connection, lake))
    add(lake, STREAM_ALONE, [event(2, 2, watermark=300)], 2)
    versions = []
    for _ in range(3):
        commit(connection, begun_at(connection, lake), now=2)
        versions.append(lake.open(MINUTELY.table).version)

    # The table was made, filled, and told of a batch of late rows, once.
    assert versions == [2, 2, 2]
