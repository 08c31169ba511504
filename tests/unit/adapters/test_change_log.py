"""The log of a table's changes: whatever is told, what is taken back is what was told, and the newest is the table."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tusk_platform.adapters.change_log import Change, ChangeLog, Kind
from tusk_platform.adapters.database_values import RowWriter, copied
from tusk_platform.plan.nodes import RETRACTIONS

KEYS = ["[1]", '["a\\"b"]', '[",\\"row\\":"]', "[null]"]
KINDS: list[Kind] = ["snapshot", "again", "insert", "update", "delete", "truncate"]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """A change of a few rows, also one that no server would send."""
    kind = draw(st.sampled_from(KINDS))
    key, old = draw(st.sampled_from(KEYS)), draw(st.sampled_from([None, *KEYS]))
    row = f'{{"v":{draw(st.integers(0, 3))}}}'.encode()
    if kind == "delete":
        return Change(kind, 7, old_key=key)
    return Change(kind, 7) if kind == "truncate" else Change(kind, 7, key, row, old if kind == "update" else None)


def replayed(table: dict[str, bytes], change: Change) -> None:
    """What a change does to the table."""
    if change.kind == "truncate":
        table.clear()
    elif change.old_key is not None:
        table.pop(change.old_key, None)
    if change.key:
        table[change.key] = change.row


@settings(max_examples=60)
@given(batches=st.lists(st.lists(changes(), max_size=6), max_size=5))
def test_every_image_is_taken_back_before_the_next(batches: list[list[Change]]) -> None:
    table: dict[str, bytes] = {}
    live: dict[str, bytes] = {}
    with TemporaryDirectory() as folder:
        log = ChangeLog(Path(folder), "orders")
        with closing(log.log):
            for number, batch in enumerate(batches):
                log.write(batch, {"number": number})
                for change in batch:
                    replayed(table, change)
            records = log.log.read(0, 1000)
            told = log.chunk(records, len(records)) if records else None
            assert log.state() == ({"number": len(batches) - 1} if batches else None)

    if told is not None:
        assert told.changes is not None
        for op, key, row in zip(told.changes.ops, told.changes.keys, told.payloads or (), strict=True):
            assert row is not None
            if op in RETRACTIONS:
                assert live.pop(key) == row
            else:
                assert op == "snapshot" or key not in live
                live[key] = row
    assert live == table


def test_rows_that_are_not_seen_are_gone(tmp_path: Path) -> None:
    log = ChangeLog(tmp_path, "orders")
    log.write([Change("snapshot", 1, key, b'{"v":1}') for key in KEYS], {})
    log.look_through(anew=True)
    log.see(KEYS[:2])

    gone = log.unseen_are_gone(9, {"done": True})
    told = log.chunk(log.log.read(len(KEYS), 10), 10).changes
    log.log.close()

    assert gone == 2
    assert told is not None
    assert (told.ops, told.lsns, sorted(told.keys)) == (["delete"] * 2, [9] * 2, sorted(KEYS[2:]))


def test_of_inserts_each_row_is_told_once(tmp_path: Path) -> None:
    log = ChangeLog(tmp_path, "orders", inserts_only=True)
    row = b'{"v":1}'
    log.write([Change("snapshot", 1, "[1]", row), Change("insert", 2, "[1]", row), Change("insert", 3, "[2]", row)], {})
    log.write([Change("update", 4, "[3]", row, "[2]"), Change("delete", 5, old_key="[1]")], {})
    log.write([Change("insert", 6, "[1]", row), Change("truncate", 7), Change("insert", 8, "[3]", row)], {})

    chunk = log.chunk(log.log.read(0, 10), 10)
    log.log.close()

    assert chunk.changes is None
    assert chunk.payloads == [row] * 4


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        (16, b"t", b"true"),
        (20, b"-9223372036854775808", b"-9223372036854775808"),
        (701, b"-Infinity", b'"-Infinity"'),
        (1700, b"10.50", b"10.50"),
        (1700, b"0.30000000000000000001", b'"0.30000000000000000001"'),
        (1114, b"2024-02-29 12:00:00.5", b'"2024-02-29T12:00:00.5"'),
        (1184, b"2024-02-29 12:00:00+00", b'"2024-02-29T12:00:00Z"'),
        (1184, b"infinity", b'"infinity"'),
        (1114, b"0044-03-15 00:00:00 BC", b'"0044-03-15 00:00:00 BC"'),
        (3802, b'{"a": 1}', b'"{\\"a\\": 1}"'),
        (114, b" 5", b"5"),
        (25, b"\xff", '"\ufffd"'.encode()),
    ],
)
def test_values_are_json_that_loses_nothing(kind: int, value: bytes, written: bytes) -> None:
    assert RowWriter([("v", kind)], ["v"]).write([value]) == (f"[{written.decode()}]", b'{"v":' + written + b"}")


def test_copied_lines_are_values_again() -> None:
    assert copied(b"1\t\\N\t\t\\\\N\ta\\tb\\nc\\\\\n") == [b"1", None, b"", b"\\N", b"a\tb\nc\\"]
