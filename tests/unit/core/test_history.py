"""The first window that raw still holds whole, by the windows of the slow engine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.oracle.engine import Event, windows
from tests.oracle.histories import aggregate, plan
from tusk_platform.core.history import first_harmless, first_whole
from tusk_platform.plan.nodes import Session, Sliding, Tumbling
from tusk_platform.units import DAY, HOUR, MINUTE, WEEK

AFTER = st.integers(1_700_000_000_000_000, 1_700_000_000_000_000 + 3 * WEEK)


@given(
    AFTER, st.sampled_from([MINUTE, 7 * MINUTE, HOUR, DAY, WEEK]), st.integers(1, 3), st.sampled_from([0, 90_000_000])
)
def test_first_whole_window_is_the_next_of_the_grid(after: int, slide: int, times: int, offset: int) -> None:
    window = Tumbling(slide, offset) if times == 1 else Sliding(slide * times, slide, offset)
    counted = aggregate("counted", window)
    whole = first_whole(counted, "UTC", after)

    newest = max(start for start, _ in windows(plan(counted), counted, Event(whole, 1, 1)))
    assert newest == whole
    assert after < whole <= after + slide


@given(AFTER)
def test_sessions_and_local_days_stand_on_no_grid(after: int) -> None:
    assert first_whole(aggregate("sessions", Session(HOUR)), "UTC", after) == after + 1
    assert first_whole(aggregate("days", Tumbling(DAY)), "Europe/Berlin", after) == after + 1


@given(
    AFTER, st.sampled_from([MINUTE, 7 * MINUTE, HOUR, DAY, WEEK]), st.integers(1, 3), st.sampled_from([0, 90_000_000])
)
def test_harmless_event_touches_only_whole_windows_and_the_one_before_does_not(
    after: int, slide: int, times: int, offset: int
) -> None:
    counted = aggregate("counted", Tumbling(slide, offset) if times == 1 else Sliding(slide * times, slide, offset))
    whole, harmless = first_whole(counted, "UTC", after), first_harmless(counted, "UTC", after)

    def earliest(t: int) -> int:
        return min(start for start, _ in windows(plan(counted), counted, Event(t, 1, 1)))

    assert earliest(harmless) >= whole > earliest(harmless - 1)
