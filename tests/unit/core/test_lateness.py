from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.streams import an_aggregate
from tusk_platform.core.lateness import late_for, late_for_all
from tusk_platform.core.timestamps import micros
from tusk_platform.plan.nodes import Session, Sliding, Tumbling, Window
from tusk_platform.units import DAY, HOUR, WEEK


def micro(numbers: list[int] | list[int | None]) -> pa.Array:
    return pa.array(numbers, pa.int64())


def ends(time: int, window: Window) -> Iterator[int]:
    """Ends of all windows that hold a time, found by trying every start."""
    match window:
        case Session():
            yield time + window.gap
        case Sliding():
            starts = range(-2_000 * window.slide + window.offset, 2_000 * window.slide, window.slide)
            yield from (s + window.size for s in starts if s <= time < s + window.size)
        case Tumbling():
            yield from ends(time, Sliding(window.size, window.size, window.offset))


WINDOWS = st.one_of(
    st.builds(Tumbling, st.integers(1, 20), st.integers(0, 5)),
    st.builds(lambda slide, more, offset: Sliding(slide + more, slide, offset), *[st.integers(1, 9)] * 3),
    st.builds(Session, st.integers(1, 20)),
)


@settings(max_examples=300, deadline=None)
@given(WINDOWS, st.integers(0, 30), st.lists(st.tuples(st.integers(-60, 60), st.none() | st.integers(-60, 90))))
def test_row_is_late_when_every_window_of_it_is_over(
    window: Window, lateness: int, rows: list[tuple[int, int | None]]
) -> None:
    aggregate = an_aggregate(window, lateness=lateness)
    expected = [w is not None and all(e + lateness <= w for e in ends(t, window)) for t, w in rows]

    found = late_for(micro([t for t, _ in rows]), micro([w for _, w in rows]), aggregate)

    assert found.to_pylist() == expected


def test_row_that_counts_for_one_aggregate_is_not_late_for_all() -> None:
    narrow, wide = an_aggregate(Tumbling(10)), an_aggregate(Tumbling(10), lateness=100)
    times, watermarks = micro([1, 1, 1]), micro([9, 10, 110])

    assert late_for_all(times, watermarks, [narrow]).to_pylist() == [False, True, True]
    assert late_for_all(times, watermarks, [narrow, wide]).to_pylist() == [False, False, True]
    assert late_for_all(times, watermarks, []).to_pylist() == [False, False, False]


BERLIN = [
    # A day of 23 hours, one of 25, a week before the longer one, and six hours (not six o'clock) after midnight.
    (Tumbling(DAY), "2024-03-31T12:00:00", "2024-04-01T00:00:00"),
    (Tumbling(DAY), "2024-10-27T23:59:59", "2024-10-28T00:00:00"),
    (Tumbling(DAY), "2024-10-27T00:00:00", "2024-10-28T00:00:00"),
    (Tumbling(WEEK), "2024-10-25T12:00:00", "2024-10-28T00:00:00"),
    # The last of the overlapping windows that hold the time: the one that began on that day, or that Monday.
    (Sliding(3 * DAY, DAY), "2024-10-26T12:00:00", "2024-10-29T00:00:00"),
    (Sliding(2 * WEEK, WEEK), "2024-10-25T12:00:00", "2024-11-04T00:00:00"),
    (Tumbling(DAY, offset=6 * HOUR), "2024-10-26T12:00:00", "2024-10-27T05:00:00"),
]


@pytest.mark.parametrize(("window", "time", "end"), BERLIN)
def test_day_ends_at_local_midnight(window: Window, time: str, end: str) -> None:
    at, over = micros(time, "Europe/Berlin"), micros(end, "Europe/Berlin")
    found = late_for(micro([at, at]), micro([over - 1, over]), an_aggregate(window), "Europe/Berlin")

    assert found.to_pylist() == [False, True]


@pytest.mark.parametrize(("window", "after"), [(Tumbling(WEEK), HOUR), (Sliding(2 * WEEK, WEEK), HOUR + WEEK)])
def test_week_begins_on_monday(window: Window, after: int) -> None:
    sunday = micros(dt.datetime(2024, 1, 7, 23, tzinfo=ZoneInfo("UTC")))
    found = late_for(micro([sunday] * 2), micro([sunday + after - 1, sunday + after]), an_aggregate(window))

    assert found.to_pylist() == [False, True]
