"""Texts in which ``|`` marks where the cursor stands."""

from __future__ import annotations

from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.completion import Suggestion, completions
from tusk_platform.editor.places import Place, place_at

PLATFORM = """\
stream_processing = {
    windows = { tumbling = { size = "5 minutes", allowed_lateness = "1 minute" }, busy = { gap = "1 minute" } }
}
real_time_analytics = {
    data_streams = {
        user_events = { source = "kafka", event_time = "at", key = "user_id", value = "amount" }
        machines = { source = "prometheus", metrics = ["cpu"] }
    }
}
real_time_aggregations = {
    user_metrics = {
        window = "5 minutes"
        metrics = { visits = "count", revenue = "sum" }
    }
}
live_dashboards = {
    main = {
        widgets = { takings = { type = "counter", data_source = "user_metrics", metric = "revenue" } }
    }
}
"""


def split(marked: str) -> tuple[Buffer, int, int]:
    """The text without its mark, and the mark's line and column."""
    before, _, after = marked.partition("|")
    return Buffer(before + after, "a.tsk"), before.count("\n") + 1, len(before) - before.rfind("\n")


def at(line: str) -> tuple[Buffer, int, int]:
    """``PLATFORM`` with the mark where it stands in this part of a line."""
    plain = line.replace("|", "")
    assert PLATFORM.count(plain) == 1
    return split(PLATFORM.replace(plain, line))


def place(marked: str) -> Place:
    """The place of the mark."""
    return place_at(*split(marked))


def suggested(marked: str) -> dict[str, Suggestion]:
    """What may be written at the mark, by label."""
    return {s.label: s for s in completions(*split(marked))}
