"""How long raw rows are kept: as long as the reader that looks furthest back needs them."""

from __future__ import annotations

from typing import Final

from tusk_platform.plan.learning import Model
from tusk_platform.plan.nodes import Aggregate, Dashboard, Query, Session, Stream
from tusk_platform.units import DAY

_LEAST: Final = DAY


def raw_retention(
    stream: Stream,
    aggregates: tuple[Aggregate, ...],
    dashboards: tuple[Dashboard, ...],
    models: tuple[Model, ...],
    queries: tuple[Query, ...] = (),
) -> tuple[int, str]:
    """The span of event time that must be kept, and the reader that needs it."""
    needs = [(_LEAST, "a day's look back")]
    if stream.topic_retention:
        needs.append((stream.topic_retention, "its topic's own retention"))
    if stream.deduplicate:
        needs.append((stream.dedup_horizon, "the search for repeated events"))
    of_stream = {a.name for a in aggregates if a.stream == stream.name}
    for a in aggregates:
        if a.stream == stream.name:
            needs.append((_reach(a), f"the open windows of `agg.{a.name}`"))
    for d in dashboards:
        for w in d.widgets:
            if (w.kind == "aggregate" and w.source in of_stream) or (w.kind == "stream" and w.source == stream.name):
                needs.append((w.time_range, f"widget `{w.name}` of dashboard `{d.name}`"))
    for m in models:
        if m.learns_from.table in {f"clean.{stream.name}", stream.table}:
            needs.append((m.learns_from.history, f"training of `{m.name}`"))
    for q in queries:
        # One that reads all there is reads what the others need; no span would be enough for it.
        backs = [i.look_back for i in q.inputs if i.table == f"clean.{stream.name}" and i.look_back is not None]
        needs += [(back, f"query `{q.name}`") for back in backs]
    return max(needs, key=lambda need: need[0])


def _reach(a: Aggregate) -> int:
    span = a.window.max_size + a.window.gap if isinstance(a.window, Session) else a.window.size
    return 2 * span + a.allowed_lateness
