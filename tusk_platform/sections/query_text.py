"""From the text of an ``@query`` to its draft: every name in it, how it is used, and where in the file it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tusk_platform.errors import Span
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.query_drafts import (
    Clause,
    QueryBound,
    QueryColumn,
    QueryDraft,
    QueryOutput,
    QuerySelect,
    QueryTable,
)
from tusk_platform.sections.query_now import back_from_now, is_now
from tusk_platform.sections.query_tree import DIALECT, Tree, grown, position
from tusk_platform.sections.query_uses import is_aggregated, use_of
from tusk_platform.sections.wording import Query, inside

if TYPE_CHECKING:
    from sqlglot import exp

_CLAUSES: dict[str, Clause] = {
    "expressions": "select", "where": "where", "group": "group", "having": "having", "qualify": "having",
    "order": "order", "joins": "from", "from_": "from",
}  # fmt: skip


def draft(name: str, query: Query, origin: Origin) -> QueryDraft:
    """The draft of a query whose text was found to be one."""
    import sqlglot  # noqa: PLC0415 - a third of a second, and most configs hold no query
    from sqlglot import exp  # noqa: PLC0415 - as above

    root = sqlglot.parse_one(query.sql, dialect=DIALECT)
    assert isinstance(root, exp.Query)  # noqa: S101 - so it was found when it was validated
    tree = grown(root)
    places = _Places(query, origin)
    numbers = {id(column): n for n, column in enumerate(tree.columns)}
    spans = [back for node in root.walk() if (back := back_from_now(node)) is not None]
    return QueryDraft(
        name,
        query.sql,
        origin,
        selects=tuple(_select(tree, n, places, numbers) for n in range(len(tree.selects))),
        columns=tuple(_column(tree, n, places) for n in range(len(tree.columns))),
        bounds=tuple(b for select in tree.selects for b in _bounds(select, numbers)),
        result=tree.result,
        uses_now=any(is_now(node) for node in root.walk()),
        back=max(spans, default=None),
    )


class _Places:
    """Positions of nodes in the file."""

    def __init__(self, query: Query, origin: Origin) -> None:
        self._query = query
        self._origin = origin

    def of(self, node: exp.Expr) -> Span:
        """Where a node stands, or else the whole query."""
        found = position(self._query.sql, node)
        if found is None or self._query.text is None:
            return self._origin.span
        return inside(self._query.text, self._query.sql, found) or self._origin.span


def _select(tree: Tree, number: int, places: _Places, numbers: dict[int, int]) -> QuerySelect:
    select = tree.selects[number]
    outputs: list[QueryOutput] = []
    for item in select.expressions:
        outputs.append(_output(item, places, numbers, taken={o.name.lower() for o in outputs}))
    joins = select.args.get("joins") or []
    return QuerySelect(
        tables=tuple(_table(tree, alias, node, places) for alias, node in tree.sources[number]),
        outputs=tuple(outputs),
        outer=tree.outer[number],
        using=tuple(
            QueryColumn(i.name, places.of(i), number, "from") for join in joins for i in join.args.get("using") or []
        ),
    )


def _table(tree: Tree, alias: str, node: exp.Expr, places: _Places) -> QueryTable:
    from sqlglot import exp  # noqa: PLC0415 - as above

    inner = tree.inner.get(id(node))
    if inner is not None:
        return QueryTable(alias, places.of(node), select=inner)
    if isinstance(node, exp.Table):
        return QueryTable(alias, places.of(node.this), node.name, node.db)
    return QueryTable(alias, places.of(node), opaque=True)


def _output(item: exp.Expr, places: _Places, numbers: dict[int, int], taken: set[str]) -> QueryOutput:
    from sqlglot import exp  # noqa: PLC0415 - as above

    value = item.unalias()
    text = " ".join(value.sql().split())
    if item.is_star:
        return QueryOutput("*", text, places.of(item), star=True, table=getattr(item, "table", ""))
    aggregates = value.find(exp.AggFunc, exp.Window) is not None
    column = numbers.get(id(value))
    if isinstance(item, exp.Alias):
        alias = item.args["alias"]
        return QueryOutput(item.alias, text, places.of(alias), aggregates=aggregates, column=column)
    if isinstance(item, exp.Column):
        return QueryOutput(item.name, text, places.of(item), column=column)
    name = _named_by(value)
    name = next(n for n in (name, *(f"{name}_{i}" for i in range(2, 10_000))) if n not in taken)
    return QueryOutput(name, text, places.of(item), named=False, aggregates=aggregates)


def _named_by(value: exp.Expr) -> str:
    """A name for a value that was given none: ``COUNT(*)`` is ``count``, ``SUM(amount)`` is ``sum_amount``."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    function = value.name if isinstance(value, exp.Anonymous) else value.key if isinstance(value, exp.Func) else "value"
    of = value.find(exp.Column)
    name = f"{function}_{of.name}" if of is not None else function
    return re.sub(r"\W+", "_", name.lower()).strip("_") or "value"


def _column(tree: Tree, number: int, places: _Places) -> QueryColumn:
    from sqlglot import exp  # noqa: PLC0415 - as above

    column, owner = tree.columns[number], tree.owners[number]
    select = tree.selects[owner]
    item: exp.Expr = column
    while item.parent is not select:
        assert item.parent is not None  # noqa: S101 - the SELECT stands above it
        item = item.parent
    clause = _CLAUSES.get(item.arg_key or "", "select")
    output = next((n for n, e in enumerate(select.expressions) if e is item), None)
    around = column.parent.parent if isinstance(column.parent, exp.Ordered | exp.Alias) else column.parent
    return QueryColumn(
        column.name,
        places.of(column.this),
        owner,
        clause,
        table=column.table,
        use=use_of(column),
        output=output,
        aggregated=is_aggregated(column, select),
        alone=around is item or around is select,
    )


def _bounds(select: exp.Select, numbers: dict[int, int]) -> Iterator[QueryBound]:
    """Conditions that every row must meet, which say that one of its columns is no longer ago than a span."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    where = select.args.get("where")
    condition: Any = where.this.unnest() if where is not None else None
    for part in condition.flatten() if isinstance(condition, exp.And) else [condition]:
        test = part.unnest() if isinstance(part, exp.Paren) else part
        if isinstance(test, exp.GT | exp.GTE):
            column, least = test.this, test.expression
        elif isinstance(test, exp.LT | exp.LTE):
            column, least = test.expression, test.this
        elif isinstance(test, exp.Between):
            column, least = test.this, test.args["low"]
        else:
            continue
        # The day, hour or minute of a time is never after the time itself.
        while isinstance(column, exp.TsOrDsToDate | exp.Date | exp.Paren | exp.TimestampTrunc | exp.DateTrunc):
            column = column.this
        span = back_from_now(least)
        if span is not None and id(column) in numbers:
            yield QueryBound(numbers[id(column)], span)
