"""What every source must do, whatever it reads from."""

from __future__ import annotations

import time
from typing import Any

from tests.conformance.source_cases import Case, case
from tusk_platform.ports import Batch, Budget, Source

__all__ = ["case"]

Record = tuple[str, int, Any]
# Seconds in which a source that has something must bring it; only one that has nothing waits so long.
PATIENCE = 10.0


def records(batch: Batch) -> list[Record]:
    """All records of a batch with partition and offset."""
    found: list[Record] = []
    for chunk in batch.chunks:
        values = chunk.payloads if chunk.rows is None else chunk.rows.to_pylist()
        assert values is not None
        found += [(chunk.partition, o, v) for o, v in zip(chunk.offsets, values, strict=True)]
    return found


def after(position: dict[str, int], batch: Batch) -> dict[str, int]:
    """The position after a batch."""
    return position | {c.partition: c.next_offset for c in batch.chunks}


def drain(source: Source, position: dict[str, int], rows: int = 1000) -> tuple[list[Record], dict[str, int]]:
    """Read to the end of all partitions."""
    found: list[Record] = []
    reached: frozenset[str] = frozenset()
    deadline = time.monotonic() + PATIENCE
    while not reached >= set(source.partitions()):
        assert time.monotonic() < deadline, f"no end of {source.partitions()} after {position}"
        batch = source.read(position, Budget(rows, 0.5))
        found += records(batch)
        position = after(position, batch)
        reached = (reached - {c.partition for c in batch.chunks}) | batch.at_end
    return found, position


def by_partition(found: list[Record]) -> dict[str, list[Record]]:
    """Records of each partition in the order in which they came."""
    return {p: [r for r in found if r[0] == p] for p in sorted({r[0] for r in found})}


def test_two_reads_from_one_position_agree(case: Case) -> None:
    case.write(40)
    source = case.open()

    first, _ = drain(source, {})
    again, _ = drain(source, {})

    assert len(first) >= 40
    assert by_partition(again) == by_partition(first)


def test_small_reads_add_up(case: Case) -> None:
    case.write(40)

    small, small_end = drain(case.open(), {}, rows=3)
    large, large_end = drain(case.open(), {})

    assert by_partition(small) == by_partition(large)
    assert small_end == large_end


def test_read_keeps_to_its_budget(case: Case) -> None:
    case.write(40)

    batch = case.open().read({}, Budget(7, PATIENCE))

    assert 1 <= len(records(batch)) == batch.rows <= 7


def test_offsets_ascend_within_partition(case: Case) -> None:
    case.write(40)
    batch = case.open().read({}, Budget(1000, PATIENCE))

    positions: dict[str, int] = {}
    for chunk in batch.chunks:
        offsets = list(chunk.offsets)

        assert offsets == sorted(set(offsets))
        assert positions.get(chunk.partition, 0) <= offsets[0]
        assert offsets[-1] < chunk.next_offset
        positions[chunk.partition] = chunk.next_offset


def test_new_source_goes_on(case: Case) -> None:
    case.write(40)
    source = case.open()
    batch = source.read({}, Budget(11, PATIENCE))
    begun, position = records(batch), after({}, batch)
    source.close()

    rest, _ = drain(case.open(), position)
    whole, _ = drain(case.open(), {})

    assert by_partition(begun + rest) == by_partition(whole)


def test_older_position_is_read_again(case: Case) -> None:
    case.write(40)
    source = case.open()
    batch = source.read({}, Budget(11, PATIENCE))
    position = after({}, batch)

    dropped, _ = drain(source, position)
    again, _ = drain(source, position)

    assert by_partition(again) == by_partition(dropped)


def test_end_is_where_nothing_follows(case: Case) -> None:
    case.write(40)
    source = case.open()
    _, end = drain(source, {})

    early = source.read({}, Budget(2, PATIENCE))
    late = source.read(end, Budget(1000, 0))

    assert early.at_end < set(source.partitions())
    assert late.rows == 0


def test_later_records_come_next(case: Case) -> None:
    case.write(40)
    source = case.open()
    before, position = drain(source, {})
    source.read(position, Budget(1000, 0))
    case.write(40)

    added, _ = drain_more(source, position)
    whole, _ = drain(case.open(), {})

    # The made-up events keep to their history: what is old is gone for a new reader.
    assert set(map(str, whole)) <= set(map(str, before + added))
    assert len(before + added) == len(set(map(str, before + added)))


def drain_more(source: Source, position: dict[str, int]) -> tuple[list[Record], dict[str, int]]:
    """Wait until something new comes, then read to the end."""
    batch = source.read(position, Budget(1000, PATIENCE))
    more, end = drain(source, after(position, batch))
    return records(batch) + more, end


def test_empty_source_is_at_its_end(case: Case) -> None:
    source = case.open()

    found, position = drain(source, {})

    assert source.partitions()
    assert (found, position) == ([], {})


def test_acknowledging_moves_nothing(case: Case) -> None:
    case.write(40)
    source = case.open()
    first, end = drain(source, {})

    source.acknowledge(end)
    again, _ = drain(source, {})

    assert by_partition(again) == by_partition(first)


def test_lag_falls_to_nothing(case: Case) -> None:
    case.write(40)
    source = case.open()
    batch = source.read({}, Budget(2, PATIENCE))

    assert source.lag(after({}, batch)) != 0
    _, end = drain(source, {})
    assert source.lag(end) == 0


def test_closing_twice_is_fine(case: Case) -> None:
    case.write(40)
    source = case.open()
    first, _ = drain(source, {})

    source.close()
    source.close()

    assert by_partition(drain(source, {})[0]) == by_partition(first)
