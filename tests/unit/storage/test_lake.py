from __future__ import annotations

import datetime as dt
import multiprocessing
import time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fakes.streams import a_stream
from tusk_platform.core.schema import MONEY, TIMESTAMP, raw_schema
from tusk_platform.errors import Refused, UsageError
from tusk_platform.plan.profile import Codec, Compression
from tusk_platform.storage.lake import Lake

SCHEMA = pa.schema([("name", pa.string()), ("number", pa.int64()), ("day", pa.date32())])
DAY = dt.date(2026, 1, 1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def create_at_once(root: str, extra: str, start: float) -> None:
    """What each of several processes does in the same moment."""
    time.sleep(max(0.0, start - time.time()))
    Lake(root).create("raw.events", SCHEMA.append(pa.field(extra, pa.int64())), partition_by=("day",))


def test_created_table_has_the_properties_that_keep_it_quick(lake: Lake) -> None:
    lake.create("raw.events", SCHEMA, partition_by=("day",), statistics=("number",))

    metadata = lake.open("raw.events").delta.metadata()
    assert metadata.partition_columns == ["day"]
    assert metadata.configuration == {
        "delta.checkpointInterval": "20",
        "delta.dataSkippingStatsColumns": "number",
        "delta.deletedFileRetentionDuration": "interval 1 hours",
        "delta.enableExpiredLogCleanup": "true",
        "delta.logRetentionDuration": "interval 1 hours",
    }


def test_creating_again_commits_nothing(lake: Lake) -> None:
    lake.create("raw.events", SCHEMA)
    lake.create("raw.events", SCHEMA)

    assert lake.open("raw.events").version == 0


def test_new_column_is_added_and_null_in_old_rows(lake: Lake) -> None:
    lake.create("t", SCHEMA)
    lake.open("t").append(pa.table({"name": ["a"]}), {})
    lake.create("t", SCHEMA.append(pa.field("amount", MONEY, nullable=False)))
    lake.open("t").append(pa.table({"name": ["b"], "amount": pa.array([Decimal("1.5")], MONEY)}), {})

    rows = lake.open("t").delta.to_pyarrow_table().sort_by("name")
    assert rows.select(["name", "amount"]).to_pylist() == [
        {"name": "a", "amount": None},
        {"name": "b", "amount": Decimal("1.5000")},
    ]


def test_table_keeps_a_column_that_is_no_longer_asked_for(lake: Lake) -> None:
    lake.create("t", SCHEMA)
    lake.create("t", pa.schema([("name", pa.string())]))

    assert lake.open("t").schema == SCHEMA


@pytest.mark.parametrize(
    ("schema", "partitions", "says"),
    [
        (SCHEMA.set(1, pa.field("number", pa.string())), ("day",), "column number of t holds int64 and cannot become"),
        (SCHEMA, (), "partitioned by day and cannot become partitioned by nothing"),
    ],
)
def test_what_would_rewrite_the_table_is_refused(
    lake: Lake, schema: pa.Schema, partitions: tuple[str, ...], says: str
) -> None:
    lake.create("t", SCHEMA, partition_by=("day",))

    with pytest.raises(Refused, match=says):
        lake.create("t", schema, partition_by=partitions)


def test_statistics_on_a_text_are_refused(lake: Lake) -> None:
    with pytest.raises(Refused, match="no statistics on name"):
        lake.create("t", SCHEMA, statistics=("name",))


def test_processes_that_create_at_once_make_one_table_with_all_columns(lake: Lake) -> None:
    spawn = multiprocessing.get_context("spawn")
    start = time.time() + 1.5
    processes = [spawn.Process(target=create_at_once, args=(lake.root, f"extra_{n}", start)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [p.exitcode for p in processes] == [0, 0, 0]
    assert set(lake.open("raw.events").schema.names) == {*SCHEMA.names, "extra_0", "extra_1", "extra_2"}


def test_tables_are_found_by_their_names(lake: Lake) -> None:
    for table in ("raw.orders", "agg.per_minute", "quality", "raw.sensor/temperature"):
        lake.create(table, SCHEMA)

    assert lake.tables() == ("agg.per_minute", "quality", "raw.orders", "raw.sensor/temperature")
    assert Lake(lake.root + "/nothing").tables() == ()


@pytest.mark.parametrize("name", ["raw.../etc", "raw.", "raw.a/../b", ".orders", "raw._delta_log"])
def test_table_name_cannot_leave_the_lake(lake: Lake, name: str) -> None:
    with pytest.raises(Refused, match="cannot be the name of a table"):
        lake.path(name)


def test_opening_what_is_not_there_says_so(lake: Lake) -> None:
    assert not lake.exists("raw.orders")
    with pytest.raises(UsageError, match=r"raw\.orders: there is no such table"):
        lake.open("raw.orders")


@pytest.mark.parametrize("codec", ["zstd", "snappy", "lz4", "gzip", "uncompressed"])
def test_files_are_compressed_as_asked(tmp_path: Path, codec: Codec) -> None:
    lake = Lake(tmp_path, compression=Compression(codec))
    lake.create("t", SCHEMA)
    handle = lake.open("t")
    handle.append(pa.table({"name": ["a"]}), {})

    stored = pq.ParquetFile(Path(lake.path("t")) / handle.files()[0].path).metadata
    assert stored.row_group(0).column(0).compression.lower() == codec


def test_higher_level_makes_smaller_files(tmp_path: Path) -> None:
    rows = pa.table({"name": [f"user {n * n % 9973}" for n in range(50_000)]})
    sizes = []
    for level in (1, 19):
        lake = Lake(tmp_path / str(level), compression=Compression("zstd", level))
        lake.create("t", SCHEMA)
        lake.open("t").append(rows, {})
        sizes.append(lake.open("t").files()[0].size)

    assert sizes[1] < 0.97 * sizes[0]


def test_raw_rows_of_every_type_come_back_as_they_were(lake: Lake) -> None:
    schema = raw_schema(a_stream())
    lake.create("raw.orders", schema, partition_by=("_status", "_ingested_date"), statistics=("_event_time", "_batch"))
    moments = [dt.datetime(1, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 1, 0, 0, 0, 1, dt.UTC), None]
    rows = pa.table(
        {
            "amount": pa.array([Decimal("12345678901234.5678"), None, Decimal("-1")], MONEY),
            "_event_time": pa.array(moments, TIMESTAMP),
            "_payload": [None, b"\x00\xff", b""],
            "_status": ["ok", "quarantined", None],
            "_ingested_date": [DAY, None, DAY],
            "_batch": pa.array([1, None, -(2**63)], pa.int64()),
        }
    )
    lake.open("raw.orders").append(rows, {})

    found = lake.open("raw.orders").delta.to_pyarrow_table().select(rows.column_names)
    assert sorted(map(str, found.to_pylist())) == sorted(map(str, rows.to_pylist()))
