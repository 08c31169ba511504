"""What sections lower to: nodes with names as the config wrote them. ``plan/resolve.py`` makes a plan of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tusk_platform.errors import Span
from tusk_platform.plan.nodes import (
    ColumnType,
    Connection,
    EnvironmentUse,
    Function,
    Inactive,
    Origin,
    WidgetType,
    Window,
)


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a source says of itself: see ``ports.SourceAdapter``."""

    connection: str | None = None
    stand_in: str | None = None
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, ColumnType], ...] = ()


Use = Literal["any", "number", "compared"]


@dataclass(frozen=True, slots=True)
class Mention:
    """A column that a node reads, and how: as it is, as a number to compute with, or compared with a number."""

    column: str
    use: Use = "any"


@dataclass(frozen=True, slots=True)
class StreamDraft:
    """A declared stream. None means: the config left it open."""

    name: str
    source: str
    origin: Origin
    facts: SourceFacts
    options: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, ColumnType] = field(default_factory=dict)
    event_time: str | None = None
    key: str | None = None
    value: str | None = None
    event_type: str | None = None
    dedup_key: tuple[str, ...] = ()
    derive: Mapping[str, str] = field(default_factory=dict)
    mentions: tuple[Mention, ...] = ()
    format: Literal["json", "csv"] = "json"
    time_format: str | None = None
    timezone: str | None = None
    demo: bool | None = None
    lake_retention: int | None = None
    topic_retention: int | None = None
    poll_interval: int | None = None
    max_future: int | None = None
    idle_timeout: int | None = None


@dataclass(frozen=True, slots=True)
class MetricDraft:
    """A metric by name; its function and column may be left open.

    ``table``: it stands where a table may stand that says them (a list of names cannot).
    """

    name: str
    origin: Origin
    function: Function | None = None
    column: str | None = None
    where: str | None = None
    numerator: str | None = None
    denominator: str | None = None
    mentions: tuple[Mention, ...] = ()
    table: bool = False


@dataclass(frozen=True, slots=True)
class AggregateDraft:
    """A declared aggregate; ``window`` may be a name, ``summaries`` are functions over the value and the key column."""

    name: str
    origin: Origin
    window: Window | str
    group: str
    stream: str | None = None
    dimensions: tuple[str, ...] = ()
    metrics: tuple[MetricDraft, ...] = ()
    summaries: tuple[Function, ...] = ()
    allowed_lateness: int | None = None
    where: str | None = None
    mentions: tuple[Mention, ...] = ()
    update_frequency: int | None = None
    first_event_stream: bool = False


@dataclass(frozen=True, slots=True)
class NamedWindow:
    """A window of ``stream_processing.windows``."""

    name: str
    window: Window
    origin: Origin
    allowed_lateness: int = 0


@dataclass(frozen=True, slots=True)
class RulesDraft:
    """Row rules for the streams named, or (none named) for those the resolution rules choose."""

    origin: Origin
    required: tuple[str, ...] = ()
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    streams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cleansing:
    """How ``clean`` differs from ``raw``."""

    duplicate_removal: bool = True
    dedup_horizon: int | None = None


@dataclass(frozen=True, slots=True)
class WidgetDraft:
    """A declared widget; ``source`` and ``metric`` are names still to be found."""

    name: str
    type: WidgetType
    source: str
    origin: Origin
    metric: str | None = None
    format: Literal["number", "currency", "percent", "duration", "bytes"] | None = None
    currency: str = "USD"
    trend: bool = False
    time_range: int | None = None
    bucket: int | None = None
    warning: float | None = None
    critical: float | None = None
    severities: tuple[str, ...] = ()
    max_alerts: int = 10


@dataclass(frozen=True, slots=True)
class DashboardDraft:
    """A declared dashboard: widgets written out, or (short form) named by what they show."""

    name: str
    origin: Origin
    refresh_interval: int
    widgets: tuple[WidgetDraft, ...] = ()
    shown: tuple[tuple[str, Origin], ...] = ()
    columns: int = 3
    rows: int = 2
    responsive: bool = True
    auto_refresh: bool = True
    alerting: bool = False


@dataclass(frozen=True, slots=True)
class EventTypeDraft:
    """A declared type of event and the columns its events carry."""

    name: str
    dimensions: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class RuntimeDraft:
    """Parts of the runtime profile that a section decides."""

    engine: str | None = None
    parallelism: int | None = None
    checkpoint_interval: int | None = None


@dataclass(frozen=True, slots=True)
class Fragment:
    """Everything one section adds to the plan."""

    streams: tuple[StreamDraft, ...] = ()
    aggregates: tuple[AggregateDraft, ...] = ()
    windows: tuple[NamedWindow, ...] = ()
    dashboards: tuple[DashboardDraft, ...] = ()
    rules: tuple[RulesDraft, ...] = ()
    cleansing: Cleansing | None = None
    event_types: tuple[EventTypeDraft, ...] = ()
    event_type_streams: tuple[str, ...] = ()
    connections: tuple[Connection, ...] = ()
    runtime: RuntimeDraft = RuntimeDraft()
    inactive: tuple[Inactive, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """All fragments of a file together, and its top-level settings.

    ``spans`` gives the position of the value under a dotted key, or of the nearest key above it.
    """

    file: str
    fragments: tuple[Fragment, ...]
    spans: Callable[[str], Span]
    timezone: str = "UTC"
    demo: bool = True
    environment: tuple[EnvironmentUse, ...] = ()

    def every(self, what: str) -> tuple[Any, ...]:
        """All nodes of one kind (a field name of Fragment), in the order of the fragments."""
        return tuple(item for f in self.fragments for item in getattr(f, what))
