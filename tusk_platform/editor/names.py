"""Names that a config gives to things of its own: where each is declared, and which keys take which of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tusk_platform.editor.allowed import key_at, value_at
from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.places import Path
from tusk_platform.errors import Span
from tusk_platform.plan.shown import ALERT_SOURCES
from tusk_platform.sections.anomaly_detection import Series
from tusk_platform.sections.block import Block
from tusk_platform.sections.data_quality_config import ValidationRules
from tusk_platform.sections.event_driven_analytics import EventDrivenAnalytics, EventType
from tusk_platform.sections.live_dashboards import Widget
from tusk_platform.sections.predictive_analytics import Model
from tusk_platform.sections.real_time_aggregations import Aggregation
from tusk_platform.sections.real_time_analytics import AlertingRules, Pipeline, ShortDashboard
from tusk_platform.tsk.nodes import Array, Scalar, Table

Kind = Literal["stream", "aggregate", "window", "query", "event type", "widget", "model", "metric"]

# Where things are declared: each entry of these tables is one. `*` is any name.
_DECLARED: Final[tuple[tuple[Kind, tuple[str, ...]], ...]] = (
    ("stream", ("real_time_analytics", "data_streams")),
    ("stream", ("multi_source_analytics", "data_sources")),
    ("aggregate", ("real_time_aggregations",)),
    ("aggregate", ("real_time_analytics", "processing_pipelines")),
    ("window", ("stream_processing", "windows")),
    ("query", ("analytics_data_sources",)),
    ("event type", ("event_driven_analytics", "event_types")),
    ("widget", ("live_dashboards", "*", "widgets")),
    ("model", ("predictive_analytics", "models")),
    ("metric", ("real_time_aggregations", "*", "metrics")),
)
# Lists whose items are names of metrics.
_LISTED: Final[tuple[tuple[str, ...], ...]] = (
    ("real_time_analytics", "processing_pipelines", "*", "metrics"),
    ("event_driven_analytics", "event_types", "*", "metrics"),
)
_SHOWN: Final[tuple[Kind, ...]] = ("aggregate", "stream", "query", "event type", "model")
# What a key takes, as its value, as an item of its list, or as the names in its table.
_TAKEN: Final[Mapping[tuple[type[Block], str], tuple[Kind, ...]]] = {
    (Pipeline, "stream"): ("stream",),
    (Aggregation, "stream"): ("stream",),
    (Aggregation, "window"): ("window",),
    (EventType, "window"): ("window",),
    (EventDrivenAnalytics, "streams"): ("stream",),
    (ValidationRules, "streams"): ("stream",),
    (ValidationRules, "per_stream"): ("stream",),
    (AlertingRules, "thresholds"): ("metric",),
    (ShortDashboard, "widgets"): ("widget", "aggregate", "stream"),
    (Widget, "data_source"): _SHOWN,
    (Widget, "metric"): ("metric",),
    (Series, "metric"): ("metric",),
    (Model, "source"): ("aggregate", "query"),
    (Model, "target"): ("metric",),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """A thing with a name: where that stands, and for a metric the aggregate or stream that has it."""

    name: str
    kind: Kind
    path: Path
    span: Span
    owner: str = ""


def declared(buffer: Buffer) -> tuple[Declared, ...]:
    """Everything that a file gives a name to, then what the plan adds to it, each once by kind, owner and name."""
    found = [*_of_file(buffer), *_of_plan(buffer)]
    return tuple({(d.kind, d.owner, d.name): d for d in reversed(found)}.values())[::-1]


def taken_at(path: Path, buffer: Buffer) -> tuple[Kind, ...]:
    """The kinds of thing whose names may stand at a path, as a value, an item of a list or a key."""
    key = key_at(path, buffer.data) or key_at(path[:-1], buffer.data)
    if key is None:
        return ()
    return next((k for (block, name), k in _TAKEN.items() if name == key.name and issubclass(key.block, block)), ())


def names_at(path: Path, buffer: Buffer) -> dict[str, Declared | None]:
    """The names that may stand at a path, with where they are declared; None where the platform brings them."""
    kinds = taken_at(path, buffer)
    owner = _owner(path, buffer) if "metric" in kinds else ""
    known = [d for d in declared(buffer) if d.kind in kinds and (not owner or d.kind != "metric" or d.owner == owner)]
    names: dict[str, Declared | None] = {}
    for found in known:
        names.setdefault(found.name, found)
    if owner in {a.name for a in buffer.compiled.plan.aggregates}:
        names["event_count"] = None
    if path[-1:] == ("metric",) and not owner:
        names |= {f"{d.owner}.{d.name}": d for d in known if d.kind == "metric"}
    if kinds == _SHOWN:
        names |= dict.fromkeys(sorted(ALERT_SOURCES))
    return names


def _owner(path: Path, buffer: Buffer) -> str:
    """What the metrics that may stand at a path are of; nothing where those of all aggregates may."""
    if path[:2] == ("real_time_analytics", "processing_pipelines") and len(path) > 2:
        return str(path[2])
    beside = (value_at(buffer.data, (*path[:-1], key)) for key in ("data_source", "source"))
    return next((said for said in beside if isinstance(said, str)), "")


def _of_file(buffer: Buffer) -> Iterator[Declared]:
    root = buffer.document.root
    for kind, pattern in _DECLARED:
        for path, table in _tables(root, pattern, ()):
            for entry in table.entries:
                owner = str(path[1]) if kind == "metric" else ""
                yield Declared(entry.key, kind, (*path, entry.key), entry.key_span, owner)
    for pattern in _LISTED:
        for path, table in _tables(root, pattern[:-1], ()):
            listed = next((e.value for e in table.entries if e.key == pattern[-1]), None)
            for at, item in enumerate(listed.items if isinstance(listed, Array) else ()):
                if isinstance(item, Scalar) and isinstance(item.value, str):
                    yield Declared(item.value, "metric", (*path, pattern[-1], at), item.span, str(path[2]))


def _tables(table: Table, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Table]]:
    """The tables at the paths of a pattern."""
    if not pattern:
        yield path, table
        return
    for entry in table.entries:
        if pattern[0] in {"*", entry.key} and isinstance(entry.value, Table):
            yield from _tables(entry.value, pattern[1:], (*path, entry.key))


def _of_plan(buffer: Buffer) -> Iterator[Declared]:
    plan = buffer.compiled.plan
    for stream in plan.streams:
        path = tuple(stream.origin.key.split("."))
        yield Declared(stream.name, "stream", path, stream.origin.span)
        for name in stream.options.get("metrics", ()):
            yield Declared(str(name), "metric", (*path, "metrics"), stream.origin.span, stream.name)
    for aggregate in plan.aggregates:
        path = tuple(aggregate.origin.key.split("."))
        yield Declared(aggregate.name, "aggregate", path, aggregate.origin.span)
        for metric in aggregate.metrics:
            yield Declared(metric.name, "metric", path, aggregate.origin.span, aggregate.name)
    for query in plan.queries:
        for column in query.columns:
            path = tuple(query.origin.key.split("."))
            yield Declared(column.name, "metric", path, query.origin.span, query.name)


def definition(path: Path, text: str, buffer: Buffer) -> Declared | None:
    """Where the name that stands at a path is declared; None where none stands there."""
    found = names_at(path, buffer).get(text) or next((d for d in declared(buffer) if d.path == path), None)
    return found or _shown(path, text, buffer)


def _shown(path: Path, text: str, buffer: Buffer) -> Declared | None:
    """What a word on a short dashboard shows, as the plan decided."""
    if path[:2] != ("real_time_analytics", "dashboards") or path[3:4] != ("widgets",) or len(path) != 5:
        return None
    plan = buffer.compiled.plan
    pages = (d for d in plan.dashboards if d.name == path[2])
    widgets = next((d.widgets[: len(value_at(buffer.data, path[:-1]))] for d in pages), ())
    said = next((a.decision for a in plan.assumptions if a.key == ".".join(map(str, path))), "")
    known = [d for d in declared(buffer) if d.name in {name for w in widgets for name in (w.name, w.source)}]
    return next((d for d in known if said == f"`{text}` shows {d.kind} `{d.name}`"), None)
