from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from tests.fakes.streams import a_stream, an_aggregate
from tusk_platform.core.schema import aggregate_schema, raw_schema
from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.plan.nodes import Plan
from tusk_platform.storage.duck import connect, create_views, query, scan
from tusk_platform.storage.lake import Lake

STREAM, AGGREGATE = a_stream(), an_aggregate()
PLAN = Plan("shop.tsk", streams=(STREAM,), aggregates=(AGGREGATE,))
MINUTE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Three good rows and one bad, one window, and a table that no plan knows."""
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.create("raw.orders", raw_schema(STREAM), partition_by=("_status",), statistics=("_event_time",))
    rows = [
        {"user_id": n, "_status": "ok" if n else "quarantined", "_event_time": MINUTE, "_batch": 1} for n in range(4)
    ]
    watermark = round(MINUTE.timestamp() * 1_000_000) + 60_000_000
    lake.open("raw.orders").append(
        pa.Table.from_pylist(rows, schema=raw_schema(STREAM)), {"orders/watermark": watermark}
    )
    schema = aggregate_schema(AGGREGATE, STREAM)
    lake.create("agg.per_minute", schema, partition_by=("_window_date",))
    windows = [
        {"window_start": MINUTE + m, "window_end": MINUTE + m + dt.timedelta(minutes=1), "event_count": 1}
        for m in (dt.timedelta(0), dt.timedelta(minutes=1))
    ]
    lake.open("agg.per_minute").append(pa.Table.from_pylist(windows, schema=schema), {})
    lake.create("quality", pa.schema([("rule", pa.string())]))
    return lake


def one(lake: Lake, sql: str) -> object:
    return query(lake, PLAN, sql).to_pylist()[0]


def test_every_table_of_the_plan_can_be_asked(lake: Lake) -> None:
    counts = [one(lake, f"select count(*) as n from {t}") for t in ("raw.orders", "Quarantine.ORDERS", "clean.orders")]

    assert counts == [{"n": 4}, {"n": 1}, {"n": 3}]
    assert query(lake, PLAN, "from agg.per_minute order by window_start")["is_final"].to_pylist() == [True, False]
    assert query(lake, PLAN, "from quality").column_names == ["rule"]


def test_lake_without_tables_shows_typed_empty_ones(tmp_path: Path) -> None:
    found = query(Lake(tmp_path), PLAN, "from late.orders")

    assert (found.num_rows, found.schema) == (0, raw_schema(STREAM))


def test_next_query_sees_the_next_commit(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create("raw.orders", raw_schema(STREAM))
    handle = lake.open("raw.orders")
    for n in range(1, 4):
        handle.append(pa.table({"user_id": [n]}), {})

        assert one(lake, "select count(*) as n from raw.orders") == {"n": n}


def test_catalog_lists_what_there_is(lake: Lake) -> None:
    found = query(lake, PLAN, "show all tables").to_pylist()

    assert {(r["schema"], r["name"]) for r in found} == {
        ("agg", "per_minute"), ("clean", "orders"), ("late", "orders"), ("main", "quality"), ("quarantine", "orders"),
        ("raw", "orders"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "with a as (select 1 as x) select * from a",
        "values (1)",
        "describe agg.per_minute",
        "summarize raw.orders",
        "show tables",
        "explain select * from raw.orders",
        "EXPLAIN /* why */ ANALYZE select * from raw.orders",
        "-- a comment\nfrom raw.orders;",
        "select query from (select 1 as query)",
        "select 'delta_scan(1)' as text",
    ],
)
def test_statement_that_only_reads_is_answered(lake: Lake, sql: str) -> None:
    assert query(lake, PLAN, sql).num_rows >= 0


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("insert into raw.orders select * from raw.orders", "INSERT is not allowed here"),
        ("drop view raw.orders", "DROP is not allowed"),
        ("create table x as select 1", "CREATE is not allowed"),
        ("copy (select 1) to 'LAKE/x.csv'", "COPY is not allowed"),
        ("explain analyze copy (select 1) to 'LAKE/x.csv'", "COPY is not allowed"),
        ("attach 'LAKE/x.db'", "ATTACH is not allowed"),
        ("set memory_limit = '90GB'", "SET is not allowed"),
        ("load httpfs", "LOAD is not allowed"),
        ("select 1; drop view raw.orders", "2 statements given"),
        (" ", "no statement given"),
        ("select * from read_text('/etc/hostname')", "Cannot access file"),
        ("select * from read_csv('LAKE/../outside.csv')", "Cannot access file"),
        ("select * from glob('/etc/*')", "Cannot access file"),
        ("from '/etc/hostname'", "there is no table `/etc/hostname`"),
        ("select * from read_blob('http://127.0.0.1:9/x')", "Cannot access file"),
        ("select * from delta_list_files('/tmp/other')", "delta_list_files is not allowed"),
        ("select * from \"delta_scan\"('/tmp/other')", "delta_scan is not allowed"),
        ("select * from query('select 1')", "query is not allowed"),
        ("explain select * from (from delta_scan('x'))", "delta_scan is not allowed"),
        ("select count(*) from raw.order", "there is no table `raw.order`; did you mean `raw.orders`?"),
        ("select usr_id from raw.orders", 'Referenced column "usr_id" not found'),
        ("select cast('a' as integer)", "Could not convert string 'a'"),
        ("selec 1", "syntax error at or near"),
        ("select * from lake", "there is no table `lake`"),
    ],
)
def test_anything_else_is_the_mistake_of_who_asks(lake: Lake, sql: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        query(lake, PLAN, sql.replace("LAKE", lake.root))

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(Path(lake.root).glob("x.*"))


def test_variables_of_the_program_are_no_tables(lake: Lake) -> None:
    secrets = pa.table({"password": ["hunter2"]})

    with pytest.raises(UsageError, match="there is no table `secrets`"):
        query(lake, PLAN, "from secrets")
    assert secrets.num_rows == 1


def test_query_that_needs_too_much_memory_is_unavailable(lake: Lake) -> None:
    with pytest.raises(Unavailable, match="did not get through: Out of Memory Error"):
        query(lake, PLAN, "select list(range) from range(20000000)", memory_limit="60MB", threads=1)


def test_lost_data_file_is_unavailable(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create("raw.orders", raw_schema(STREAM))
    lake.open("raw.orders").append(pa.table({"user_id": [1]}), {})
    (Path(lake.path("raw.orders")) / lake.open("raw.orders").files()[0].path).unlink()

    with pytest.raises(Unavailable, match="did not get through"):
        query(lake, PLAN, "select sum(user_id) from raw.orders")


def test_many_queries_at_once_do_not_disturb_each_other(lake: Lake) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda n: one(lake, f"select count(*) + {n} as n from clean.orders"), range(24)))

    assert found == [{"n": 3 + n} for n in range(24)]


def test_times_are_utc_whatever_the_machine_says(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")

    sql = "select strftime(min(_event_time), '%H:%M') as at, current_setting('TimeZone') as zone from raw.orders"
    assert one(lake, sql) == {"at": "00:00", "zone": "UTC"}


def test_own_connection_has_views_that_can_be_renewed(lake: Lake) -> None:
    with connect(lake, PLAN) as connection:
        create_views(connection, lake, PLAN, only=("agg.per_minute",))

        assert connection.execute("select count(*) from agg.per_minute").fetchall() == [(2,)]
        assert connection.cursor().execute("select count(*) from raw.orders").fetchall() == [(4,)]


def test_scan_can_go_back_to_a_commit(lake: Lake) -> None:
    with connect(lake, PLAN) as connection:
        counts = [
            connection.execute(f"select count(*) from {scan(lake, 'raw.orders', version=v)}").fetchall() for v in (0, 1)
        ]

    assert counts == [[(0,)], [(4,)]]
