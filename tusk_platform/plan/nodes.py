"""The kinds of node a plan is made of. Times are integer microseconds; names are those of the config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tusk_platform.errors import Span
from tusk_platform.plan.learning import FeatureEngineering, FeatureStore, Model, ModelServing, OnlineLearning
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.profile import Audit, Cleansing, FaultTolerance, Fusion, Runtime, Scaling
from tusk_platform.plan.watching import Alerting, AlertRule, Detector, Series
from tusk_platform.units import HOUR, MINUTE

ColumnType = Literal["string", "integer", "double", "decimal", "boolean", "timestamp", "date", "uuid", "json"]
Function = Literal["count", "sum", "avg", "min", "max", "distinct", "ratio", "rate", "stddev", "p50", "p95", "p99"]
WidgetType = Literal["counter", "line_chart", "bar_chart", "gauge", "table", "alert_panel"]
SourceKind = Literal["aggregate", "stream", "query", "alerts"]
# What happened to a row of a table, in the words of Delta's change data feed; `snapshot`: it was there when the table
# was first read, or came while that went on.
Op = Literal["snapshot", "insert", "update_preimage", "update_postimage", "delete"]
# Records that take back an image of a row.
RETRACTIONS: Final[tuple[Op, ...]] = ("update_preimage", "delete")

# A watermark that no event time reaches: every window of a stream that was read to its end is final.
END_OF_TIME: Final = 2**62
# Stored in place of a watermark where there is none (a stream whose demo rows were removed).
NO_WATERMARK: Final = -(2**62)
# `_partition` of generated events; the first event of anybody else removes them.
DEMO_PARTITION: Final = "demo"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a stream. ``aliases`` are other names under which events may carry it."""

    name: str
    type: ColumnType
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule that each row must keep at the border. ``name`` is the reason a quarantined row carries."""

    name: str
    kind: Literal["required", "type", "range"]
    column: str
    minimum: float | None = None
    maximum: float | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """An unbounded sequence of events and the raw table that keeps them.

    ``source`` is what the config says (``kafka``); ``adapter`` is what reads it here: the same name where there is a
    connection, else the embedded stand-in (``log``, ``host``). ``options`` are the adapter's own keys, validated.
    ``expressions`` are derived columns (SQL over the row). ``scope`` limits a node to one event type of the stream.
    ``arrival_time``: an event without a time of its own happened when it arrived (else it is quarantined).
    ``changes``: raw keeps every image of the rows of a table, readers see the newest of those not deleted.
    """

    name: str
    source: str
    adapter: str
    columns: tuple[Column, ...]
    event_time: str
    origin: Origin
    key: str | None = None
    value: str | None = None
    event_type: str | None = None
    dedup_key: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    connection: str | None = None
    expressions: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[RowRule, ...] = ()
    format: Literal["json", "csv"] = "json"
    time_format: str | None = None
    timezone: str = "UTC"
    max_future: int = HOUR
    idle_timeout: int = MINUTE
    replay: bool = False
    demo: bool = False
    free_form: bool = True
    deduplicate: bool = False
    dedup_horizon: int = HOUR
    topic_retention: int | None = None
    retention: int | None = None
    poll_interval: int | None = None
    event_types: tuple[str, ...] = ()
    arrival_time: bool = False
    changes: bool = False

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)

    @property
    def table(self) -> str:
        """Name of the raw table."""
        return f"raw.{self.name}"


@dataclass(frozen=True, slots=True)
class Tumbling:
    """Windows ``[start, start + size)`` on a grid shifted by ``offset``; whole days align to local midnight."""

    size: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Sliding:
    """Windows of ``size`` that start every ``slide``."""

    size: int
    slide: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """Windows of activity: events at most ``gap`` apart, cut at ``max_size`` from the first."""

    gap: int
    max_size: int = 24 * HOUR


Window = Tumbling | Sliding | Session


@dataclass(frozen=True, slots=True)
class Metric:
    """One number per window and group.

    ``where``, ``numerator`` and ``denominator`` are SQL conditions over the stream's columns. The denominator of a
    ratio counts the rows of its group; with ``denominator_scope`` ``unfiltered_group`` also those that the aggregate's
    ``where`` leaves out, with ``window`` those of all groups of the window. A
    ``rate`` is ``count`` ÷ seconds of the window. ``type`` is the type of the result.
    """

    name: str
    function: Function
    type: ColumnType
    column: str | None = None
    where: str | None = None
    numerator: str | None = None
    denominator: str | None = None
    denominator_scope: Literal["group", "unfiltered_group", "window"] = "group"
    money: bool = False

    @property
    def mergeable(self) -> bool:
        """Whether windows of this metric can be added up without the events behind them."""
        return self.function in {"count", "sum", "avg", "min", "max", "ratio", "rate"}


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A windowed table computed from one stream."""

    name: str
    stream: str
    dimensions: tuple[str, ...]
    metrics: tuple[Metric, ...]
    window: Window
    origin: Origin
    allowed_lateness: int = 0
    where: str | None = None
    update_frequency: int = MINUTE
    group: str = "real_time_aggregations"

    @property
    def table(self) -> str:
        """Name of the aggregate's table."""
        return f"agg.{self.name}"


@dataclass(frozen=True, slots=True)
class Widget:
    """One thing on a dashboard. ``source`` names an aggregate or a stream (``kind`` says which)."""

    name: str
    type: WidgetType
    kind: SourceKind
    source: str
    origin: Origin
    metric: str | None = None
    series: str | None = None
    format: Literal["number", "currency", "percent", "duration", "bytes"] = "number"
    currency: str = "USD"
    trend: bool = False
    time_range: int = 24 * HOUR
    bucket: int | None = None
    warning: float | None = None
    critical: float | None = None
    severities: tuple[str, ...] = ()
    max_alerts: int = 10
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of widgets that updates itself every ``refresh_interval``."""

    name: str
    widgets: tuple[Widget, ...]
    origin: Origin
    refresh_interval: int
    columns: int = 3
    rows: int = 2
    responsive: bool = True
    auto_refresh: bool = True
    alerting: bool = False


@dataclass(frozen=True, slots=True)
class QueryInput:
    """A table that a query reads (``clean.user_events``, ``agg.purchase``, ``query.x``).

    Of a stream's, ``look_back`` is the longest time that an event it reads may have happened before now, in
    microseconds; None: it reads all that is there.
    """

    table: str
    look_back: int | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A named query whose result is a table, made anew when its inputs have moved, or with ``uses_now`` time has.

    ``sql`` is DuckDB's dialect over the tables of ``inputs``. ``streams`` are those behind its inputs, the first is the
    one it is refreshed with. ``look_back`` is the longest span before now that it speaks of.
    """

    name: str
    sql: str
    inputs: tuple[QueryInput, ...]
    origin: Origin
    columns: tuple[Column, ...] = ()
    streams: tuple[str, ...] = ()
    uses_now: bool = False
    look_back: int | None = None
    update_frequency: int = MINUTE

    @property
    def table(self) -> str:
        """Name of the table of its result."""
        return f"query.{self.name}"

    def column(self, name: str) -> Column | None:
        """The column of the result of that name, or None."""
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True)
class Connection:
    """An outside service of the config. ``values`` may hold secrets by reference only: ``{"@env": [NAME]}``."""

    name: str
    values: Mapping[str, Any]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Assumption:
    """One decision the config left open: the rule that made it and the key that would say it explicitly."""

    key: str
    rule: str
    decision: str
    says: str


@dataclass(frozen=True, slots=True)
class Inactive:
    """A key that is checked and carried but that nothing carries out yet, or not without a connection."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class EnvironmentUse:
    """An ``@env`` of the config: the variable and where it is needed."""

    variable: str
    key: str
    span: Span
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """All nodes of one config. Two plans with the same fingerprint generate the same platform, byte for byte."""

    file: str
    streams: tuple[Stream, ...] = ()
    aggregates: tuple[Aggregate, ...] = ()
    dashboards: tuple[Dashboard, ...] = ()
    queries: tuple[Query, ...] = ()
    detectors: tuple[Detector, ...] = ()
    watched: tuple[Series, ...] = ()
    alert_rules: tuple[AlertRule, ...] = ()
    alerting: Alerting | None = None
    models: tuple[Model, ...] = ()
    feature_engineering: FeatureEngineering | None = None
    online_learning: OnlineLearning | None = None
    feature_store: FeatureStore | None = None
    model_serving: ModelServing | None = None
    fusion: Fusion | None = None
    cleansing: Cleansing = Cleansing()
    audit: Audit | None = None
    connections: tuple[Connection, ...] = ()
    runtime: Runtime = Runtime()
    scaling: Scaling = Scaling()
    fault_tolerance: FaultTolerance = FaultTolerance()
    assumptions: tuple[Assumption, ...] = ()
    inactive: tuple[Inactive, ...] = ()
    environment: tuple[EnvironmentUse, ...] = ()

    def stream(self, name: str) -> Stream:
        """The stream of that name; KeyError where there is none."""
        return {s.name: s for s in self.streams}[name]

    def aggregate(self, name: str) -> Aggregate:
        """The aggregate of that name; KeyError where there is none."""
        return {a.name: a for a in self.aggregates}[name]

    def aggregates_of(self, stream: str) -> tuple[Aggregate, ...]:
        """The aggregates computed from a stream, in the order of the config."""
        return tuple(a for a in self.aggregates if a.stream == stream)

    def waits_for(self, key: str) -> str:
        """Why nothing carries out yet what a key says, itself or through a key above it; empty where it is active."""
        reasons = {i.key: i.reason for i in self.inactive}
        steps = key.split(".")
        return next((why for n in range(len(steps), 0, -1) if (why := reasons.get(".".join(steps[:n])))), "")

    def query(self, name: str) -> Query:
        """The query of that name; KeyError where there is none."""
        return {q.name: q for q in self.queries}[name]

    def queries_of(self, stream: str) -> tuple[Query, ...]:
        """The queries refreshed with a stream, the first that they read, each after those it needs."""
        return tuple(q for q in self.queries if q.streams[:1] == (stream,))

    @property
    def stream_names(self) -> tuple[str, ...]:
        """Names of all streams, in the order of the config."""
        return tuple(s.name for s in self.streams)
