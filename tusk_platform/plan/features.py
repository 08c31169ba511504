"""The inputs of a classification by name: what each means over the events of one key."""

from __future__ import annotations

from typing import Final

from tusk_platform.plan.columns import StreamColumns
from tusk_platform.plan.learning import Feature
from tusk_platform.plan.metrics import implied_function
from tusk_platform.plan.names import parts
from tusk_platform.plan.nodes import Session
from tusk_platform.plan.resolution import Resolution
from tusk_platform.plan.rules import bare
from tusk_platform.units import MINUTE, spell

FEATURES: Final = ("session_frequency", "engagement_score", "support_tickets")
_USUAL_GAP: Final = 30 * MINUTE


def session_gap(r: Resolution) -> int:
    """Silence that ends a session, in microseconds: that of the window `session`, else half an hour."""
    named = r.windows.get("session")
    return named.window.gap if named and isinstance(named.window, Session) else _USUAL_GAP


def feature(name: str, columns: StreamColumns, span: int, gap: int) -> Feature | str:
    """A feature over the trailing ``span`` before a point in time, or what would be right where there is none."""
    over = f"over the {spell(span)} before"
    if name == "session_frequency":
        return Feature(name, f"sessions a week (a gap of {spell(gap)} ends one) {over}")
    if name == "engagement_score":
        page = next((c for c in columns.names if "page" in {parts(c)[0], parts(c)[-1]}), None)
        pages = f", distinct `{page}`" if page else ""
        definition = f"0 to 100: mean of the percentile ranks of active days{pages} and events {over}"
        return Feature(name, definition, (page,) if page else ())
    if name == "support_tickets":
        event_type = columns.role("event_type")
        if event_type is None:
            return f"stream `{columns.draft.name}` has no event type column; say `event_type`"
        return Feature(name, f"events where {event_type} is `support_ticket` {over}", (event_type,))
    if columns.has(name):
        return Feature(name, f"newest `{name}`", (columns.add(name),))
    function = implied_function(name)
    if function == "count":
        return Feature(name, f"events {over}")
    if function in {"avg", "sum", "min", "max", "distinct"}:
        column = columns.add(bare(name), "any" if function == "distinct" else "number")
        return Feature(name, f"{function} of `{column}` {over}", (column,))
    known = ", ".join(f"`{f}`" for f in FEATURES)
    return f"known are {known}, columns of the stream, and `avg_*`, `total_*`, `min_*`, `max_*`, `unique_*`, `*_count`"
