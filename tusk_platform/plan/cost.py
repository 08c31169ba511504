"""What a refresh of an aggregate reads while events come in order: the windows that are still open."""

from __future__ import annotations

from tusk_platform.plan.nodes import Aggregate, Plan, Session


def refresh_span(plan: Plan, aggregate: Aggregate) -> int:
    """The newest span of event time, in microseconds, that one refresh reads; a late event makes it longer.

    The widest open window, its lateness, and before it the horizon in which repeated events are looked for.
    """
    window, stream = aggregate.window, plan.stream(aggregate.stream)
    span = window.max_size + window.gap if isinstance(window, Session) else window.size
    return span + aggregate.allowed_lateness + (stream.dedup_horizon if stream.deduplicate else 0)
