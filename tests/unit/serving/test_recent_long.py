"""Recent events in memory are the clean rows of the lake, however they came."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle.engine import Event, without_repeats
from tests.oracle.histories import STREAM, Batch, histories, plan
from tests.oracle.quick import QuickEngine
from tusk_platform.serving.clean_rows import clean_rows
from tusk_platform.serving.recent import Recent
from tusk_platform.units import MINUTE, SECOND

_VIEW = "select * replace (date '9999-01-01' as _ingested_date) from raw.events"
_LATER = 2**52


class Followed:
    """A raw table that grows and what is held of it."""

    def __init__(self, span: int, most_rows: int = 1000) -> None:
        self.quick = QuickEngine(plan())
        self.quick.connection.execute("create schema recent")
        self.recent = Recent(self.quick.connection, STREAM, span, most_rows)
        self.events: list[Event] = []

    def add(self, events: tuple[Event, ...], batch: int) -> None:
        self.quick.add(STREAM, list(events), batch)
        self.events += events

    def follow(self, batch: int, generation: int = 0) -> None:
        newest = max((e.time for e in self.events if e.ok), default=None)
        self.recent.follow(_VIEW, batch=batch, generation=generation, newest=newest)

    def arrivals(self, relation: str) -> set[tuple[int, int, str]]:
        found = self.quick.connection.execute(f"select _batch, _offset, _partition from {relation}").fetchall()
        assert len(found) == len(set(found))
        return {(int(b), int(o), str(p)) for b, o, p in found}

    def expected(self, start: int) -> set[tuple[int, int, str]]:
        return {e.arrival for e in without_repeats(STREAM, self.events) if e.time >= start}


@settings(deadline=None, max_examples=200)
@given(histories(60), st.sampled_from([10 * SECOND, MINUTE]), st.sampled_from([4, 1000]))
def test_held_rows_are_the_clean_rows(history: list[Batch], span: int, most_rows: int) -> None:
    followed = Followed(span, most_rows)
    for number, batch in enumerate(history, start=1):
        followed.add(batch.events, number)
        if batch.refreshed:
            followed.follow(number)
            if (floor := followed.recent.floor) is not None:
                assert followed.arrivals(followed.recent.rows(floor, _LATER)) == followed.expected(floor)
    followed.quick.close()


@settings(deadline=None, max_examples=100)
@given(histories(60), st.integers(0, 60))
def test_span_of_the_lake_has_the_same_clean_rows(history: list[Batch], begin: int) -> None:
    followed = Followed(MINUTE)
    for number, batch in enumerate(history, start=1):
        followed.add(batch.events, number)
    start = min((e.time for e in followed.events), default=0) + begin * SECOND

    assert followed.arrivals(clean_rows(STREAM, start, _LATER)) == followed.expected(start)
    followed.quick.close()


def _at(second: int, batch: int, key: str) -> Event:
    return Event(1_000_000 * SECOND + second * SECOND, batch, second, values={"event_id": key})


def test_copy_of_a_copy_is_a_copy() -> None:
    followed = Followed(10 * MINUTE)
    for number, second in enumerate((0, 15, 30, 55), start=1):
        followed.add((_at(second, number, "a"),), number)
        followed.follow(number)

    # Copies are 20 seconds apart at most: the third repeats the second, the fourth nothing.
    floor = followed.recent.floor
    assert floor is not None
    assert {b for b, _, _ in followed.arrivals(followed.recent.rows(floor, _LATER))} == {1, 4}
    followed.quick.close()


def test_touched_is_never_later_than_the_truth() -> None:
    followed = Followed(10 * MINUTE)
    for number, second in enumerate((500, 100, 400), start=1):
        followed.add((_at(second, number, str(number)),), number)
        followed.follow(number)

    assert followed.recent.touched(1) == _at(100, 2, "").time
    assert followed.recent.touched(2) == _at(400, 3, "").time
    assert followed.recent.touched(3) is None
    followed.quick.close()


def test_raised_generation_starts_over() -> None:
    followed = Followed(10 * MINUTE)
    followed.add((_at(1, 1, "demo"),), 1)
    followed.follow(1)
    followed.quick.connection.execute("delete from raw.events")
    followed.events.clear()
    followed.add((replace(_at(2, 2, "real"), values={"event_id": "real"}),), 2)
    followed.follow(2, generation=1)

    floor = followed.recent.floor
    assert floor is not None
    assert followed.arrivals(followed.recent.rows(floor, _LATER)) == {(2, 2, "0")}
    followed.quick.close()
