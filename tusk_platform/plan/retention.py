"""How long raw rows are kept: as long as the reader that looks furthest back needs them."""

from __future__ import annotations

from typing import Final

from tusk_platform.plan.nodes import Aggregate, Dashboard, Session, Stream
from tusk_platform.units import DAY

_LEAST: Final = DAY


def raw_retention(
    stream: Stream, aggregates: tuple[Aggregate, ...], dashboards: tuple[Dashboard, ...]
) -> tuple[int, str]:
    """The span of event time that must be kept, and the reader that needs it."""
    needs = [(_LEAST, "a day's look back")]
    if stream.topic_retention:
        needs.append((stream.topic_retention, "its topic's own retention"))
    of_stream = {a.name for a in aggregates if a.stream == stream.name}
    for a in aggregates:
        if a.stream == stream.name:
            needs.append((_reach(a), f"the open windows of `agg.{a.name}`"))
    for d in dashboards:
        for w in d.widgets:
            if (w.kind == "aggregate" and w.source in of_stream) or (w.kind == "stream" and w.source == stream.name):
                needs.append((w.time_range, f"widget `{w.name}` of dashboard `{d.name}`"))
    return max(needs, key=lambda need: need[0])


def _reach(a: Aggregate) -> int:
    span = a.window.max_size + a.window.gap if isinstance(a.window, Session) else a.window.size
    return 2 * span + a.allowed_lateness
