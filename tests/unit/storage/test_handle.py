from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tusk_platform.errors import Conflict, Refused, UsageError
from tusk_platform.storage.compaction import compact
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.upkeep import checkpoint, trim_log

SCHEMA = pa.schema([("number", pa.int64()), ("kind", pa.string())])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path / "lake")
    lake.create("t", SCHEMA, partition_by=("kind",), statistics=("number",))
    return lake


def rows(*numbers: int | None, kind: str | None = "a") -> pa.Table:
    return pa.table({"number": pa.array(numbers, pa.int64()), "kind": pa.array([kind] * len(numbers), pa.string())})


def numbers(lake: Lake) -> list[int | None]:
    found = lake.open("t").delta.to_pyarrow_table()["number"].to_pylist()
    return sorted(found, key=lambda n: (n is None, n or 0))


def test_rows_and_versions_are_one_commit(lake: Lake) -> None:
    handle = lake.open("t")
    handle.append(rows(1, 2), {"s/0": 2, "s/watermark": -(2**62)})

    assert handle.version == 1
    assert numbers(lake) == [1, 2]
    assert [lake.open("t").transaction(app) for app in ("s/0", "s/watermark", "s/1")] == [2, -(2**62), None]


def test_versions_alone_are_a_commit_without_files(lake: Lake) -> None:
    handle = lake.open("t")
    handle.append(rows(), {"s/0": 7})

    assert (handle.version, handle.files(), lake.open("t").transaction("s/0")) == (1, (), 7)


def test_one_handle_goes_on_from_its_own_commits(lake: Lake) -> None:
    handle = lake.open("t")
    for n in range(45):
        assert handle.transaction("s/0") == (n or None)
        handle.append(rows(n), {"s/0": n + 1})

    assert numbers(lake) == list(range(45))


@pytest.mark.parametrize("version", [1, 5, 9])
def test_second_writer_from_the_same_position_is_refused(lake: Lake, version: int) -> None:
    first, second = lake.open("t"), lake.open("t")
    assert first.transaction("s/0") == second.transaction("s/0")
    first.append(rows(1), {"s/0": 5})

    with pytest.raises(Conflict, match="another writer was first in t"):
        second.append(rows(1), {"s/0": version})
    assert (numbers(lake), lake.open("t").transaction("s/0")) == ([1], 5)


def test_writer_who_lost_stays_refused_until_it_opens_again(lake: Lake) -> None:
    first, second = lake.open("t"), lake.open("t")
    first.append(rows(1), {"s/0": 1})
    for _ in range(2):
        with pytest.raises(Conflict):
            second.append(rows(9), {"s/0": 1})

    again = lake.open("t")
    assert again.transaction("s/0") == 1
    again.append(rows(2), {"s/0": 2})
    assert numbers(lake) == [1, 2]


def test_own_commit_does_not_hide_what_another_wrote_meanwhile(lake: Lake) -> None:
    ours = lake.open("t")
    ours.append(rows(1), {"s/0": 1})
    theirs = lake.open("t")
    theirs.append(rows(2), {"s/0": 2})
    # Our next commit is about something else and goes through; the handle then stands behind theirs.
    ours.append(rows(10), {"other": 1})

    with pytest.raises(Conflict):
        ours.append(rows(2), {"s/0": 2})
    assert numbers(lake) == [1, 2, 10]


def test_appends_of_others_are_no_conflict(lake: Lake) -> None:
    ours, theirs = lake.open("t"), lake.open("t")
    ours.transaction("s/0")
    for n in range(30):
        theirs.append(rows(n), {"u/0": n})
    ours.append(rows(100), {"s/0": 1})

    assert numbers(lake) == [*range(30), 100]


@pytest.mark.parametrize("change", ["compact", "delete", "replace", "columns", "trim", "optimize"])
def test_what_others_do_to_the_table_does_not_refuse_an_append(lake: Lake, change: str) -> None:
    filler = lake.open("t")
    for n in range(25):
        filler.append(rows(n), {"u/0": n})
    ours = lake.open("t")
    assert ours.transaction("s/0") is None
    match change:
        case "compact":
            compact(lake, "t")
        case "delete":
            lake.open("t").delete("number < 5", {})
        case "replace":
            lake.open("t").replace(rows(3), "number = 3", {"v": 1})
        case "columns":
            lake.create("t", SCHEMA.append(pa.field("new", pa.int64())), partition_by=("kind",))
        case "trim":
            for n in range(40):
                filler.append(rows(n), {"u/0": n})
            newest = lake.open("t")
            checkpoint(newest)
            assert trim_log(newest, keep=2) > 60
        case "optimize":
            lake.open("t").delta.optimize.compact()
    before = numbers(lake)
    ours.append(rows(1000), {"s/0": 1})

    assert numbers(lake) == [*before, 1000]
    assert lake.open("t").transaction("s/0") == 1


def test_position_written_long_ago_is_still_a_conflict_when_the_log_is_gone(lake: Lake) -> None:
    late = lake.open("t")
    late.transaction("s/0")
    busy = lake.open("t")
    busy.append(rows(1), {"s/0": 1})
    for n in range(60):
        busy.append(rows(n), {"u/0": n})
    checkpoint(busy)
    trim_log(busy, keep=2)

    with pytest.raises(Conflict):
        late.append(rows(1), {"s/0": 1})


def test_two_who_rewrite_the_same_files_do_not_double_rows(lake: Lake) -> None:
    for n in range(4):
        lake.open("t").append(rows(n), {})
    first, second, third = lake.open("t"), lake.open("t"), lake.open("t")
    first.merge(first.files())

    with pytest.raises(Conflict):
        second.merge(second.files())
    third.replace(rows(50), "number >= 2", {"v": 1})
    assert numbers(lake) == [0, 1, 50]
    assert sum(f.rows for f in lake.open("t").files()) == 3


def test_replace_after_anothers_replace_is_a_conflict(lake: Lake) -> None:
    first, second = lake.open("t"), lake.open("t")
    for handle in (first, second):
        handle.transaction("agg/batch")
    first.replace(rows(1), "number > 0", {"agg/batch": 1})

    with pytest.raises(Conflict):
        second.replace(rows(2), "number > 0", {"agg/batch": 1})
    assert numbers(lake) == [1]


def test_replacing_the_newest_rows_leaves_older_files_alone(lake: Lake) -> None:
    handle = lake.open("t")
    handle.append(rows(*range(1000)), {})
    handle.replace(rows(990, 991), "number >= 990", {})
    settled = {f.path for f in handle.files() if f.rows == 990}
    handle.replace(rows(991, 992), "number >= 991", {})

    assert numbers(lake) == [*range(990), 990, 991, 992]
    assert len(settled) == 1
    assert settled < {f.path for f in handle.files()}


def test_deleting_whole_partitions_writes_no_file(lake: Lake) -> None:
    handle = lake.open("t")
    for kind in "ab":
        handle.append(rows(1, 2, kind=kind), {})
    handle.delete("kind = 'a'", {})

    assert [dict(f.partition)["kind"] for f in handle.files()] == ["b"]


def test_deleting_nothing_commits_nothing(lake: Lake) -> None:
    handle = lake.open("t")
    handle.append(rows(1), {})
    handle.delete("number = 2", {})

    assert handle.version == 1


@pytest.mark.parametrize("predicate", ["numbr > 1", "number >", "1; drop table t"])
def test_condition_that_makes_no_sense_is_the_callers_mistake(lake: Lake, predicate: str) -> None:
    handle = lake.open("t")
    handle.append(rows(1), {})

    with pytest.raises(UsageError, match="rows of t cannot be chosen by this condition"):
        handle.delete(predicate, {})
    assert numbers(lake) == [1]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (pa.table({"nummer": [1]}), "t has no column nummer"),
        (pa.table({"number": ["one"]}), "rows do not fit t"),
        (pa.table({"number": [1.5]}), "rows do not fit t"),
    ],
)
def test_rows_that_do_not_fit_are_refused_before_anything_is_written(lake: Lake, given: pa.Table, says: str) -> None:
    with pytest.raises(Refused, match=says):
        lake.open("t").append(given, {"s/0": 1})
    assert lake.open("t").version == 0


VALUES = st.lists(st.tuples(st.none() | st.integers(-5, 5), st.none() | st.sampled_from("ab")), max_size=8)
Row = tuple[int | None, str | None]
PREDICATES: dict[str, Callable[[Row], bool]] = {
    "number >= 2": lambda row: row[0] is not None and row[0] >= 2,
    "number is null": lambda row: row[0] is None,
    "kind = 'a'": lambda row: row[1] == "a",
    "kind = 'a' and number < 0": lambda row: row[1] == "a" and row[0] is not None and row[0] < 0,
    "kind is distinct from 'b'": lambda row: row[1] != "b",
    "number = number": lambda row: row[0] is not None,
    "number > 9": lambda row: row[0] is not None and row[0] > 9,
}


@given(appends=st.lists(VALUES, max_size=3), replacement=VALUES, predicate=st.sampled_from(sorted(PREDICATES)))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_replace_does_what_a_list_would_do(
    tmp_path_factory: pytest.TempPathFactory,
    appends: list[list[Row]],
    replacement: list[Row],
    predicate: str,
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    lake.create("t", SCHEMA, partition_by=("kind",), statistics=("number",))
    handle = lake.open("t")
    for part in appends:
        handle.append(as_table(part), {})
    handle.replace(as_table(replacement), predicate, {"v": 1})

    kept = [row for part in appends for row in part if not PREDICATES[predicate](row)]
    stored = [(r["number"], r["kind"]) for r in lake.open("t").delta.to_pyarrow_table().to_pylist()]
    assert sorted(stored, key=str) == sorted([*kept, *replacement], key=str)
    assert sum(f.rows for f in handle.files()) == len(stored)


def as_table(values: list[Row]) -> pa.Table:
    return pa.Table.from_pylist([{"number": n, "kind": k} for n, k in values], schema=SCHEMA)
