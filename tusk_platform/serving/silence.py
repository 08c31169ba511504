"""What a widget says when it has nothing to show: why that is, and the command that changes it."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from tusk_platform.core.readings import title_of
from tusk_platform.core.widgets import Empty
from tusk_platform.plan.nodes import Metric, Stream, Widget
from tusk_platform.serving.scales import local
from tusk_platform.serving.timeline import Desk
from tusk_platform.units import DAY, spell

# Adapters that read the embedded log, to which anybody may publish.
PUSHED: Final = frozenset({"log", "http"})


def next_step(stream: Stream) -> str:
    """The command that brings the stream's first events."""
    return f"tusk publish {stream.name} events.ndjson" if stream.adapter in PUSHED else f"tusk ingest {stream.name}"


def no_events(stream: Stream) -> Empty:
    """The stream has none at all."""
    hint = "Send some, or give it a connection:"
    if stream.adapter not in PUSHED:
        hint = f"Nothing was read from its source ({stream.source}) so far:"
    return Empty("No events yet", hint, next_step(stream))


def no_samples(stream: Stream, series: str) -> Empty:
    """A stream of many series has none of this one."""
    command = f"tusk sql 'select metric, max(timestamp) from clean.{stream.name} group by metric'"  # noqa: S608 - shown
    return Empty(f"No sample of {series} in the last day", "What the stream holds:", command)


def nothing_counts(stream: Stream, metric: Metric) -> Empty:
    """There are events, but no window has a value."""
    what = title_of(metric.name).lower()
    return Empty("No window has a value yet", f"{stream.name} has events, but none that counts for {what}.")


def nothing_in_range(widget: Widget, stream: Stream, desk: Desk) -> Empty:
    """There are events, but older ones than the widget shows."""
    newest = desk.warehouse.newest(stream)
    if newest is None:
        return no_events(stream)
    at = local(newest, ZoneInfo(desk.plan.runtime.timezone))
    return Empty(f"Nothing in the last {past(widget.time_range)}", f"The newest event is of {at:%-d %b %Y, %H:%M}.")


def past(span: int) -> str:
    """A span as one says it after "last" or "every".

    >>> past(DAY), past(DAY // 24), past(DAY // 12)
    ('24 hours', 'hour', '2 hours')
    """
    return "24 hours" if span == DAY else spell(span).removeprefix("1 ")
