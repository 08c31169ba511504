"""What a generated project knows of the plan: its streams and aggregates as plain values, and back."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from typing import Any, Final

from tusk_platform.errors import Span
from tusk_platform.plan.impact import query_parts
from tusk_platform.plan.nodes import Aggregate, Column, Plan, Query, Session, Sliding, Stream, Tumbling
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.page import definition_hash, plain
from tusk_platform.plan.profile import Runtime
from tusk_platform.units import DAY

# What a database that opens the project goes by.
_RUNTIME: Final = ("compression", "memory")
# Positions would change the file whenever a line moves; options and rules belong to ingest.
_LEFT_OUT: Final = frozenset({"origin", "options", "rules", "connection"})
_WINDOWS: Final[dict[str, type]] = {"tumbling": Tumbling, "sliding": Sliding, "session": Session}
_WORD: Final = re.compile(r"\w+")
_NOWHERE: Final = Origin("", Span("", 0, 0))


def to_plain(plan: Plan) -> dict[str, Any]:
    """Streams, aggregates and queries of a plan as JSON-like values; what equals its default is left out."""
    return {
        "timezone": plan.runtime.timezone,
        **{name: _plain(getattr(plan.runtime, name)) for name in _RUNTIME},
        "streams": [_plain(s) for s in plan.streams],
        "aggregates": [_plain(a) for a in plan.aggregates],
        "queries": [_plain(q) for q in plan.queries],
    }


def from_plain(values: Mapping[str, Any]) -> Plan:
    """A plan with the streams and aggregates of ``to_plain``; positions and connections are gone."""
    return Plan(
        file="",
        streams=tuple(_node(Stream, s) for s in values["streams"]),
        aggregates=tuple(_node(Aggregate, a) for a in values["aggregates"]),
        queries=tuple(_node(Query, q) for q in values["queries"]),
        runtime=_node(Runtime, {name: values[name] for name in ("timezone", *_RUNTIME) if name in values}),
    )


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value of a node
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kind = next((k for k, t in _WINDOWS.items() if type(value) is t), None)
        return ({"kind": kind} if kind else {}) | {
            f.name: _plain(v)
            for f in dataclasses.fields(value)
            if f.name not in _LEFT_OUT and not _is_default(f, v := getattr(value, f.name))
        }
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value


def _is_default(field: dataclasses.Field[Any], value: object) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(value == field.default_factory())
    return field.default is not dataclasses.MISSING and bool(value == field.default)


def _node(kind: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any kind of node
    hints = typing.get_type_hints(kind)
    given = {name: _value(hints[name], value) for name, value in values.items() if name != "kind"}
    return kind(**({"origin": _NOWHERE} if "origin" in hints else {}), **given)


def _value(hint: Any, value: Any) -> Any:  # noqa: ANN401 - any field of a node
    if isinstance(value, Mapping) and "kind" in value:
        return _node(_WINDOWS[value["kind"]], value)
    if isinstance(value, list):
        of = typing.get_args(hint)
        inner = of[0] if of else Any
        return tuple(_value(inner, v) for v in value)
    if isinstance(value, Mapping) and dataclasses.is_dataclass(hint):
        return _node(hint, value)
    return value


def definition(plan: Plan, aggregate: Aggregate) -> int:
    """A number that changes when rows computed before would be different today; positions and pace do not count.

    The horizon of duplicates is left out: it grows with windows of other aggregates, and history would be thrown away
    and computed anew for duplicates that hardly ever are.
    """
    stream = plan.stream(aggregate.stream)
    columns = [[c.name, c.type, stream.expressions.get(c.name)] for c in columns_read(stream, aggregate)]
    what = (
        dataclasses.replace(aggregate, update_frequency=0, group=""),
        columns,
        "newest image" if stream.changes else stream.dedup_key if stream.deduplicate else (),
        plan.runtime.timezone if local_days(aggregate) else None,
    )
    return int(definition_hash(what), 16)


def query_definition(plan: Plan, query: Query) -> int:
    """A number that changes when a query's result would be another one today, whatever its inputs do."""
    return int(definition_hash(list(query_parts(plain(query), plan.runtime.timezone).values())), 16)


def columns_read(stream: Stream, aggregate: Aggregate) -> tuple[Column, ...]:
    """The stream's columns that an aggregate's dimensions, metrics and conditions name."""
    conditions = [aggregate.where, *(c for m in aggregate.metrics for c in (m.where, m.numerator, m.denominator))]
    named = {*aggregate.dimensions, *(m.column for m in aggregate.metrics)}
    words = set(_WORD.findall(" ".join(c for c in conditions if c)))
    return tuple(c for c in stream.columns if c.name in named | words)


def local_days(aggregate: Aggregate) -> bool:
    """Whether the aggregate's windows are whole days, which start at local midnight."""
    match aggregate.window:
        case Tumbling(size=size):
            return size % DAY == 0
        case Sliding(size=size, slide=slide):
            return size % DAY == 0 and slide % DAY == 0
        case _:
            return False
