"""Small plans of the tests of serving, built by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tusk_platform.errors import Span
from tusk_platform.plan.nodes import Aggregate, Column, Dashboard, Metric, Plan, Stream, Tumbling, Widget, WidgetType
from tusk_platform.plan.origin import Origin
from tusk_platform.units import HOUR, MINUTE, SECOND

ORIGIN = Origin("somewhere", Span("platform.tsk", 1, 1))

USER_EVENTS = Stream(
    "user_events",
    "kafka",
    "log",
    (
        Column("timestamp", "timestamp"),
        Column("user_id", "integer"),
        Column("country", "string"),
        Column("seconds", "double"),
        Column("amount", "decimal"),
    ),
    "timestamp",
    ORIGIN,
    key="user_id",
    value="amount",
)
SYSTEM_METRICS = Stream(
    "system_metrics",
    "prometheus",
    "host",
    (
        Column("timestamp", "timestamp"),
        Column("metric", "string"),
        Column("value", "double"),
        Column("labels", "json"),
    ),
    "timestamp",
    ORIGIN,
    poll_interval=15 * SECOND,
)
ORDERS = replace(USER_EVENTS, name="orders", adapter="kafka", connection="kafka")

REVENUE = Metric("revenue", "sum", "decimal", column="amount", money=True)
SESSIONS = Metric("session_count", "count", "integer")
DURATION = Metric("avg_duration", "avg", "double", column="seconds")
USERS = Metric("unique_users", "distinct", "integer", column="user_id")

USER_METRICS = Aggregate(
    "user_metrics",
    "user_events",
    ("country",),
    (SESSIONS, REVENUE, DURATION, USERS),
    Tumbling(5 * MINUTE),
    ORIGIN,
    allowed_lateness=MINUTE,
)


def widget(name: str, shape: WidgetType, **values: Any) -> Widget:  # noqa: ANN401 - any field of a widget
    """A widget over the last hour of the user metrics unless told otherwise."""
    given: dict[str, Any] = {"kind": "aggregate", "source": "user_metrics", "time_range": HOUR, **values}
    return Widget(name, shape, origin=ORIGIN, **given)


OVERVIEW = Dashboard(
    "overview",
    (
        widget("revenue_counter", "counter", metric="revenue", format="currency", trend=True),
        widget("sessions_chart", "line_chart", metric="session_count", bucket=5 * MINUTE),
        widget(
            "cpu_gauge", "gauge", kind="stream", source="system_metrics", metric="cpu_usage", warning=70, critical=90
        ),
        widget("alerts_panel", "alert_panel", kind="alerts", source="anomaly_detection", severities=("critical",)),
    ),
    ORIGIN,
    refresh_interval=10 * SECOND,
)

PLAN = Plan("platform.tsk", (USER_EVENTS, SYSTEM_METRICS, ORDERS), (USER_METRICS,), (OVERVIEW,))
