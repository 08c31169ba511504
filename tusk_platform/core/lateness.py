"""Which rows came too late for a window. No verdict depends on another row, so whoever asks again hears the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core.timestamps import micros
from tusk_platform.plan.nodes import Aggregate, Session, Sliding, Tumbling
from tusk_platform.units import DAY, MINUTE, WEEK

# 1970-01-01 was a Thursday; weeks begin on Monday.
_MONDAY: Final = 4 * DAY
# No zone changes its clocks more often, or anywhere but on a quarter of an hour.
_QUARTER: Final = 15 * MINUTE
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def late_for_all(
    times: pa.Array, watermarks: pa.Array, aggregates: Sequence[Aggregate], timezone: str = "UTC"
) -> pa.Array:
    """A mask of the rows that count for no window of any of the aggregates. Without aggregates nothing is late.

    ``times`` and ``watermarks`` are microseconds UTC; a row without a watermark always counts.
    """
    late: pa.Array | None = None
    for aggregate in aggregates:
        mask = late_for(times, watermarks, aggregate, timezone)
        late = mask if late is None else pc.and_(late, mask)
    return pa.repeat(pa.scalar(value=False), len(times)) if late is None else late


def late_for(times: pa.Array, watermarks: pa.Array, aggregate: Aggregate, timezone: str = "UTC") -> pa.Array:
    """A mask of the rows that count for no window of one aggregate: the last one that holds them was over."""
    over = pc.subtract(watermarks, aggregate.allowed_lateness)
    return pc.fill_null(pc.less_equal(_last_end(times, aggregate.window, timezone), over), fill_value=False)


def _last_end(times: pa.Array, window: Tumbling | Sliding | Session, timezone: str) -> pa.Array:
    match window:
        case Session():
            return pc.add(times, window.gap)
        case Tumbling(size, offset):
            return _last_end(times, Sliding(size, size, offset), timezone)
        case Sliding(size, slide) if size % DAY == 0 and slide % DAY == 0 and timezone != "UTC":
            return _day_ends(times, window, timezone)
        case Sliding(size, slide, offset):
            monday = _MONDAY if slide % WEEK == 0 else 0
            return pc.add(_floor(times, slide, offset + monday), size)


def _floor(times: pa.Array, step: int, offset: int) -> pa.Array:
    """The greatest ``offset + n * step`` not after each time; Arrow divides toward zero, hence the correction."""
    shifted = pc.subtract(times, offset)
    steps = pc.divide(shifted, step)
    under = pc.less(shifted, pc.multiply(steps, step))
    return pc.add(pc.multiply(pc.subtract(steps, under.cast(pa.int64())), step), offset)


def _day_ends(times: pa.Array, window: Sliding, timezone: str) -> pa.Array:
    """Ends of windows of whole local days: one look at the zone for each quarter of an hour that holds a time."""
    quarters = _floor(pc.subtract(times, window.offset), _QUARTER, 0).dictionary_encode()
    ends = [_day_end(q, window, timezone) for q in quarters.dictionary.to_pylist()]
    return pc.add(pa.array(ends, pa.int64()).take(quarters.indices), window.offset)


def _day_end(moment: int, window: Sliding, timezone: str) -> int:
    """End of the last window that holds a moment."""
    size, slide = window.size, window.slide
    monday = _MONDAY if slide % WEEK == 0 else 0
    try:
        day = (_EPOCH + dt.timedelta(microseconds=moment)).astimezone(ZoneInfo(timezone)).date()
        past = ((day - _EPOCH.date()).days - monday // DAY) % (slide // DAY)
        return micros(day + dt.timedelta(days=size // DAY - past), timezone)
    except (OverflowError, ValueError):  # at an edge of the calendar no zone moves anything that matters
        return (moment - monday) // slide * slide + monday + size
