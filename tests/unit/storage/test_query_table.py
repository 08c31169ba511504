"""A query's table: one commit a refresh, columns that follow the query, the present, duplicates and late rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tusk_platform.compile import compile_text
from tusk_platform.core import transactions
from tusk_platform.core.query_rows import rows_name
from tusk_platform.core.schema import TIMESTAMP, raw_schema
from tusk_platform.generate.query_model import query_model
from tusk_platform.plan.nodes import END_OF_TIME, Plan, Query
from tusk_platform.storage.aggregate_table import RESULT
from tusk_platform.storage.duck import query as sql
from tusk_platform.storage.extensions import load_extensions
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.query_table import QueryDone, begin, commit, inputs_moved
from tusk_platform.storage.snapshot import rows_sql

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
CONFIG = """\
demo = false
timezone = "America/New_York"
real_time_analytics = {{ data_streams = {{
    visits = {{ source = "http", dedup_key = ["event_id"] }}
    history = {{ source = "file", path = "h.csv", schema = {{ timestamp = "timestamp", n = "integer" }} }}
}} }}
analytics_data_sources = {{ {queries} }}
"""


def micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def the_plan(**queries: str) -> Plan:
    """A plan with these queries, which must be right."""
    declared = ", ".join(f'{name} = @query("""{text}""")' for name, text in queries.items())
    compiled = compile_text(CONFIG.format(queries=declared), "platform.tsk")
    assert not compiled.errors, "\n".join(p.render() for p in compiled.errors)
    return compiled.plan


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake with the raw tables."""
    made = Lake(tmp_path)
    for stream in the_plan(q="SELECT event_id, user_id, amount FROM visits").streams:
        made.create(
            stream.table,
            raw_schema(stream),
            partition_by=("_status", "_ingested_date"),
            statistics=("_event_time", "_batch"),
        )
    return made


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as opened:
        load_extensions(opened)
        yield opened


def add(lake: Lake, stream: str, events: list[Mapping[str, Any]], batch: int, watermark: int | None = None) -> None:
    """Good rows in one commit, as ingest makes it."""
    table = lake.open(f"raw.{stream}")
    rows = [
        {"_status": "ok", "_ingested_date": NOW.date(), "_partition": "0", "_offset": n, "_batch": batch}
        | {"_event_time": NOW - timedelta(minutes=e.get("ago", 0)), "_watermark": NOW}
        | {k: v for k, v in e.items() if k != "ago"}
        for n, e in enumerate(events)
    ]
    known = pa.schema([table.schema.field(name) for name in rows[0]])
    marks = {transactions.batch(stream): batch}
    marks |= {transactions.watermark(stream): watermark} if watermark is not None else {}
    table.append(pa.Table.from_pylist(rows, schema=known), marks)


def refreshed(
    connection: duckdb.DuckDBPyConnection, lake: Lake, plan: Plan, query: Query, now: datetime = NOW
) -> QueryDone:
    """One refresh, with the model's text as dbt would render it."""
    rows = partial(rows_sql, lake)
    begun = begin(connection, lake, plan, query, rows, now=micros(now))
    text = query_model(plan, query).replace("{{ present() }}", "make_timestamptz(getvariable('present'))")
    for i in query.inputs:
        schema, _, name = i.table.partition(".")
        text = text.replace(f"{{{{ rows_of('{schema}', '{name}') }}}}", rows_name(i.table))
    connection.execute(f"create or replace temp table {RESULT} as ({text})")
    return commit(connection, lake, begun, rows)


def test_nothing_at_all_is_an_empty_table_and_late_rows_count(
    lake: Lake, connection: duckdb.DuckDBPyConnection
) -> None:
    plan = the_plan(
        q="SELECT user_id, SUM(amount) AS spent FROM visits WHERE ts > NOW() - INTERVAL 1 DAY GROUP BY user_id"
    )
    [query] = plan.queries

    assert refreshed(connection, lake, plan, query) == QueryDone(0, changed=False)
    assert sql(lake, plan, "select * from query.q").column_names == ["user_id", "spent"]
    add(lake, "visits", [{"user_id": "a", "amount": 5, "ago": 600}, {"user_id": "a", "amount": 7, "ago": 24 * 60}], 1)
    assert refreshed(connection, lake, plan, query) == QueryDone(1, changed=True)
    assert str(sql(lake, plan, "select spent from query.q")["spent"][0]) == "5.0000"


def test_same_rows_are_not_written_again(lake: Lake, connection: duckdb.DuckDBPyConnection) -> None:
    plan = the_plan(q="SELECT user_id, COUNT(*) AS n FROM visits GROUP BY user_id ORDER BY user_id")
    [query] = plan.queries
    add(lake, "visits", [{"user_id": "a"}, {"user_id": "b"}], 1)
    first = refreshed(connection, lake, plan, query)
    files = lake.open("query.q").files()
    again = refreshed(connection, lake, plan, query, NOW + timedelta(minutes=1))

    assert (first.changed, again.changed) == (True, False)
    table = lake.open("query.q")
    assert table.files() == files
    assert table.transaction(transactions.refreshed_at("q")) == micros(NOW + timedelta(minutes=1))
    assert table.transaction(transactions.changed_at("q")) == micros(NOW)


def test_table_follows_the_query_to_other_columns(lake: Lake, connection: duckdb.DuckDBPyConnection) -> None:
    before = the_plan(q="SELECT user_id AS a, COUNT(*) AS n FROM visits GROUP BY user_id")
    after = the_plan(q="SELECT COUNT(*) AS a, MAX(created_at) AS newest, SUM(amount) AS s FROM visits")
    add(lake, "visits", [{"user_id": "a", "amount": 1}], 1)
    refreshed(connection, lake, before, before.queries[0])
    refreshed(connection, lake, after, after.queries[0])

    assert sql(lake, after, "select * from query.q").to_pylist()[0]["a"] == 1
    stored = lake.open("query.q").schema
    assert stored.names == ["a", "newest", "s"]
    assert (stored.field("a").type, stored.field("newest").type) == (pa.int64(), TIMESTAMP)
    assert stored.field("s").type == pa.decimal128(38, 4)


def test_repeated_event_counts_once_also_where_its_first_copy_is_older_than_the_query_looks(
    lake: Lake, connection: duckdb.DuckDBPyConnection
) -> None:
    plan = the_plan(q="SELECT COUNT(*) AS n FROM visits WHERE created_at >= NOW() - INTERVAL 1 HOUR")
    add(lake, "visits", [{"event_id": "x", "ago": 61}, {"event_id": "y", "ago": 5}], 1)
    add(lake, "visits", [{"event_id": "x", "ago": 59}, {"event_id": "y", "ago": 5}, {"event_id": "z", "ago": 59}], 2)
    refreshed(connection, lake, plan, plan.queries[0])

    assert sql(lake, plan, "select n from query.q")["n"].to_pylist() == [2]


def test_days_are_those_of_the_platform_and_instants_stay(lake: Lake, connection: duckdb.DuckDBPyConnection) -> None:
    plan = the_plan(q="SELECT DATE_TRUNC('day', ts) AS d, DATE(ts) AS day, CURDATE() AS today FROM visits")
    add(lake, "visits", [{"user_id": "a", "ago": 8 * 60}], 1)
    refreshed(connection, lake, plan, plan.queries[0])

    [row] = sql(lake, plan, "select * from query.q").to_pylist()
    assert row["d"] == datetime(2026, 3, 7, 5, tzinfo=UTC)
    assert (str(row["day"]), str(row["today"])) == ("2026-03-07", "2026-03-08")
    assert connection.execute("select current_setting('timezone')").fetchall() == [("UTC",)]


@pytest.mark.parametrize(("watermark", "expected"), [(END_OF_TIME, 3), (micros(NOW - timedelta(hours=2)), 2)])
def test_present_of_a_replay_is_how_far_it_has_come(
    lake: Lake, connection: duckdb.DuckDBPyConnection, watermark: int, expected: int
) -> None:
    text = "SELECT COUNT(*) AS n FROM history WHERE created_at <= NOW() AND created_at > NOW() - INTERVAL 5 HOUR"
    plan = the_plan(q=text)
    add(lake, "history", [{"n": 1, "ago": 60 * h} for h in (1, 2, 5, 9)], 1, watermark=watermark)
    refreshed(connection, lake, plan, plan.queries[0], NOW + timedelta(days=4000))

    assert sql(lake, plan, "select n from query.q")["n"].to_pylist() == [expected]


def test_inputs_have_moved_when_a_batch_came_but_not_when_files_were_merged(
    lake: Lake, connection: duckdb.DuckDBPyConnection
) -> None:
    plan = the_plan(
        q="SELECT COUNT(*) AS n FROM visits", on_q="SELECT n FROM q", clock="SELECT NOW() AS n, COUNT(*) AS m FROM q"
    )
    q, on_q = plan.query("q"), plan.query("on_q")
    add(lake, "visits", [{"user_id": "a"}], 1)
    refreshed(connection, lake, plan, q)
    add(lake, "visits", [{"user_id": "b"}], 2)
    before, above = inputs_moved(plan, q, lake), inputs_moved(plan, on_q, lake)
    table = lake.open("raw.visits")
    table.merge(table.files())

    assert inputs_moved(plan, q, lake) == before
    add(lake, "visits", [{"user_id": "c"}], 3)
    assert inputs_moved(plan, q, lake) != before
    assert inputs_moved(plan, on_q, lake) == above
    refreshed(connection, lake, plan, q, NOW + timedelta(seconds=1))
    assert inputs_moved(plan, on_q, lake) != above
