"""``event_driven_analytics``: types of events, each with an aggregate of its own."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tusk_platform.plan.drafts import EventTypeDraft, Fragment
from tusk_platform.plan.nodes import Inactive
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, ColumnName, Duration, Name, Several, WindowChoice
from tusk_platform.sections.place import Place


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
    """The types of events and their columns. Their aggregates are not carried out yet."""
    key = "event_driven_analytics"
    return Fragment(
        event_types=tuple(
            EventTypeDraft(name, t.dimensions, place.at(key, "event_types", name))
            for name, t in section.event_types.items()
        ),
        event_type_streams=section.streams,
        inactive=(Inactive(key, "event types give their streams columns; their aggregates are not carried out yet"),),
    )
