"""The judge of the fault tests finds what was done on purpose: without that its silence would say nothing."""

from __future__ import annotations

from decimal import Decimal

from tests.e2e.test_million_events import Event
from tests.faults.verdict import Row, Verdict, judge

PRODUCED = {
    ("0", offset): Event(b"%d" % offset, f"e{offset}", 0, None, 0, Decimal(1), broken=offset == 2)
    for offset in range(4)
}
STORED = [
    Row(("0", 0), 1, ok=True, id="e0", payload=None),
    Row(("0", 1), 1, ok=True, id="e1", payload=None),
    Row(("0", 2), 2, ok=False, id=None, payload=b"2"),
    Row(("0", 3), 3, ok=True, id="e3", payload=None),
]
POSITIONS = [("0", 2), ("1", 0), ("0", 3), ("0", 4)]


def verdict(rows: list[Row], positions: list[tuple[str, int]] = POSITIONS) -> Verdict:
    return judge(PRODUCED, rows, positions)


def test_everything_once_is_fine() -> None:
    found = verdict(STORED)

    assert found.fine, found
    assert (found.produced, found.good, found.quarantined) == (4, 3, 1)


def test_missing_row_is_lost() -> None:
    found = verdict(STORED[:3])

    assert (found.fine, found.lost) == (False, (("0", 3),))


def test_row_twice_is_doubled() -> None:
    found = verdict([*STORED, STORED[3]])

    assert (found.fine, found.doubled, found.lost) == (False, (("0", 3),), ())


def test_row_of_nothing_is_phantom() -> None:
    found = verdict([*STORED, Row(("7", 0), 4, ok=True, id="e9", payload=None)])

    assert (found.fine, found.phantom) == (False, (("7", 0),))


def test_row_that_says_something_else_is_phantom() -> None:
    others = [STORED[0]._replace(id="e1"), STORED[1]._replace(ok=False), STORED[2]._replace(payload=b"3"), STORED[3]]

    assert verdict(others).phantom == (("0", 0), ("0", 1), ("0", 2))


def test_earlier_event_in_a_later_batch_went_backwards() -> None:
    found = verdict([STORED[0]._replace(batch=4), *STORED[1:]])

    assert (found.fine, found.backwards) == (False, ("batch 4 holds offset 0 of partition 0 after 3",))


def test_position_set_back_went_backwards() -> None:
    found = verdict(STORED, [("0", 4), ("1", 0), ("0", 3)])

    assert (found.fine, found.backwards) == (False, ("position of partition 0 from 4 to 3",))
