from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from tusk_platform.plan.profile import Compression
from tusk_platform.storage.compaction import compact, plan_merges
from tusk_platform.storage.handle import DataFile
from tusk_platform.storage.lake import Lake

SCHEMA = pa.schema([("number", pa.int64()), ("kind", pa.string())])
SIZES = st.lists(st.integers(1, 200), max_size=40)


def files(*sizes: int, kind: str = "a") -> list[DataFile]:
    return [DataFile(f"{kind}/{n}", size, size, n, (("kind", kind),)) for n, size in enumerate(sizes)]


def merged(*sizes: int) -> list[list[int]]:
    return [[f.size for f in group] for group in plan_merges(files(*sizes), target=100, fewest=3)]


def test_small_files_become_one_in_the_order_they_were_written() -> None:
    assert merged(3, 1, 2) == [[3, 1, 2]]


def test_few_files_and_big_files_are_left_alone() -> None:
    assert merged(1, 1) == []
    assert merged(100, 200, 150) == []


def test_file_waits_until_the_smaller_ones_weigh_as_much() -> None:
    assert merged(50, 1, 1, 1) == [[1, 1, 1]]
    assert merged(3, 1, 1, 1) == [[3, 1, 1, 1]]


def test_group_ends_at_the_target() -> None:
    assert merged(*[40] * 7) == [[40, 40, 40], [40, 40, 40]]


def test_partitions_are_not_mixed() -> None:
    mixed = [*files(1, 1, 1), *files(1, 1, 1, kind="b")]

    assert [{f.partition for f in g} for g in plan_merges(mixed, fewest=3)] == [{(("kind", "a"),)}, {(("kind", "b"),)}]


@given(SIZES)
def test_no_plan_merges_a_file_twice_or_beyond_measure(sizes: list[int]) -> None:
    groups = plan_merges(files(*sizes), target=100, fewest=3)

    paths = [f.path for g in groups for f in g]
    assert len(paths) == len(set(paths))
    assert all(len(g) >= 3 and all(f.size < 100 for f in g) and sum(f.size for f in g) < 200 for g in groups)


@given(st.integers(20, 400))
def test_each_byte_is_rewritten_a_few_times_only(appends: int) -> None:
    sizes: list[int] = []
    rewritten = 0
    for n in range(1, appends + 1):
        sizes.append(1)
        if n % 5 == 0:
            for group in plan_merges(files(*sizes), target=10_000, fewest=4):
                rewritten += (total := sum(f.size for f in group))
                for file in group:
                    sizes.remove(file.size)
                sizes.append(total)
    assert rewritten <= appends * (2 + appends.bit_length())
    assert len(sizes) <= 8 + 2 * appends.bit_length()


def test_compacted_table_has_the_same_rows_in_fewer_files(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create("t", SCHEMA, partition_by=("kind",), statistics=("number",))
    handle = lake.open("t")
    for n in range(12):
        handle.append(pa.table({"number": [n, None, n + 100], "kind": ["a", "b", None]}), {"s/0": n})
    before = handle.delta.to_pyarrow_table()
    report = compact(lake, "t")

    handle = lake.open("t")
    order = [("kind", "ascending"), ("number", "ascending")]
    assert (report.before, report.after) == (36, 3)
    assert handle.delta.to_pyarrow_table().sort_by(order) == before.sort_by(order)
    assert handle.transaction("s/0") == 11
    statistics = pa.table(handle.delta.get_add_actions(flatten=True)).sort_by("partition.kind")
    assert statistics["num_records"].to_pylist() == [12, 12, 12]
    assert statistics["min.number"].to_pylist() == [0, None, 100]
    assert statistics["max.number"].to_pylist() == [11, None, 111]
    assert statistics["null_count.number"].to_pylist() == [0, 12, 0]


def test_merged_file_keeps_the_order_of_commits(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create("t", SCHEMA)
    handle = lake.open("t")
    for n in (5, 3, 9, 1):
        handle.append(pa.table({"number": [n]}), {})
    compact(lake, "t")

    [only] = lake.open("t").files()
    assert pq.read_table(Path(lake.path("t")) / only.path)["number"].to_pylist() == [5, 3, 9, 1]


def test_merged_file_is_compressed_as_asked(tmp_path: Path) -> None:
    Lake(tmp_path).create("t", SCHEMA)
    for n in range(4):
        Lake(tmp_path).open("t").append(pa.table({"number": [n]}), {})
    lake = Lake(tmp_path, compression=Compression("gzip", 9))
    compact(lake, "t")

    [only] = lake.open("t").files()
    stored = pq.ParquetFile(Path(lake.path("t")) / only.path).metadata
    assert stored.row_group(0).column(0).compression == "GZIP"


def test_files_without_a_newer_column_are_merged_with_those_that_have_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.create("t", SCHEMA)
    for n in range(3):
        lake.open("t").append(pa.table({"number": [n]}), {})
    lake.create("t", SCHEMA.append(pa.field("new", pa.string())))
    lake.open("t").append(pa.table({"number": [3], "new": ["x"]}), {})
    compact(lake, "t")

    found = lake.open("t").delta.to_pyarrow_table().sort_by("number")
    assert found["new"].to_pylist() == [None, None, None, "x"]
