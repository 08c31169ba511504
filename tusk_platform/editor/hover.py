"""What stands at a position, explained: of a key its kind, default and example, of a name what the plan makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tusk_platform.editor.allowed import key_at
from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.completion import documentation
from tusk_platform.editor.names import Declared, definition
from tusk_platform.editor.places import Path, Place, place_at
from tusk_platform.errors import Span
from tusk_platform.generate.reference_values import sentence
from tusk_platform.plan.learning import Model
from tusk_platform.plan.nodes import Aggregate, Plan, Query, Stream, Widget
from tusk_platform.plan.words import aggregate_words, cadence_words, input_words, metric_words
from tusk_platform.sections.block import example
from tusk_platform.sections.validate import SECTIONS
from tusk_platform.tsk.values import dotted
from tusk_platform.units import spell


@dataclass(frozen=True, slots=True)
class Hover:
    """An explanation as Markdown, and the offsets of what it explains."""

    text: str
    start: int
    end: int


def hover(buffer: Buffer, line: int, column: int) -> Hover | None:
    """What is known of what stands at a line and column, both from 1; None where there is nothing to say."""
    place = place_at(buffer, line, column)
    if place.start == place.end or place.role in {"comment", "nothing", "argument"}:
        return None
    parts = list(_of_key(place, buffer)) if place.role in {"key", "header"} else []
    found = definition(place.path, place.text, buffer)
    if found is not None:
        parts += _of_name(found, buffer)
    elif place.role in {"value", "item"}:
        parts += _of_key(place, buffer)
    parts += _of_plan(place.path, buffer.compiled.plan)
    return Hover("\n\n".join(dict.fromkeys(parts)), place.start, place.end) if parts else None


def declaration(buffer: Buffer, line: int, column: int) -> Span | None:
    """Where the name at a line and column is declared; None where none stands there."""
    place = place_at(buffer, line, column)
    if place.start == place.end:
        return None
    found = definition(place.path, place.text, buffer)
    return found.span if found else None


def _of_key(place: Place, buffer: Buffer) -> Iterator[str]:
    path = place.path if key_at(place.path, buffer.data) or place.role in {"key", "header"} else place.path[:-1]
    if len(path) == 1 and path[0] in SECTIONS:
        yield f"**{path[0]}**: section"
        yield sentence(SECTIONS[str(path[0])].__doc__)
    elif key := key_at(path, buffer.data):
        yield f"**{key.name}**"
        yield documentation(key)
        if line := example(key.name, key.field):
            yield f"```tsk\n{line}\n```"


def _of_name(found: Declared, buffer: Buffer) -> Iterator[str]:
    of = f" of `{found.owner}`" if found.owner else ""
    yield f"**{found.name}**: {found.kind}{of}"
    yield from _of_node(found, buffer.compiled.plan)
    yield from _of_plan(found.path, buffer.compiled.plan)


def _of_node(found: Declared, plan: Plan) -> Iterator[str]:
    """What the plan makes of a thing."""
    match found.kind:
        case "stream":
            yield from (line for s in plan.streams if s.name == found.name for line in _stream(s))
        case "metric":
            metrics = (m for a in plan.aggregates if a.name == found.owner for m in a.metrics if m.name == found.name)
            yield from (f"`{metric_words(m)}`, {m.type}" for m in metrics)
        case "query":
            yield from (line for q in plan.queries if q.name == found.name for line in _query(q))
        case "model":
            yield from (_model(m) for m in plan.models if m.name == found.name)
        case "widget":
            key = dotted(found.path)
            yield from (_widget(w) for d in plan.dashboards for w in d.widgets if w.origin.key == key)
        case _:
            key = dotted(found.path)
            aggregates = (a for a in plan.aggregates if a.origin.key == key or a.name == found.name)
            yield from (line for a in aggregates for line in _aggregate(a))


def _of_plan(path: Path, plan: Plan) -> Iterator[str]:
    """What was inferred where a key is left open, and what of it is not active."""
    key, of_item = dotted(path), ".".join(map(str, path))
    for a in plan.assumptions:
        if not {key, of_item}.isdisjoint((a.key, a.says)):
            by = f"; `{a.says.rpartition('.')[2]}` would say it" if a.says and a.says != key else ""
            yield f"*Inferred:* {a.decision} ({a.rule}{by})"
    for i in plan.inactive:
        if key == i.key or key.startswith(f"{i.key}."):
            yield f"*Not active:* {i.reason}"


def _stream(s: Stream) -> Iterator[str]:
    through = f"through connection `{s.connection}`" if s.connection else f"embedded (`{s.adapter}`)"
    yield f"`{s.table}`, from `{s.source}`, {through}; event time `{s.event_time}`"
    yield "columns: " + ", ".join(f"`{c.name}` {c.type}" for c in s.columns)


def _aggregate(a: Aggregate) -> Iterator[str]:
    yield f"`{a.table}`: {aggregate_words(a)}, refreshed every {spell(a.update_frequency)}"
    yield "metrics: " + ", ".join(f"`{name}`" for name in ("event_count", *(m.name for m in a.metrics)))


def _query(q: Query) -> Iterator[str]:
    yield f"`{q.table}` reads " + ", ".join(f"`{i.table}`" for i in q.inputs)
    yield "columns: " + ", ".join(f"`{c.name}` {c.type}" for c in q.columns)


def _model(m: Model) -> str:
    return f"`{m.table}`: {m.algorithm} on {input_words(m.learns_from)}, trained {cadence_words(m.retrain)}"


def _widget(w: Widget) -> str:
    return f"{w.type} of {w.kind} `{w.source}`" + (f", metric `{w.metric}`" if w.metric else "")
