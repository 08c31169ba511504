"""A declared query as data: its SELECTs, the tables and columns they name, and where each name stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tusk_platform.errors import Span
from tusk_platform.plan.origin import Origin

Clause = Literal["select", "from", "where", "group", "having", "order"]
ColumnUse = Literal["any", "number", "compared", "boolean", "extreme"]


@dataclass(frozen=True, slots=True)
class QueryTable:
    """What stands in a FROM or JOIN: a table by name, or another SELECT of the query, by its number.

    ``opaque``: neither, rows that the query itself writes down (VALUES, UNNEST).
    """

    alias: str
    span: Span
    name: str = ""
    schema: str = ""
    select: int | None = None
    opaque: bool = False


@dataclass(frozen=True, slots=True)
class QueryColumn:
    """One mention of a column in a SELECT.

    ``use``: how its values are taken; ``extreme`` is a least or greatest. ``output`` is the number of the output whose
    expression it stands in, ``aggregated`` says that it stands inside an aggregate function, ``alone`` that it is all
    of its item.
    """

    name: str
    span: Span
    select: int
    clause: Clause
    table: str = ""
    use: ColumnUse = "any"
    output: int | None = None
    aggregated: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class QueryOutput:
    """A column of a SELECT's result. ``column`` is the mention that it is, where it is one and nothing else.

    ``star``: all columns of the SELECT's tables, or of the one in ``table``. ``text`` is what was written. ``named``
    says that the name is the writer's own, ``aggregates`` that its value needs several rows.
    """

    name: str
    text: str
    span: Span
    star: bool = False
    table: str = ""
    named: bool = True
    aggregates: bool = False
    column: int | None = None


@dataclass(frozen=True, slots=True)
class QuerySelect:
    """One SELECT. ``outer`` is the number of the one around it whose tables it sees too.

    ``using`` are the columns that a JOIN matches by name.
    """

    tables: tuple[QueryTable, ...]
    outputs: tuple[QueryOutput, ...]
    outer: int | None = None
    using: tuple[QueryColumn, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryBound:
    """A condition of a WHERE: the column with that number is at most ``span`` microseconds before now."""

    column: int
    span: int


@dataclass(frozen=True, slots=True)
class QueryDraft:
    """A declared query: its text in the config's dialect, and every name in it as it was written.

    ``result`` is the number of the SELECT whose outputs are the result's columns; ``uses_now`` says that the result
    changes as time goes by, ``back`` is the longest span before now that is written in it.
    """

    name: str
    sql: str
    origin: Origin
    selects: tuple[QuerySelect, ...] = ()
    columns: tuple[QueryColumn, ...] = ()
    bounds: tuple[QueryBound, ...] = ()
    result: int = 0
    uses_now: bool = False
    back: int | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What a name in a FROM means. ``event_type``: only those events of the stream, by its column ``type_column``."""

    kind: Literal["stream", "aggregate", "query"]
    name: str
    event_type: str | None = None
    type_column: str = ""

    @property
    def table(self) -> str:
        """The table of the lake that is read."""
        schema = {"stream": "clean", "aggregate": "agg", "query": "query"}[self.kind]
        return f"{schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a mention of a column means: a column by its own name, the event time, or an output of the same SELECT.

    ``kept``: it stays as it is written.
    """

    kind: Literal["column", "time", "output", "kept"]
    name: str = ""
    output: int = 0


@dataclass(frozen=True, slots=True)
class Starred:
    """One of the columns that a star stands for: of which table, what it means there, its name in the result."""

    alias: str
    meaning: Meaning
    name: str


@dataclass(frozen=True, slots=True)
class QueryNames:
    """A query's names resolved, by the numbers of its draft.

    ``stars`` are the columns that a star stands for, by (select, output).
    """

    tables: tuple[tuple[Table | None, ...], ...]
    columns: tuple[Meaning, ...]
    stars: Mapping[tuple[int, int], tuple[Starred, ...]] = field(default_factory=dict)


def as_written(draft: QueryDraft, names: QueryNames) -> str:  # noqa: ARG001 - a writer takes both
    """The query's own text."""
    return draft.sql
