"""Everything that the repository's own config leaves open, decided: streams, columns, types, roles, metrics."""

from __future__ import annotations

from functools import cache

from tests.unit.sections.mutation import seed
from tusk_platform.plan.words import metric_words
from tusk_platform.compile import compile_text
from tusk_platform.plan.nodes import Plan
from tusk_platform.units import spell

COLUMNS = """
user_events: event time timestamp, key user_id, value amount, type event_type, repeated event_id
    timestamp timestamp        | event_time created_at occurred_at time ts date
    event_type string          | type event
    page_url string
    user_agent string
    referrer string
    product_id string
    category string
    payment_method string
    error_type string
    service_name string
    environment string
    user_id integer
    country string
    device_type string
    response_time double
    status_code double
    success boolean
    session_duration double
    amount decimal
    event_id string            | id
system_metrics: event time timestamp, value value
    timestamp timestamp
    metric string
    value double
    labels json
business_events: event time timestamp, value amount, type event_type, repeated event_id
    timestamp timestamp        | event_time created_at occurred_at time ts date
    product_id string
    category string
    region string
    amount decimal
    event_type string          | type event
    event_id string            | id
"""

RULES = """
user_events: user_id timestamp event_type required, user_id timestamp amount typed, amount ranged
system_metrics: timestamp required, timestamp typed,  ranged
business_events: timestamp event_type required, timestamp amount typed, amount ranged
"""

METRICS = """
user_behavior: 5 minutes of user_events by nothing, 1 minute late, every 1 minute
    avg_amount = avg(amount) double
    sum_amount = sum(amount) decimal
    distinct_user_id = distinct(user_id) integer
performance_monitoring: 1 minute of user_events by nothing, 1 minute late, every 1 minute
    response_time = avg(response_time) double
    response_time_p50 = p50(response_time) double
    response_time_p95 = p95(response_time) double
    response_time_p99 = p99(response_time) double
    error_rate = coalesce("event_type" = 'error' or "status_code" >= 400 or "success" = false, false) ÷ all events
    throughput = rate() double
stream_tumbling: 5 minutes of user_events by nothing, 1 minute late, every 1 minute
    user_count = distinct(user_id) integer
    avg_session_duration = avg(session_duration) double
    total_revenue = sum(amount) decimal
user_metrics: 5 minutes of user_events by user_id country device_type, 1 minute late, every 1 minute
    session_count = count(*) integer
    total_duration = sum(session_duration) double
    avg_duration = avg(session_duration) double
    unique_pages = distinct(page_url) integer
business_metrics: 1 hour of business_events by product_id category region, 1 minute late, every 5 minutes
    sales_count = count(*) where "event_type" = 'purchase' integer
    revenue = sum(amount) decimal
    avg_order_value = avg(amount) double
    conversion_rate = "event_type" = 'purchase' ÷ all events of the window
"""

WIDGETS = """
real_time_dashboard.user_activity_chart: line_chart of aggregate user_metrics.session_count
real_time_dashboard.system_health_gauge: gauge of stream system_metrics.cpu_usage
real_time_dashboard.business_metrics: line_chart of aggregate business_metrics.sales_count
real_time_dashboard.alerts: alert_panel of alerts alerts.None
executive_dashboard.revenue_counter: counter of aggregate business_metrics.revenue
executive_dashboard.user_activity_chart: line_chart of aggregate user_metrics.session_count
executive_dashboard.system_health_gauge: gauge of stream system_metrics.cpu_usage
executive_dashboard.anomaly_alert_panel: alert_panel of alerts anomaly_detection.None
"""


@cache
def plan() -> Plan:
    """The plan of ``platform.tsk``."""
    compiled = compile_text(seed(), "platform.tsk")
    assert compiled.errors == ()
    return compiled.plan


def test_columns_types_and_roles_of_every_stream() -> None:
    found = [""]
    for s in plan().streams:
        roles = {"event time": s.event_time, "key": s.key, "value": s.value, "type": s.event_type}
        said = [f"{role} {column}" for role, column in roles.items() if column]
        said += [f"repeated {' '.join(s.dedup_key)}"] if s.deduplicate else []
        found.append(f"{s.name}: {', '.join(said)}")
        for c in s.columns:
            shown = f"    {c.name} {c.type}"
            found.append(f"{shown:31}| {' '.join(c.aliases)}" if c.aliases else shown)

    assert "\n".join([*found, ""]) == COLUMNS


def test_rules_of_every_stream() -> None:
    found = []
    for s in plan().streams:
        by_kind = {
            kind: " ".join(r.column for r in s.rules if r.kind == kind) for kind in ("required", "type", "range")
        }
        found.append(f"{s.name}: {by_kind['required']} required, {by_kind['type']} typed, {by_kind['range']} ranged")

    assert "\n".join(["", *found, ""]) == RULES


def test_metrics_of_every_aggregate() -> None:
    found = [""]
    for a in plan().aggregates:
        by = " ".join(a.dimensions) or "nothing"
        late, often = spell(a.allowed_lateness), spell(a.update_frequency)
        size = spell(getattr(a.window, "size", 0))
        found.append(f"{a.name}: {size} of {a.stream} by {by}, {late} late, every {often}")
        found += [f"    {metric_words(m)}{'' if m.function == 'ratio' else f' {m.type}'}" for m in a.metrics]

    assert "\n".join([*found, ""]) == METRICS


def test_widgets_of_every_dashboard() -> None:
    found = [
        f"{d.name}.{w.name}: {w.type} of {w.kind} {w.source}.{w.metric}" for d in plan().dashboards for w in d.widgets
    ]

    assert "\n".join(["", *found, ""]) == WIDGETS
