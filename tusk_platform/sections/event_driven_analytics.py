"""``event_driven_analytics``: types of events, each with an aggregate of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import Field

from tusk_platform.plan.drafts import (
    AggregateDraft,
    DashboardDraft,
    EventTypeDraft,
    Fragment,
    MetricDraft,
    WatchDraft,
    WidgetDraft,
)
from tusk_platform.plan.nodes import Inactive, Tumbling, WidgetType
from tusk_platform.plan.watched import NOT_WATCHED
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, ColumnName, Duration, Name, Several, WindowChoice
from tusk_platform.sections.place import Place
from tusk_platform.units import SECOND


class EventType(Block):
    """Events of one type."""

    dimensions: Several[ColumnName] = Field(
        default=(), description="Columns that split the rows into groups.", examples=[["page_url", "referrer"]]
    )
    metrics: AtLeastOne[Name] = Field(
        description="Metrics whose names say their function.", examples=[["view_count", "unique_visitors"]]
    )
    window: WindowChoice = Field(
        description="Size of a tumbling window, or the name of a window of `stream_processing.windows`.",
        examples=["5 minutes"],
    )
    update_frequency: Duration | None = Field(
        default=None,
        description="How often it is brought up to date; not said: the smaller of the window and a minute.",
        examples=["1 minute"],
    )
    allowed_lateness: Duration | None = Field(
        default=None,
        description="How long its windows wait for late events; not said: as its kind of window does.",
        examples=["1 minute"],
    )


class EventProcessors(Block):
    """What is done with every type of event."""

    real_time_aggregation: bool = Field(default=True, description="Each type has an aggregate.", examples=[True])
    anomaly_detection: bool = Field(default=False, description="Detectors watch its metrics.", examples=[True])
    alerting: bool = Field(default=False, description="Findings and thresholds become alerts.", examples=[True])
    dashboard_updates: bool = Field(
        default=True, description="Each type has a row on the `events` dashboard.", examples=[True]
    )


class EventDrivenAnalytics(Block):
    """Types of events and what is done with them."""

    event_types: Mapping[Name, EventType] = Field(default_factory=dict, description="Types of events by name.")
    event_processors: EventProcessors = Field(
        default_factory=EventProcessors, description="What is done with every type of event."
    )
    streams: Several[Name] = Field(
        default=(),
        description="Streams whose events have these types; not said: the first event stream.",
        examples=[["user_events"]],
    )


def lower(section: EventDrivenAnalytics, place: Place) -> Fragment:
    """The types of events, an aggregate for each, what of them is watched, and the page that shows them."""
    key, switches = "event_driven_analytics", section.event_processors
    types = section.event_types if switches.real_time_aggregation else {}
    waiting = {"anomaly_detection": switches.anomaly_detection, "alerting": switches.alerting}
    return Fragment(
        event_types=tuple(
            EventTypeDraft(name, t.dimensions, place.at(key, "event_types", name))
            for name, t in section.event_types.items()
        ),
        event_type_streams=section.streams,
        aggregates=tuple(
            _aggregate(table, name, stream, types[name], place)
            for table, name, stream in _tables(types, section.streams)
        ),
        watches=tuple(
            WatchDraft(
                aggregate=table,
                origin=place.at(key, "event_types", name),
                switches={
                    "anomaly": place.at(key, "event_processors", "anomaly_detection"),
                    "threshold": place.at(key, "event_processors", "alerting"),
                },
                watched=switches.anomaly_detection,
                anomalies=switches.anomaly_detection and switches.alerting,
                threshold_alerts=switches.alerting,
            )
            for table, name, _ in _tables(types, section.streams)
        ),
        dashboards=tuple([_page(types, section.streams, place)] if types and switches.dashboard_updates else []),
        inactive=tuple(Inactive(f"{key}.event_processors.{name}", NOT_WATCHED) for name, on in waiting.items() if on),
    )


def _tables(types: Mapping[str, EventType], streams: tuple[str, ...]) -> Iterator[tuple[str, str, str | None]]:
    """The aggregates: table, type, stream. Of several streams that are named each has its own."""
    for name in types:
        for stream in streams or (None,):
            yield (name if len(streams) < 2 else f"{name}_{stream}"), name, stream


def _aggregate(table: str, name: str, stream: str | None, t: EventType, place: Place) -> AggregateDraft:
    path = ("event_driven_analytics", "event_types", name)
    return AggregateDraft(
        name=table,
        origin=place.at(*path),
        window=Tumbling(t.window) if isinstance(t.window, int) else t.window,
        group="event_driven_analytics",
        stream=stream,
        dimensions=t.dimensions,
        metrics=tuple(MetricDraft(m, place.at(*path, "metrics", str(i))) for i, m in enumerate(t.metrics)),
        allowed_lateness=t.allowed_lateness,
        update_frequency=t.update_frequency,
        event_type=name,
    )


def _page(types: Mapping[str, EventType], streams: tuple[str, ...], place: Place) -> DashboardDraft:
    """A row for each type: its first metric as a number and over time."""
    origin = place.at("event_driven_analytics", "event_processors", "dashboard_updates")
    tables = [(table, types[name].metrics[0]) for table, name, _ in _tables(types, streams)]
    kinds: tuple[tuple[WidgetType, str], ...] = (("counter", "total"), ("line_chart", "trend"))
    return DashboardDraft(
        name="events",
        origin=origin,
        refresh_interval=10 * SECOND,
        widgets=tuple(
            WidgetDraft(f"{table}_{suffix}", kind, table, origin, metric=metric, trend=kind == "counter")
            for table, metric in tables
            for kind, suffix in kinds
        ),
        columns=len(kinds),
        rows=len(tables),
    )
