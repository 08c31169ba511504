"""What each widget of a dashboard shows: names to aggregates, streams and metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from tusk_platform.errors import nearest
from tusk_platform.plan.drafts import DashboardDraft, WidgetDraft
from tusk_platform.plan.metrics import is_duration
from tusk_platform.plan.nodes import (
    Aggregate,
    Assumption,
    Dashboard,
    Inactive,
    Metric,
    Plan,
    Query,
    Session,
    Sliding,
    Stream,
    Tumbling,
    Widget,
    WidgetType,
)
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.resolution import Resolution
from tusk_platform.plan.rules import WHICH_SHOWN, Tie, WhichShown, decide, is_money
from tusk_platform.units import DAY, HOUR, spell

# What `cpu` and the like mean as series of the metrics stream, and how they are shown.
METRIC_NAMES: Final = {
    "cpu": "cpu_usage",
    "memory": "memory_usage",
    "disk": "disk_usage",
    "network": "network_throughput",
}
_PERCENT_METRICS: Final = frozenset({"cpu_usage", "memory_usage", "disk_usage"})
ALERT_SOURCES: Final = frozenset({"anomaly_detection", "alerts", "anomalies"})
NO_ALERTS: Final = "alert panels stay empty: alerts are not carried out yet"

Format = Literal["number", "currency", "percent", "duration", "bytes"]


def resolve_dashboards(plan: Plan, r: Resolution) -> tuple[Dashboard, ...]:
    """The dashboards of a plan whose streams and aggregates are known; what is not found is refused."""
    drafts: tuple[DashboardDraft, ...] = r.draft.every("dashboards")
    named: dict[str, list[Widget]] = {}
    pages: dict[str, tuple[Widget, ...]] = {}
    for d in drafts:
        if d.widgets:
            widgets = [w for draft in d.widgets if (w := _widget(plan, draft, r)) is not None]
            for w in widgets:
                named.setdefault(w.name, []).append(w)
            pages[d.name] = tuple(widgets)
    for d in drafts:
        if not d.widgets:
            found = (_shown(plan, name, origin, named, r) for name, origin in d.shown)
            pages[d.name] = tuple(w for w in found if w is not None)
    return tuple(
        Dashboard(
            d.name, _with_panel(d, pages[d.name]), d.origin, d.refresh_interval, d.columns, d.rows, d.responsive,
            d.auto_refresh, d.alerting,
        )
        for d in drafts
    )  # fmt: skip


def _with_panel(d: DashboardDraft, widgets: tuple[Widget, ...]) -> tuple[Widget, ...]:
    if not d.alerting or any(w.type == "alert_panel" for w in widgets):
        return widgets
    return (*widgets, Widget("alerts", "alert_panel", "alerts", "alerts", d.origin))


def _widget(plan: Plan, draft: WidgetDraft, r: Resolution) -> Widget | None:
    if draft.source in ALERT_SOURCES:
        return _finish(draft, Widget(draft.name, draft.type, "alerts", draft.source, draft.origin))
    aggregates = {a.name: a for a in plan.aggregates}
    if draft.source in aggregates:
        aggregate = aggregates[draft.source]
        metrics = ["event_count", *(m.name for m in aggregate.metrics)]
        metric = draft.metric or metrics[min(1, len(metrics) - 1)]
        if metric not in metrics:
            r.refuse(draft.origin, f"`{draft.source}` has no metric `{metric}`", nearest(metric, metrics), "metric")
            return None
        if (least := _finest(aggregate)) and draft.bucket and draft.bucket < least:
            finer = f"points of {spell(draft.bucket)} are finer than the windows of `{draft.source}`"
            r.refuse(draft.origin, finer, f'at least `"{spell(least)}"`', "aggregation")
            return None
        return _finish(draft, _of_aggregate(draft.name, draft.type, aggregate, metric, draft.origin))
    if draft.source in plan.stream_names:
        stream = plan.stream(draft.source)
        if not _stream_shows(stream, draft, r):
            return None
        return _finish(draft, _of_stream(draft.name, draft.type, stream, draft.metric, draft.origin))
    if draft.source in {q.name for q in plan.queries}:
        return _of_query(plan.query(draft.source), draft, r)
    if draft.source in _declared(r):
        # It is refused, or named as not active, where it is declared.
        r.inactive.append(Inactive(draft.origin.key, f"`{draft.source}` is not active"))
        return None
    known = [*_declared(r), *ALERT_SOURCES]
    unknown = f"widget `{draft.name}` shows unknown `{draft.source}`"
    r.refuse(draft.origin, unknown, nearest(draft.source, known), "data_source")
    return None


def _finest(aggregate: Aggregate) -> int | None:
    """The least distance of two points of an aggregate; None where sessions have none."""
    match aggregate.window:
        case Tumbling(size=size):
            return size
        case Sliding(slide=slide):
            return slide
        case Session():
            return None


def _declared(r: Resolution) -> tuple[str, ...]:
    return tuple(n.name for kind in ("aggregates", "streams", "queries", "event_types") for n in r.draft.every(kind))


def _finish(draft: WidgetDraft, w: Widget) -> Widget:
    return replace(
        w,
        format=draft.format or w.format,
        currency=draft.currency,
        trend=draft.trend,
        time_range=draft.time_range or w.time_range,
        bucket=draft.bucket,
        warning=draft.warning,
        critical=draft.critical,
        severities=draft.severities,
        max_alerts=draft.max_alerts,
    )


def _of_aggregate(name: str, kind: WidgetType, aggregate: Aggregate, metric: str, origin: Origin) -> Widget:
    found = next((m for m in aggregate.metrics if m.name == metric), None)
    choices = ("event_count", *(m.name for m in aggregate.metrics))
    return Widget(name, kind, "aggregate", aggregate.name, origin, metric=metric, format=_format(found),
                  time_range=_range(aggregate), choices=choices)  # fmt: skip


def _range(aggregate: Aggregate) -> int:
    return max(HOUR, min(DAY, 48 * getattr(aggregate.window, "size", HOUR)))


def _format(metric: Metric | None) -> Format:
    if metric is None:
        return "number"
    if metric.money:
        return "currency"
    if metric.function == "ratio":
        return "percent"
    return "duration" if metric.column and is_duration(metric.column) else "number"


def _stream_shows(stream: Stream, draft: WidgetDraft, r: Resolution) -> bool:
    """Whether a stream has the metric that is asked for."""
    if draft.metric is None:
        return True
    if stream.column("metric") is None or stream.free_form:
        r.refuse(draft.origin, f"stream `{stream.name}` has no metrics, only events: `{draft.metric}` is none",
                 "leave `metric` out to see its events, or show an aggregate", "metric")  # fmt: skip
        return False
    known = _series_of(stream)
    if METRIC_NAMES.get(draft.metric, draft.metric) not in known:
        r.refuse(draft.origin, f"stream `{stream.name}` has no metric `{draft.metric}`",
                 nearest(draft.metric, known), "metric")  # fmt: skip
        return False
    return True


def _series_of(stream: Stream) -> tuple[str, ...]:
    """The series of a metrics stream by their own names."""
    return tuple(METRIC_NAMES.get(m, m) for m in stream.options.get("metrics", ()))


def _of_stream(name: str, kind: WidgetType, stream: Stream, metric: str | None, origin: Origin) -> Widget:
    if stream.column("metric") is None or stream.free_form:
        return Widget(name, kind, "stream", stream.name, origin, metric=None)
    metrics = _series_of(stream)
    chosen = METRIC_NAMES.get(metric, metric) if metric else next(iter(metrics), None)
    shown: Format = (
        "percent" if chosen in _PERCENT_METRICS else ("bytes" if chosen == "network_throughput" else "number")
    )
    return Widget(
        name, kind, "stream", stream.name, origin, metric=chosen, format=shown, time_range=HOUR, choices=metrics
    )


def _of_query(query: Query, draft: WidgetDraft, r: Resolution) -> Widget | None:
    names = tuple(c.name for c in query.columns)
    if draft.metric is not None and draft.metric not in names:
        unknown = f"query `{query.name}` has no column `{draft.metric}`"
        r.refuse(draft.origin, unknown, nearest(draft.metric, names), "metric")
        return None
    # The number that a query is about usually comes last.
    metric = draft.metric or (names[-1] if names and draft.type != "table" else None)
    shown: Format = "number"
    if metric is not None:
        shown = "currency" if is_money(metric) else "duration" if is_duration(metric) else "number"
    found = Widget(draft.name, draft.type, "query", query.name, draft.origin, metric=metric, format=shown)
    return _finish(draft, found)


def _shown(plan: Plan, name: str, origin: Origin, widgets: dict[str, list[Widget]], r: Resolution) -> Widget | None:
    question = WhichShown(name, tuple(widgets), tuple(a.name for a in plan.aggregates), plan.stream_names)
    decision = decide(WHICH_SHOWN, question)
    if decision is None and any(name == w.name for d in r.draft.every("dashboards") for w in d.widgets):
        return None  # refused, or named as not active, where it is declared
    if decision is None:
        r.refuse(origin, f"nothing to show is called `{name}`", nearest(name, [*widgets, *_declared(r)]))
        return None
    if isinstance(decision.answer, Tie):
        several = ", ".join(f"`{c}`" for c in decision.answer.candidates)
        r.refuse(
            origin, f"`{name}` could show several things: {several}", f'say which: `"{decision.answer.candidates[0]}"`'
        )
        return None
    kind, target = decision.answer
    if not decision.explicit:
        says = origin.key.rpartition(".")[0]
        r.assumptions.append(Assumption(origin.key, decision.rule, f"`{name}` shows {kind} `{target}`", says))
    if kind == "widget":
        if len(widgets[target]) > 1:
            places = " and ".join(str(w.origin.span) for w in widgets[target])
            r.refuse(origin, f"several widgets are called `{target}`, at {places}", "give one another name")
            return None
        return widgets[target][0]
    if kind == "aggregate":
        aggregate = plan.aggregate(target)
        first = aggregate.metrics[0].name if aggregate.metrics else "event_count"
        return _of_aggregate(name, "line_chart", aggregate, first, origin)
    return _of_stream(name, "line_chart", plan.stream(target), None, origin)
