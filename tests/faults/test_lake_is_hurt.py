from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tusk_platform.storage.lake import Lake
from tusk_platform.storage.log import EventLog
from tusk_platform.storage.upkeep import vacuum

ROOT = Path(__file__).parents[2]
SCHEMA = pa.schema([("number", pa.int64()), ("text", pa.string())])
KILLED = -signal.SIGKILL


def child(*arguments: str, fault: str = "") -> subprocess.CompletedProcess[str]:
    """Another process, dead at the fault if there is one."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **({"TUSK_FAULT": fault} if fault else {})}
    command = [sys.executable, "-m", "tests.faults.lake_child", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    lake.create("t", SCHEMA, statistics=("number",))
    return lake


def stored(lake: Lake) -> list[int]:
    return sorted(lake.open("t").delta.to_pyarrow_table()["number"].to_pylist())


def test_compaction_killed_before_its_commit_changes_nothing(lake: Lake) -> None:
    handle = lake.open("t")
    for n in range(8):
        handle.append(pa.table({"number": [n]}), {"s/0": n})
    killed = child("compact", lake.root, fault="in_compaction")

    assert killed.returncode == KILLED, killed.stderr
    assert (stored(lake), len(lake.open("t").files())) == (list(range(8)), 8)
    # The merged file that no commit names is there, in nobody's way, until it is old enough to be deleted.
    assert len(list(Path(lake.path("t")).glob("*.parquet"))) == 9
    handle.append(pa.table({"number": [8]}), {"s/0": 8})
    assert child("compact", lake.root).stdout == "9 1\n"
    for file in Path(lake.path("t")).glob("*.parquet"):
        os.utime(file, (0, 0))
    assert vacuum(lake.open("t")) == 1
    assert (stored(lake), lake.open("t").transaction("s/0")) == (list(range(9)), 8)


def test_publisher_killed_inside_leaves_no_part_and_repeats_without_doubling(tmp_path: Path) -> None:
    log = EventLog(tmp_path, "orders")
    log.append([b"before"])
    killed = child("publish", str(tmp_path), "0", fault="in_publish")

    assert killed.returncode == KILLED, killed.stderr
    assert log.end() == 1
    assert child("publish", str(tmp_path), "0").stdout == "1 11\n"
    # As if it had been killed after the commit and before it heard of it; five of these are new.
    assert child("publish", str(tmp_path), "5").stdout == "11 16\n"
    assert [payload.decode() for _, _, payload in log.read(1, 100)] == [f"e{n}" for n in range(15)]


def test_full_disk_refuses_rows_and_keeps_the_table_readable(lake: Lake) -> None:
    said = child("append", lake.root, "20000", "10", "50000", "10").stdout.splitlines()

    assert [line.split(":")[0] for line in said] == ["ok", "Unavailable", "ok"]
    assert "writing to t:" in said[1]
    assert "File too large" in said[1]
    assert stored(lake) == sorted([*range(10), *range(10)])
    assert lake.open("t").transaction("s/0") == 3
    assert len(list(Path(lake.path("t")).glob("*.parquet"))) == 2


def test_disk_too_full_for_the_log_alone_commits_nothing(lake: Lake) -> None:
    said = child("append", lake.root, "300", "0").stdout

    assert said.startswith("Unavailable: writing to t: ")
    assert "File too large" in said
    assert (lake.open("t").version, lake.open("t").transaction("s/0")) == (0, None)


def test_checkpoint_that_does_not_fit_does_not_make_a_commit_look_failed(lake: Lake) -> None:
    said = child("append", lake.root, "6000", *["1"] * 25).stdout.splitlines()

    assert said == ["ok"] * 25
    assert not list(Path(lake.path("t")).glob("_delta_log/*.checkpoint.parquet"))
    assert stored(lake) == [0] * 25
    assert lake.open("t").transaction("s/0") == 25
