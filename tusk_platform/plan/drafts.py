"""What sections lower to: nodes with names as the config wrote them. ``plan/resolve.py`` makes a plan of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from tusk_platform.errors import Span
from tusk_platform.plan.learning import (
    Algorithm,
    Cadence,
    FeatureEngineering,
    FeatureStore,
    ModelServing,
    OnlineLearning,
)
from tusk_platform.plan.nodes import ColumnType, Connection, EnvironmentUse, Function, Inactive, WidgetType, Window
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.profile import Cache, Cleansing, Compression, FaultTolerance, Memory, Scaling
from tusk_platform.plan.query_drafts import QueryDraft, QueryNames, as_written
from tusk_platform.plan.watching import Alerting, Detector


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a source says of itself: see ``ports.SourceAdapter`` and ``ports.Stated``."""

    connection: str | None = None
    stand_in: str | None = None
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, ColumnType], ...] = ()
    dedup_key: tuple[str, ...] = ()
    arrival_time: bool = False
    step: int | None = None
    changes: bool = False


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
    """A declared aggregate; ``window`` may be a name, ``summaries`` are functions over the value and the key column.

    ``first_event_stream``: it reads the first event stream whatever its name shares with others. ``event_type``: it
    counts events of that type only, of the stream that has the event types unless ``stream`` says another.
    """

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
    event_type: str | None = None


@dataclass(frozen=True, slots=True)
class NamedWindow:
    """A window of ``stream_processing.windows``; lateness None: that of its kind holds."""

    name: str
    window: Window
    origin: Origin
    allowed_lateness: int | None = None


@dataclass(frozen=True, slots=True)
class RulesDraft:
    """Row rules for the streams named, or (none named) for those the resolution rules choose."""

    origin: Origin
    required: tuple[str, ...] = ()
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    streams: tuple[str, ...] = ()


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
    """Parts of the runtime profile that a section decides; None: it says nothing of it."""

    engine: Literal["duckdb", "apache_flink"] | None = None
    parallelism: int | None = None
    checkpoint_interval: int | None = None
    state_backend: Literal["rocksdb", "hashmap"] | None = None
    checkpoint_dir: str | None = None
    batch_rows: int | None = None
    parallel: bool | None = None
    workers: int | None = None
    compression: Compression | None = None
    cache: Cache | None = None
    memory: Memory | None = None


@dataclass(frozen=True, slots=True)
class WatchDraft:
    """What of an aggregate is watched, and what of it raises alerts.

    ``thresholds`` are (warning, critical) by metric; ``silence``: without any, no event in three windows is an alert.
    ``freshness``: its newest final window must be there in time, within ``limit`` microseconds where that is said.
    ``switches`` are the keys that turn on the kinds of alert rule. ``counts``: its events are a metric too.
    """

    aggregate: str
    origin: Origin
    watched: bool = False
    anomalies: bool = False
    threshold_alerts: bool = False
    thresholds: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    counts: bool = False
    silence: bool = False
    freshness: bool = False
    switches: Mapping[str, Origin] = field(default_factory=dict)
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class SeriesDraft:
    """A series to watch: ``metric`` or ``aggregate.metric``."""

    metric: str
    origin: Origin
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A declared model; what it learns from may be left open."""

    name: str
    algorithm: Algorithm
    origin: Origin
    source: str | None = None
    target: str | None = None
    retrain: Cadence | None = None
    update: Cadence | None = None
    forecast_horizon: int | None = None
    confidence_interval: float | None = None
    sequence_length: int | None = None
    features: tuple[str, ...] = ()
    prediction_window: int | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class FusionDraft:
    """What is to be found across sources."""

    correlations: bool
    insights: bool
    unified_metrics: bool
    origin: Origin


@dataclass(frozen=True, slots=True)
class AuditDraft:
    """The record of changes; ``personal`` None: columns with personal data are found by their names."""

    retention: int
    masking: bool
    personal: tuple[str, ...] | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class Fragment:
    """Everything one section adds to the plan."""

    streams: tuple[StreamDraft, ...] = ()
    aggregates: tuple[AggregateDraft, ...] = ()
    windows: tuple[NamedWindow, ...] = ()
    queries: tuple[QueryDraft, ...] = ()
    dashboards: tuple[DashboardDraft, ...] = ()
    rules: tuple[RulesDraft, ...] = ()
    cleansing: Cleansing | None = None
    audits: tuple[AuditDraft, ...] = ()
    event_types: tuple[EventTypeDraft, ...] = ()
    event_type_streams: tuple[str, ...] = ()
    watches: tuple[WatchDraft, ...] = ()
    detectors: tuple[Detector, ...] = ()
    series: tuple[SeriesDraft, ...] = ()
    alerting: Alerting | None = None
    models: tuple[ModelDraft, ...] = ()
    feature_engineering: FeatureEngineering | None = None
    online_learning: OnlineLearning | None = None
    feature_store: FeatureStore | None = None
    model_serving: ModelServing | None = None
    fusions: tuple[FusionDraft, ...] = ()
    scaling: Scaling | None = None
    fault_tolerance: FaultTolerance | None = None
    connections: tuple[Connection, ...] = ()
    runtime: RuntimeDraft = RuntimeDraft()
    inactive: tuple[Inactive, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """All fragments of a file together, and its top-level settings.

    ``spans`` gives the position of the value under a dotted key, or of the nearest key above it. ``query_sql`` writes a
    query in the engine's dialect, once its names are known.
    """

    file: str
    fragments: tuple[Fragment, ...]
    spans: Callable[[str], Span]
    timezone: str = "UTC"
    demo: bool = True
    environment: tuple[EnvironmentUse, ...] = ()
    query_sql: Callable[[QueryDraft, QueryNames], str] = as_written

    def every(self, what: str) -> tuple[Any, ...]:
        """All nodes of one kind (a field name of Fragment), in the order of the fragments."""
        return tuple(item for f in self.fragments for item in getattr(f, what))

    def first(self, what: str) -> Any:  # noqa: ANN401 - as above: the field says which kind
        """The one node of a kind there may be one of (a field name of Fragment), None where no section has it."""
        return next((node for f in self.fragments if (node := getattr(f, what)) is not None), None)
