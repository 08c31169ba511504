"""What a table's name in a query means: the rules, in their order."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tusk_platform.plan.names import plural, singular
from tusk_platform.plan.query_drafts import Table
from tusk_platform.plan.rules import Rule

# Below this likeness a name that is not known is taken for a type of event, not for a misspelling.
_MISSPELT: Final = 0.8
SCHEMAS: Final = ("clean", "agg", "query")


@dataclass(frozen=True, slots=True)
class WhichTable:
    """A name in a FROM, the schema before it if any, and everything that it may mean.

    ``event_stream`` is the stream that the types of events are read from, if there is one.
    """

    name: str
    schema: str
    streams: tuple[str, ...]
    aggregates: tuple[str, ...]
    queries: tuple[str, ...]
    event_types: tuple[str, ...]
    event_stream: str | None

    @property
    def known(self) -> tuple[str, ...]:
        """Every name that is declared, as it may be written in a FROM."""
        if self.schema in SCHEMAS:
            return dict(zip(SCHEMAS, (self.streams, self.aggregates, self.queries), strict=True))[self.schema]
        types = tuple(plural(t) for t in self.event_types) if self.event_stream else ()
        return (*self.streams, *self.aggregates, *self.queries, *types)


def _said(q: WhichTable) -> Table | None:
    match q.schema:
        case "clean" if q.name in q.streams:
            return Table("stream", q.name)
        case "agg" if q.name in q.aggregates:
            return Table("aggregate", q.name)
        case "query" if q.name in q.queries:
            return Table("query", q.name)
    return None


def _exact(q: WhichTable) -> Table | None:
    if q.schema:
        return None
    if q.name in q.streams:
        return Table("stream", q.name)
    if q.name in q.aggregates:
        return Table("aggregate", q.name)
    return Table("query", q.name) if q.name in q.queries else None


def _events(q: WhichTable, event_type: str) -> Table | None:
    return Table("stream", q.event_stream, event_type) if q.event_stream else None


def _event_type(q: WhichTable) -> Table | None:
    forms = {q.name.lower(), singular(q.name.lower())}
    found = next((t for t in q.event_types if t.lower() in forms), None)
    return _events(q, found) if found and not q.schema else None


def _type_of_that_name(q: WhichTable) -> Table | None:
    if not q.name.isidentifier():
        return None  # a file or the like, which no sender calls its events
    near = difflib.get_close_matches(q.name.lower(), [n.lower() for n in q.known], n=1, cutoff=_MISSPELT)
    return None if near or q.schema else _events(q, singular(q.name.lower()))


WHICH_TABLE: Final[tuple[Rule[WhichTable], ...]] = (
    Rule("said by its schema", _said, explicit=True),
    Rule("a stream, an aggregate or a query of that name", _exact, explicit=True),
    Rule("a type of event, in singular or plural", _event_type),
    Rule("events of the singular of that name", _type_of_that_name),
)


def in_order(needs: dict[str, tuple[str, ...]]) -> tuple[list[str], list[tuple[str, ...]]]:
    """Names so that each comes after those it needs, and the circles among them, which have no order."""
    done: list[str] = []
    circles: list[tuple[str, ...]] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circles.append(path[path.index(name) :])
        elif name not in done:
            for need in needs[name]:
                visit(need, (*path, name))
            done.append(name)

    for name in needs:
        visit(name, ())
    return list(dict.fromkeys(done)), [c for n, c in enumerate(circles) if not _seen(c, circles[:n])]


def _seen(circle: tuple[str, ...], before: Iterable[tuple[str, ...]]) -> bool:
    return any(set(circle) == set(other) for other in before)
