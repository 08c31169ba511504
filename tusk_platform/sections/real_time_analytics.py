"""``real_time_analytics``: streams of events, pipelines of windowed metrics over them, dashboards in short form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from tusk_platform.plan.drafts import AggregateDraft, DashboardDraft, Fragment, MetricDraft, WatchDraft
from tusk_platform.plan.nodes import Inactive, Tumbling
from tusk_platform.plan.shown import NO_ALERTS
from tusk_platform.plan.watched import NOT_WATCHED
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, Duration, Name, Several
from tusk_platform.sections.place import Place
from tusk_platform.sections.streams import SourceName, StreamKeys, stream_draft, waiting
from tusk_platform.sections.thresholds import Thresholds
from tusk_platform.units import SECOND


class DataStream(StreamKeys):
    """A stream of events; its other keys are those of its source."""

    source: SourceName = Field(description="What delivers the events.", examples=["kafka"])


class AlertingRules(Block):
    """What of a pipeline raises alerts."""

    anomaly_detection: bool = Field(default=False, description="Every detector watches its metrics.", examples=[True])
    threshold_alerts: bool = Field(
        default=False,
        description="Metrics beyond their thresholds raise alerts; without thresholds: no events in 3 windows.",
        examples=[True],
    )
    thresholds: Mapping[Name, Thresholds] = Field(
        default_factory=dict,
        description="Thresholds by metric, beside those of widgets that show it.",
        examples=[{"error_rate": {"warning": 0.01, "critical": 0.05}}],
    )


class Pipeline(Block):
    """A tumbling aggregate over one stream, watched by alerts and a promise of freshness."""

    window_size: Duration = Field(description="Length of a window.", examples=["5 minutes"])
    aggregation_functions: Several[Literal["count", "avg", "sum", "distinct"]] = Field(
        default=(),
        description="`count` of events, `avg` and `sum` of the value column, `distinct` of the key column.",
        examples=[["count", "avg"]],
    )
    metrics: Several[Name] = Field(
        default=(), description="Metrics whose names say their function.", examples=[["response_time", "error_rate"]]
    )
    alerting_rules: AlertingRules = Field(default_factory=AlertingRules, description="What raises alerts.")
    sla_monitoring: bool = Field(
        default=False,
        description="Its newest final window must be there in time, or an alert says so.",
        examples=[True],
    )
    sla: Duration | None = Field(
        default=None,
        description="That time; not said: the window, its lateness and its update frequency together.",
        examples=["3 minutes"],
    )
    stream: Name | None = Field(
        default=None, description="The stream it reads; not said: found by name.", examples=["user_events"]
    )
    update_frequency: Duration | None = Field(
        default=None,
        description="How often it is brought up to date; not said: the smaller of the window and a minute.",
        examples=["1 minute"],
    )
    allowed_lateness: Duration | None = Field(
        default=None,
        description="How long its windows wait for late events; not said: as tumbling windows do.",
        examples=["1 minute"],
    )


class ShortDashboard(Block):
    """A page whose widgets are named by what they show."""

    refresh_interval: Duration = Field(
        default=10 * SECOND, description="How often the page updates itself.", examples=["5 seconds"]
    )
    widgets: AtLeastOne[Name] = Field(
        description="Widgets of other pages, aggregates, streams, or words that their names share.",
        examples=[["user_activity", "business_metrics"]],
    )
    alerting: bool = Field(default=False, description="Adds a panel of alerts.", examples=[True])


class RealTimeAnalytics(Block):
    """Streams, pipelines and short dashboards."""

    data_streams: Mapping[Name, DataStream] = Field(default_factory=dict, description="Streams by name.")
    processing_pipelines: Mapping[Name, Pipeline] = Field(default_factory=dict, description="Pipelines by name.")
    dashboards: Mapping[Name, ShortDashboard] = Field(default_factory=dict, description="Pages by name.")


def lower(section: RealTimeAnalytics, place: Place) -> Fragment:
    """Streams, an aggregate for each pipeline, and the short dashboards."""
    key = "real_time_analytics"
    return Fragment(
        streams=tuple(
            stream_draft(name, s, s.source, place.at(key, "data_streams", name))
            for name, s in section.data_streams.items()
        ),
        aggregates=tuple(_pipeline(name, p, place) for name, p in section.processing_pipelines.items()),
        dashboards=tuple(_page(name, d, place) for name, d in section.dashboards.items()),
        watches=tuple(_watch(name, p, place) for name, p in section.processing_pipelines.items()),
        inactive=tuple(
            Inactive(f"{key}.processing_pipelines.{name}.{what}", NOT_WATCHED)
            for name, p in section.processing_pipelines.items()
            for what, on in (
                ("alerting_rules", _watches(p.alerting_rules)),
                ("sla_monitoring", p.sla_monitoring),
                ("sla", p.sla),
            )
            if on
        )
        + tuple(
            inactive
            for name, s in section.data_streams.items()
            for inactive in waiting(s, s.source, place.at(key, "data_streams", name))
        )
        + tuple(
            Inactive(f"{key}.dashboards.{name}.alerting", NO_ALERTS)
            for name, d in section.dashboards.items()
            if d.alerting
        ),
    )


def _watches(rules: AlertingRules) -> bool:
    return rules.anomaly_detection or rules.threshold_alerts or bool(rules.thresholds)


def _pipeline(name: str, p: Pipeline, place: Place) -> AggregateDraft:
    path = ("real_time_analytics", "processing_pipelines", name)
    return AggregateDraft(
        name=name,
        origin=place.at(*path),
        window=Tumbling(p.window_size),
        group="real_time_analytics",
        stream=p.stream,
        metrics=tuple(MetricDraft(m, place.at(*path, "metrics", str(i))) for i, m in enumerate(p.metrics)),
        summaries=p.aggregation_functions,
        allowed_lateness=p.allowed_lateness,
        update_frequency=p.update_frequency,
    )


def _watch(name: str, p: Pipeline, place: Place) -> WatchDraft:
    rules, path = p.alerting_rules, ("real_time_analytics", "processing_pipelines", name)
    return WatchDraft(
        aggregate=name,
        origin=place.at(*path),
        switches={
            "anomaly": place.at(*path, "alerting_rules", "anomaly_detection"),
            "threshold": place.at(*path, "alerting_rules", "threshold_alerts"),
            "freshness": place.at(*path, "sla_monitoring"),
        },
        watched=rules.anomaly_detection,
        anomalies=rules.anomaly_detection,
        threshold_alerts=_on(rules, "threshold_alerts", implied=bool(rules.thresholds)),
        thresholds={
            metric: (place.number(t.warning), place.number(t.critical)) for metric, t in rules.thresholds.items()
        },
        counts="count" in p.aggregation_functions,
        silence=True,
        freshness=_on(p, "sla_monitoring", implied=p.sla is not None),
        limit=p.sla,
    )


def _on(block: Block, switch: str, *, implied: bool) -> bool:
    """Whether a switch is on: as it is said, else where another key implies it."""
    return bool(getattr(block, switch)) if switch in block.model_fields_set else implied


def _page(name: str, d: ShortDashboard, place: Place) -> DashboardDraft:
    path = ("real_time_analytics", "dashboards", name)
    return DashboardDraft(
        name=name,
        origin=place.at(*path),
        refresh_interval=d.refresh_interval,
        shown=tuple((w, place.at(*path, "widgets", str(i))) for i, w in enumerate(d.widgets)),
        alerting=d.alerting,
    )
