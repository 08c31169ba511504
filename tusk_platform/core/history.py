"""How far back raw reaches, and the first window that it still holds whole."""

from __future__ import annotations

from typing import Final

from tusk_platform.core.catalog import local_days
from tusk_platform.plan.nodes import Aggregate, Session, Sliding
from tusk_platform.units import DAY, WEEK

# The grid of whole weeks starts on a Monday; the epoch was a Thursday.
_MONDAY: Final = 4 * DAY


def first_whole(aggregate: Aggregate, timezone: str, after: int) -> int:
    """The earliest start of a window of which raw holds every event, where it holds those after a time.

    Sessions and local days need no point of a grid: what starts before it stays, whatever that is.

    >>> from tusk_platform.plan.nodes import Origin, Tumbling
    >>> from tusk_platform.errors import Span
    >>> first_whole(Aggregate("a", "s", (), (), Tumbling(60), Origin("", Span("", 0, 0))), "UTC", 61)
    120
    """
    window = aggregate.window
    if isinstance(window, Session) or (local_days(aggregate) and timezone != "UTC"):
        return after + 1
    step = window.slide if isinstance(window, Sliding) else window.size
    offset = window.offset + (_MONDAY if step % WEEK == 0 else 0)
    return (after - offset) // step * step + offset + step


def first_harmless(aggregate: Aggregate, timezone: str, after: int) -> int:
    """The earliest time of an event that touches only windows of which raw holds every event, where it always counts.

    What came earlier would make a refresh replace a whole window by a part of it.

    >>> from tusk_platform.plan.nodes import Origin, Sliding
    >>> from tusk_platform.errors import Span
    >>> first_harmless(Aggregate("a", "s", (), (), Sliding(60, 20), Origin("", Span("", 0, 0))), "UTC", 61)
    120
    """
    window = aggregate.window
    if isinstance(window, Session):
        return after + window.max_size + window.gap
    if local_days(aggregate) and timezone != "UTC":
        return after + window.size + DAY  # no zone moves its clocks by more
    step = window.slide if isinstance(window, Sliding) else window.size
    return first_whole(aggregate, timezone, after) + window.size - step
