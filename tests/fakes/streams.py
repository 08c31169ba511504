"""Streams for tests: one of everything a shop sends, and what is changed about it."""

from __future__ import annotations

from typing import Any

from tusk_platform.errors import Span
from tusk_platform.plan.nodes import Aggregate, Column, RowRule, Stream, Tumbling, Window
from tusk_platform.plan.origin import Origin

ORIGIN = Origin("orders", Span("orders.tsk", 1, 1))
COLUMNS = (
    Column("timestamp", "timestamp", ("event_time", "created_at")),
    Column("event_id", "string"),
    Column("user_id", "integer"),
    Column("amount", "decimal"),
)
MINUTES = Tumbling(60_000_000)
RULES = (
    RowRule("required:user_id", "required", "user_id"),
    RowRule("required:timestamp", "required", "timestamp"),
    RowRule("type:amount", "type", "amount"),
    RowRule("range:amount", "range", "amount", 0, 1_000_000),
)


def a_stream(**changes: Any) -> Stream:  # noqa: ANN401 - any field of a stream
    """The stream `orders` with some fields changed."""
    usual: dict[str, Any] = {
        "name": "orders",
        "source": "kafka",
        "adapter": "log",
        "columns": COLUMNS,
        "event_time": "timestamp",
        "origin": ORIGIN,
        "rules": RULES,
        "dedup_key": ("event_id",),
    }
    return Stream(**{**usual, **changes})


def an_aggregate(window: Window = MINUTES, *, lateness: int = 0, name: str = "per_minute") -> Aggregate:
    """An aggregate of `orders` without metrics."""
    return Aggregate(name, "orders", (), (), window, ORIGIN, allowed_lateness=lateness)
