"""How far back pages look: the span of events to keep at hand, the span of windows to open."""

from __future__ import annotations

from typing import Final

from tusk_platform.plan.nodes import Aggregate, Plan, Session, Stream, Widget
from tusk_platform.units import DAY, HOUR

# A counter shows its window, the one before, and a line of those before that.
COUNTER_WINDOWS: Final = 32


def lookback(plan: Plan, stream: Stream, aggregate: Aggregate | None = None) -> int | None:
    """Microseconds of event time that any page shows of a stream, or of one of its aggregates; None where none does."""
    spans = []
    for widget in (w for d in plan.dashboards for w in d.widgets):
        if widget.kind == "aggregate":
            of = plan.aggregate(widget.source)
            if of.stream == stream.name and (aggregate is None or of.name == aggregate.name):
                spans.append(_span(widget, _size(of)))
        elif widget.kind == "stream" and widget.source == stream.name and aggregate is None:
            spans.append(_span(widget, widget.bucket or HOUR))
    return max(spans, default=None)


def _span(widget: Widget, size: int) -> int:
    if widget.type in {"counter", "gauge"}:
        return COUNTER_WINDOWS * size + DAY
    return widget.time_range + 2 * max(size, widget.bucket or 0) + DAY


def _size(aggregate: Aggregate) -> int:
    window = aggregate.window
    return window.max_size if isinstance(window, Session) else window.size
