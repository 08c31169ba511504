"""Which column each name of a query means: of which table, the event time, or an output of the same SELECT."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tusk_platform.errors import Problem, Span, nearest
from tusk_platform.plan.columns import StreamColumns
from tusk_platform.plan.metrics import is_duration
from tusk_platform.plan.names import normal
from tusk_platform.plan.query_drafts import ColumnUse, Meaning, QueryColumn, QueryDraft, QuerySelect, Table
from tusk_platform.plan.rules import ROLE_NAMES, is_money

# Columns of every stream's clean rows beside its own.
LINEAGE: Final = ("_event_time", "_ingested_at", "_partition", "_offset", "_batch", "_watermark", "_extra")
_TIMES: Final = frozenset(normal(n) for n in ROLE_NAMES["event_time"])
_KEPT: Final = Meaning("kept")

Place = tuple[int, int]
"""A table of a query: number of the SELECT, number of the table in it."""


@dataclass(slots=True)
class QueryReading:
    """The names of one query, resolved one after the other; what streams lack is added to them.

    ``named`` gives the columns that an aggregate has, ``others`` the readings of the queries it reads.
    """

    draft: QueryDraft
    tables: tuple[tuple[Table | None, ...], ...]
    streams: Mapping[str, StreamColumns]
    named: Callable[[str], tuple[str, ...]]
    others: Mapping[str, QueryReading]
    meanings: list[Meaning] = field(default_factory=list)
    places: dict[int, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    times: set[tuple[str, str]] = field(default_factory=set)

    def read(self) -> None:
        """Resolve every name: what says its table first, so that the others find the columns it brings."""
        self.meanings = [_KEPT for _ in self.draft.columns]
        for number, select in enumerate(self.draft.selects):
            self._check_aliases(select)
            for column in select.using:
                for index in range(len(select.tables)):
                    self.find((number, index), column.name, "any", add=True)
            own = [n for n, c in enumerate(self.draft.columns) if c.select == number]
            for n in sorted(own, key=lambda n: not self.draft.columns[n].table):
                self.meanings[n] = self._meaning(n, self.draft.columns[n])
        self._check_circles()

    def find(self, place: Place, name: str, use: ColumnUse, *, add: bool) -> Meaning | None:
        """What a name means in one table; None where the table has no such column. ``add``: it is used, or added."""
        table, known = self.draft.selects[place[0]].tables[place[1]], self.tables[place[0]][place[1]]
        if table.opaque:
            return _KEPT
        if table.select is not None:
            return self.output(table.select, name, use, add=add)
        if known is None:
            return _KEPT  # what it is was asked already
        match known.kind:
            case "stream":
                return self._of_stream(self.streams[known.name], name, use, add=add)
            case "aggregate":
                return _among(self.named(known.name), name)
            case "query":
                other = self.others.get(known.name)
                return other.output(other.draft.result, name, use, add=add) if other else _KEPT

    def output(self, number: int, name: str, use: ColumnUse, *, add: bool) -> Meaning | None:
        """What a name means among the outputs of a SELECT; its use is handed on to the column behind it."""
        for output in self.draft.selects[number].outputs:
            if not output.star and output.name.lower() == name.lower():
                if add and output.column in self.places and use != "any":
                    self.find(self.places[output.column], self.draft.columns[output.column].name, use, add=True)
                return Meaning("column", output.name)
        for place in self.starred(number):
            if (found := self.find(place, name, use, add=add)) is not None:
                return Meaning("column", self._shown(place, found) or name)
        return None

    def is_open(self, place: Place) -> bool:
        """Whether a table gains the columns that are asked of it: a stream of free events without a schema."""
        table, known = self.draft.selects[place[0]].tables[place[1]], self.tables[place[0]][place[1]]
        if table.select is not None:
            return any(self.is_open(p) for p in self.starred(table.select))
        if known is None or known.kind == "aggregate":
            return False
        if known.kind == "stream":
            return not _closed(self.streams[known.name])
        other = self.others.get(known.name)
        return other is not None and any(other.is_open(p) for p in other.starred(other.draft.result))

    def names(self, place: Place) -> tuple[str, ...]:
        """The columns that a table has as far as they are known."""
        table, known = self.draft.selects[place[0]].tables[place[1]], self.tables[place[0]][place[1]]
        if table.select is not None:
            return self.output_names(table.select)
        if known is None:
            return ()
        if known.kind == "stream":
            return self.streams[known.name].names
        other = self.others.get(known.name)
        if known.kind == "query":
            return other.output_names(other.draft.result) if other else ()
        return self.named(known.name)

    def output_names(self, number: int) -> tuple[str, ...]:
        """Names of a SELECT's outputs, stars spelt out."""
        found: list[str] = []
        for output in self.draft.selects[number].outputs:
            if output.star:
                found += [n for place in self.starred(number, output.table) for n in self.names(place)]
            else:
                found.append(output.name)
        return tuple(found)

    def starred(self, number: int, table: str | None = None) -> list[Place]:
        """The tables whose columns a star stands for: of the table that it names, or else every star of the SELECT."""
        select = self.draft.selects[number]
        stars = [o.table for o in select.outputs if o.star] if table is None else [table]
        return [
            (number, n) for star in stars for n, t in enumerate(select.tables) if star.lower() in {"", t.alias.lower()}
        ]

    def _shown(self, place: Place, found: Meaning) -> str:
        """Under which name a star shows a column of a table."""
        known = self.tables[place[0]][place[1]]
        if found.kind == "time" and known is not None:
            return self.streams[known.name].roles.get("event_time") or ""
        return found.name

    # -- One name ------------------------------------------------------------------------------------------------------

    def _meaning(self, number: int, column: QueryColumn) -> Meaning:
        if column.table:
            return self._qualified(number, column)
        output = self._as_output(column)
        if output is not None:
            return output
        select: int | None = column.select
        while select is not None:
            meaning = self._in_select(number, column, select)
            if meaning is not None:
                return meaning
            select = self.draft.selects[select].outer
        own = self.draft.selects[column.select]
        known = [n for i in range(len(own.tables)) for n in self.names((column.select, i))]
        known += [o.name for o in own.outputs if not o.star and not _same(o.name, column.name)]
        return self._refuse(
            column.span, f"there is no column `{column.name}`{self._of(own)}", nearest(column.name, known)
        )

    def _qualified(self, number: int, column: QueryColumn) -> Meaning:
        select: int | None = column.select
        while select is not None:
            for index, table in enumerate(self.draft.selects[select].tables):
                if table.alias.lower() == column.table.lower():
                    place = (select, index)
                    found = self.find(place, column.name, column.use, add=True)
                    if found is None:
                        known = nearest(column.name, self.names(place))
                        return self._refuse(column.span, f"`{table.alias}` has no column `{column.name}`", known)
                    return self._taken(number, place, column, found)
            select = self.draft.selects[select].outer
        aliases = [t.alias for t in self.draft.selects[column.select].tables]
        return self._refuse(column.span, f"`{column.table}` is no table of this SELECT", nearest(column.table, aliases))

    def _as_output(self, column: QueryColumn) -> Meaning | None:
        """The output of the same SELECT that a bare name means; None where it is a column of a table."""
        select = self.draft.selects[column.select]
        index = next((i for i, o in enumerate(select.outputs) if not o.star and _same(o.name, column.name)), None)
        if index is None or not select.outputs[index].named:
            return None
        output = Meaning("output", select.outputs[index].name, index)
        if column.clause in {"order", "having"} and not column.aggregated:
            return _KEPT if column.clause == "order" and column.alone else output
        if self._is_fixed(column) or self._means_itself(column, index):
            return None
        if column.clause in {"where", "from"}:
            if normal(column.name) in _TIMES:
                return None
            if select.outputs[index].aggregates:
                return self._refuse(
                    column.span,
                    f"`{column.name}` is known only once the rows are grouped: {select.outputs[index].text}",
                    "put this condition into `HAVING`",
                )
        return output

    def _is_fixed(self, column: QueryColumn) -> bool:
        """Whether a table has the column whatever is asked of it, so that the name cannot be an output's."""
        for index in range(len(self.draft.selects[column.select].tables)):
            place = (column.select, index)
            known = self.tables[place[0]][index]
            if known is not None and known.kind == "stream":
                if _fixed(self.streams[known.name], column.name):
                    return True
            elif not self.is_open(place) and self.find(place, column.name, "any", add=False) not in {None, _KEPT}:
                return True
        return False

    def _means_itself(self, column: QueryColumn, index: int) -> bool:
        """Whether an output's own expression has its name in it: then that is a column, as in ``a * 2 AS a``."""
        return any(
            c.output == index and c.select == column.select and not c.table and _same(c.name, column.name)
            for c in self.draft.columns
        )

    def _in_select(self, number: int, column: QueryColumn, select: int) -> Meaning | None:
        places = [(select, index) for index in range(len(self.draft.selects[select].tables))]
        knowing = [p for p in places if self.find(p, column.name, "any", add=False) is not None]
        if any(_same(u.name, column.name) for u in self.draft.selects[select].using):
            return _KEPT
        if not knowing and select == column.select:
            knowing = [p for p in places if self.is_open(p)]
        if not knowing:
            return None
        if len(knowing) > 1:
            aliases = [self.draft.selects[select].tables[p[1]].alias for p in knowing]
            listed = " or ".join(f"`{a}.{column.name}`" for a in aliases)
            return self._refuse(column.span, f"`{column.name}` may be of several tables", f"say which: {listed}")
        found = self.find(knowing[0], column.name, column.use, add=True)
        return self._taken(number, knowing[0], column, found or _KEPT)

    def _taken(self, number: int, place: Place, column: QueryColumn, found: Meaning) -> Meaning:
        self.places[number] = place
        known = self.tables[place[0]][place[1]]
        if found.kind == "time" and known is not None:
            self.times.add((column.name, known.name))
        return found

    def _of_stream(self, columns: StreamColumns, name: str, use: ColumnUse, *, add: bool) -> Meaning | None:
        if name.startswith("_"):
            return _among(LINEAGE, name)
        time = columns.roles.get("event_time")
        own_time = time is not None and normal(name) == normal(time)
        if own_time and columns.column_type(time or "") == "timestamp":
            return Meaning("time")
        if normal(name) in _TIMES and not _fixed(columns, name) and not own_time:
            return Meaning("time")
        if not columns.has(name) and (_closed(columns) or not add):
            return None
        return Meaning("column", columns.add(name, _settled(name, use)) if add else name)

    # -- Mistakes ------------------------------------------------------------------------------------------------------

    def _refuse(self, span: Span, message: str, hint: str = "") -> Meaning:
        if all(p.message != message for p in self.problems):
            self.problems.append(Problem(span, self.draft.origin.key, message, hint))
        return _KEPT

    def _of(self, select: QuerySelect) -> str:
        aliases = [t.name or t.alias for t in select.tables]
        return f" in {', '.join(f'`{a}`' for a in aliases)}" if aliases else ""

    def _check_aliases(self, select: QuerySelect) -> None:
        seen: set[str] = set()
        for table in select.tables:
            if table.alias.lower() in seen:
                self._refuse(table.span, f"two tables are called `{table.alias}`", "give one another name: `AS`")
            seen.add(table.alias.lower())

    def _check_circles(self) -> None:
        """Refuse outputs that are defined by each other."""
        needs: dict[Place, set[int]] = {}
        for column, meaning in zip(self.draft.columns, self.meanings, strict=True):
            if meaning.kind == "output" and column.output is not None:
                needs.setdefault((column.select, column.output), set()).add(meaning.output)
        for (select, output), first in needs.items():
            reached, todo = set[int](), set(first)
            while todo:
                reached |= todo
                todo = {n for r in todo for n in needs.get((select, r), ())} - reached
            if output in reached:
                found = self.draft.selects[select].outputs[output]
                self._refuse(found.span, f"`{found.name}` is defined by itself", "name a column of the table there")
                return


def _closed(columns: StreamColumns) -> bool:
    return bool(columns.draft.schema) or not columns.draft.facts.free_form


def _fixed(columns: StreamColumns, name: str) -> bool:
    """Whether the stream has a column of that name whatever its readers say."""
    stated: Iterable[str] = (*columns.draft.schema, *(n for n, _ in columns.draft.facts.columns), *columns.draft.derive)
    return normal(name) in {normal(n) for n in stated} or (_closed(columns) and columns.has(name))


def _settled(name: str, use: ColumnUse) -> str:
    """A least or greatest is one of numbers where the name says so; of words it is as good."""
    return use if use != "extreme" else ("number" if is_money(name) or is_duration(name) else "any")


def _among(names: Iterable[str], name: str) -> Meaning | None:
    found = next((n for n in names if _same(n, name)), None)
    return Meaning("column", found) if found else None


def _same(a: str, b: str) -> bool:
    return a.lower() == b.lower()
