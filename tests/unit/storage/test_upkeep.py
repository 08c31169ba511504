from __future__ import annotations

import os
import time
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from tusk_platform.storage.compaction import compact
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.upkeep import checkpoint, trim_log, vacuum
from tusk_platform.units import HOUR

SCHEMA = pa.schema([("number", pa.int64()), ("_status", pa.string())])
TWO_HOURS_AGO = time.time() - 7200


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path)
    lake.create("raw.t", SCHEMA, partition_by=("_status",))
    handle = lake.open("raw.t")
    for n in range(6):
        handle.append(pa.table({"number": [n], "_status": ["ok"]}), {"t/0": n, "t/watermark": -n})
    return lake


def data_files(lake: Lake) -> set[Path]:
    return set(Path(lake.path("raw.t")).rglob("*.parquet")) - set(Path(lake.path("raw.t")).glob("_delta_log/*"))


def test_file_that_a_reader_may_still_need_stays(lake: Lake) -> None:
    compact(lake, "raw.t")

    assert vacuum(lake.open("raw.t")) == 0
    assert len(data_files(lake)) == 7


def test_file_that_was_written_long_ago_and_never_committed_goes(lake: Lake) -> None:
    folder = Path(lake.path("raw.t")) / "_status=ok"
    for name, age in (("old", TWO_HOURS_AGO), ("new", time.time())):
        (folder / f"{name}.zstd.parquet").write_bytes(b"PAR1")
        os.utime(folder / f"{name}.zstd.parquet", (age, age))
    before = lake.open("raw.t").version

    assert vacuum(lake.open("raw.t"), older_than=HOUR) == 1
    assert {p.name for p in folder.iterdir()} >= {"new.zstd.parquet"}
    assert not (folder / "old.zstd.parquet").exists()
    assert lake.open("raw.t").version == before
    assert lake.open("raw.t").delta.to_pyarrow_table().num_rows == 6


def test_file_that_was_merged_long_ago_goes(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(time, "time_ns", lambda: int(TWO_HOURS_AGO * 1e9))
        compact(lake, "raw.t")

    assert vacuum(lake.open("raw.t")) == 6
    assert len(data_files(lake)) == 1
    assert lake.open("raw.t").delta.to_pyarrow_table().num_rows == 6


def test_short_log_still_tells_every_position(lake: Lake) -> None:
    handle = lake.open("raw.t")
    for n in range(6, 50):
        handle.append(pa.table({"number": [n], "_status": ["ok"]}), {"t/0": n, "t/watermark": -n})
    checkpoint(handle)
    removed = trim_log(handle, keep=5)

    log = Path(lake.path("raw.t")) / "_delta_log"
    assert removed > 40
    assert len(list(log.glob("*.json"))) == 6
    again = lake.open("raw.t")
    assert [again.transaction(app) for app in ("t/0", "t/watermark")] == [49, -49]
    assert DeltaTable(lake.path("raw.t")).to_pyarrow_table().num_rows == 50
    again.append(pa.table({"number": [50], "_status": ["ok"]}), {"t/0": 50})
    assert lake.open("raw.t").version == 51


def test_log_without_a_checkpoint_is_left_as_it_is(lake: Lake) -> None:
    assert trim_log(lake.open("raw.t"), keep=0) == 0
    assert lake.open("raw.t").delta.to_pyarrow_table().num_rows == 6
