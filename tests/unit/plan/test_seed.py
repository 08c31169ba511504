"""Everything that the repository's own config leaves open, decided: streams, columns, types, roles, metrics."""

from __future__ import annotations

from functools import cache

from tests.unit.sections.mutation import seed
from tusk_platform.compile import compile_text
from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.words import input_words, metric_words, rule_words, window_words
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
    session_duration double
    amount decimal
    response_time double
    status_code double
    success boolean
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
web_analytics: event time date, repeated date page_path source medium
    date timestamp
    page_path string
    source string
    medium string
    pageviews double
    sessions double
    bounce_rate double
crm_data: event time SystemModstamp, key Id, repeated Id SystemModstamp
    Id string
    SystemModstamp timestamp
    Status string
    Source string
    CreatedDate string
social_media: event time created_at, key id, repeated id
    id string
    created_at timestamp
    endpoint string
    author_id string
    text string
iot_sensors: event time timestamp, value value, repeated event_id
    topic string
    value double
    timestamp timestamp        | event_time created_at occurred_at time ts date
    event_id string            | id
"""

RULES = """
user_events: user_id timestamp event_type required, user_id timestamp amount typed, amount ranged
system_metrics: timestamp required, timestamp typed,  ranged
business_events: timestamp event_type required, timestamp amount typed, amount ranged
web_analytics:  required,  typed,  ranged
crm_data:  required,  typed,  ranged
social_media:  required,  typed,  ranged
iot_sensors: timestamp required, timestamp typed,  ranged
"""

METRICS = """
user_behavior: tumbling windows of 5 minutes, 1 minute late, every 1 minute
    of user_events by nothing
    avg_amount = avg(amount) double
    sum_amount = sum(amount) decimal
    distinct_user_id = distinct(user_id) integer
performance_monitoring: tumbling windows of 1 minute, 1 minute late, every 1 minute
    of user_events by nothing
    response_time = avg(response_time) double
    response_time_p50 = p50(response_time) double
    response_time_p95 = p95(response_time) double
    response_time_p99 = p99(response_time) double
    error_rate = coalesce("event_type" = 'error' or "status_code" >= 400 or "success" = false, false) ÷ all events
    throughput = events a second double
stream_tumbling: tumbling windows of 5 minutes, 1 minute late, every 1 minute
    of user_events by nothing
    user_count = distinct(user_id) integer
    avg_session_duration = avg(session_duration) double
    total_revenue = sum(amount) decimal
stream_sliding: sliding windows of 10 minutes every 2 minutes, every 1 minute
    of user_events by nothing
    user_count = distinct(user_id) integer
    avg_session_duration = avg(session_duration) double
    total_revenue = sum(amount) decimal
stream_session: sessions of events at most 5 minutes apart, up to 1 hour long, every 1 minute
    of user_events by nothing
    user_count = distinct(user_id) integer
    avg_session_duration = avg(session_duration) double
    total_revenue = sum(amount) decimal
user_metrics: tumbling windows of 5 minutes, 1 minute late, every 1 minute
    of user_events by user_id country device_type
    session_count = count(*) integer
    total_duration = sum(session_duration) double
    avg_duration = avg(session_duration) double
    unique_pages = distinct(page_url) integer
business_metrics: tumbling windows of 1 hour, 1 minute late, every 5 minutes
    of business_events by product_id category region
    sales_count = count(*) where "event_type" = 'purchase' integer
    revenue = sum(amount) decimal
    avg_order_value = avg(amount) double
    conversion_rate = "event_type" = 'purchase' ÷ all events of the window
page_view: tumbling windows of 5 minutes, 1 minute late, every 1 minute
    of user_events by page_url user_agent referrer
    only "event_type" = 'page_view'
    view_count = count(*) integer
    unique_visitors = distinct(user_id) integer
purchase: tumbling windows of 1 hour, 1 minute late, every 1 minute
    of user_events by product_id category payment_method
    only "event_type" = 'purchase'
    purchase_count = count(*) integer
    revenue = sum(amount) decimal
    avg_order_value = avg(amount) double
error: tumbling windows of 1 minute, 1 minute late, every 1 minute
    of user_events by error_type service_name environment
    only "event_type" = 'error'
    error_count = count(*) integer
    error_rate = its events ÷ all events of the window
"""

WIDGETS = """
real_time_dashboard.user_activity_chart: line_chart of aggregate user_metrics.session_count
real_time_dashboard.system_health_gauge: gauge of stream system_metrics.cpu_usage
real_time_dashboard.business_metrics: line_chart of aggregate business_metrics.sales_count
real_time_dashboard.alerts: alert_panel of alerts alerts.None
events.page_view_total: counter of aggregate page_view.view_count
events.page_view_trend: line_chart of aggregate page_view.view_count
events.purchase_total: counter of aggregate purchase.purchase_count
events.purchase_trend: line_chart of aggregate purchase.purchase_count
events.error_total: counter of aggregate error.error_count
events.error_trend: line_chart of aggregate error.error_count
executive_dashboard.revenue_counter: counter of aggregate business_metrics.revenue
executive_dashboard.user_activity_chart: line_chart of aggregate user_metrics.session_count
executive_dashboard.system_health_gauge: gauge of stream system_metrics.cpu_usage
executive_dashboard.anomaly_alert_panel: alert_panel of alerts anomaly_detection.None
"""

WATCHED = """
statistical: z_score {'threshold': 3.0, 'window_size': 3600000000}
machine_learning: isolation_forest {'contamination': 0.1, 'training_window': 604800000000}
time_series: prophet {'seasonality': ['daily'], 'trend': 'linear'}
watched agg.user_behavior.event_count
watched agg.user_behavior.avg_amount
watched agg.user_behavior.sum_amount
watched agg.user_behavior.distinct_user_id
watched agg.page_view.view_count
watched agg.page_view.unique_visitors
watched agg.purchase.purchase_count
watched agg.purchase.revenue
watched agg.purchase.avg_order_value
watched agg.error.error_count
watched agg.error.error_rate
anomaly agg.user_behavior: a finding on any of its metrics
silence agg.user_behavior: no event for 15 minutes
freshness agg.performance_monitoring: its newest final window is not there 3 minutes after its start
anomaly agg.page_view: a finding on any of its metrics
anomaly agg.purchase: a finding on any of its metrics
anomaly agg.error: a finding on any of its metrics
threshold raw.system_metrics.cpu_usage: warning from 70, critical from 90
"""

MODELS = """
demand_forecasting: arima, daily
    count a day of clean.user_events where "event_type" = 'purchase', in total and by category
user_churn_prediction: random_forest, weekly
    the history of each user_id of clean.user_events
revenue_prediction: lstm, weekly
    revenue a day of agg.business_metrics
session_frequency:
    sessions a week (a gap of 5 minutes ends one) over the 30 days before
engagement_score:
    0 to 100: mean of the percentile ranks of active days, distinct `page_url` and events over the 30 days before
support_tickets:
    events where event_type is `support_ticket` over the 30 days before
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
        late = f", {spell(a.allowed_lateness)} late" if a.allowed_lateness else ""
        found.append(f"{a.name}: {window_words(a.window)}{late}, every {spell(a.update_frequency)}")
        found.append(f"    of {a.stream} by {by}")
        found += [f"    only {a.where}"] if a.where else []
        found += [f"    {m.name} = {metric_words(m)}{'' if m.function == 'ratio' else f' {m.type}'}" for m in a.metrics]

    assert "\n".join([*found, ""]) == METRICS


def test_widgets_of_every_dashboard() -> None:
    found = [
        f"{d.name}.{w.name}: {w.type} of {w.kind} {w.source}.{w.metric}" for d in plan().dashboards for w in d.widgets
    ]

    assert "\n".join(["", *found, ""]) == WIDGETS


def test_what_is_watched_and_what_raises_alerts() -> None:
    found = [f"{d.name}: {d.method} {dict(d.options)}" for d in plan().detectors]
    found += [f"watched {s.name}" for s in plan().watched]
    found += [f"{r.kind} {rule_words(r)}" for r in plan().alert_rules]

    assert "\n".join(["", *found, ""]) == WATCHED


def test_what_every_model_learns_from() -> None:
    found = [f"{m.name}: {m.algorithm}, {m.retrain.text}\n    {input_words(m.learns_from)}" for m in plan().models]
    features = plan().feature_engineering
    found += [f"{f.name}:\n    {f.definition}" for f in (features.features if features else ())]

    assert "\n".join(["", *found, ""]) == MODELS
