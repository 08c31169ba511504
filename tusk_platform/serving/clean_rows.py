"""The clean rows of a span of event time, as SQL that reads no more than the span.

The view ``clean.<stream>`` is right as well, but looks for repeated events in all of history.
"""

from __future__ import annotations

from tusk_platform.core.views import newest_images, quoted
from tusk_platform.plan.nodes import Stream
from tusk_platform.serving.buckets import instant


def clean_rows(stream: Stream, start: int, end: int) -> str:
    """Rows that kept every rule, with event times in ``[start, end)``; of repeated events only what came first."""
    inside = f"_event_time >= {instant(start)} and _event_time < {instant(end)}"
    if stream.changes:
        return f"({newest_images(f'select * from {_ok(stream)} and {inside}')})"
    if not (stream.deduplicate and stream.dedup_key):
        return f"(select * from {_ok(stream)} and {inside})"
    horizon = stream.dedup_horizon
    # A copy that came earlier may carry a time a little before or after.
    around = f"_event_time >= {instant(start - horizon)} and _event_time < {instant(end + horizon)}"
    same = " and ".join(f"earlier.{quoted(part)} = later.{quoted(part)}" for part in stream.dedup_key)
    return (
        f"(select later.* from (select * from {_ok(stream)} and {inside}) as later "
        f"anti join (select * from {_ok(stream)} and {around}) as earlier on {same} "
        "and (earlier._batch, earlier._offset, earlier._partition) < (later._batch, later._offset, later._partition) "
        f"and epoch_us(earlier._event_time) >= epoch_us(later._event_time) - {horizon} "
        f"and epoch_us(earlier._event_time) <= epoch_us(later._event_time) + {horizon})"
    )


def _ok(stream: Stream) -> str:
    return f"raw.{quoted(stream.name)} where _status = 'ok'"
