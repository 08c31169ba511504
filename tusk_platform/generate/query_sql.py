"""A query of the config as SQL of DuckDB: the dialect translated, names put in, outputs used early written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tusk_platform.generate.query_functions import translated
from tusk_platform.plan.query_drafts import Meaning, QueryDraft, QueryNames, Table
from tusk_platform.sections.query_tree import DIALECT, Tree, grown

if TYPE_CHECKING:
    from sqlglot import exp

EVENT_TIME = "_event_time"


def query_sql(draft: QueryDraft, names: QueryNames) -> str:
    """The query over tables of the lake (``clean.user_events``), with the present as ``now()``."""
    import sqlglot  # noqa: PLC0415 - a third of a second, and most configs hold no query
    from sqlglot import exp  # noqa: PLC0415 - as above

    root = cast("exp.Query", sqlglot.parse_one(draft.sql, dialect=DIALECT))
    tree = grown(root)
    for column, meaning in zip(tree.columns, names.columns, strict=True):
        _name(column, meaning)
    _write_out(tree, draft, names)
    for number, select in enumerate(tree.selects):
        _name_outputs(select, number, draft, names)
        for (_, node), table in zip(tree.sources[number], names.tables[number], strict=True):
            if table is not None and isinstance(node, exp.Table):
                node.replace(_table(node, table))
    return translated(root).sql("duckdb", pretty=True, comments=False)


def _name(column: exp.Column, meaning: Meaning) -> None:
    """Give a column its own name; an output is written out afterwards, once all columns have theirs."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    if meaning.kind in {"column", "time"}:
        name = EVENT_TIME if meaning.kind == "time" else meaning.name
        column.set("this", exp.to_identifier(name, quoted=True))


def _write_out(tree: Tree, draft: QueryDraft, names: QueryNames) -> None:
    """Put the expression of an output in every place that names it, those of outputs in outputs first."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    done: set[tuple[int, int]] = set()

    def write(number: int, output: int | None) -> None:
        for n, (column, meaning) in enumerate(zip(draft.columns, names.columns, strict=True)):
            if meaning.kind == "output" and (column.select, column.output) == (number, output):
                if (number, meaning.output) not in done:
                    done.add((number, meaning.output))
                    write(number, meaning.output)
                value = tree.selects[number].expressions[meaning.output].unalias().copy()
                simple = isinstance(value, exp.Column | exp.Func | exp.Literal)
                tree.columns[n].replace(value if simple or column.alone else exp.Paren(this=value))

    for number, select in enumerate(draft.selects):
        for output in (*range(len(select.outputs)), None):
            if (number, output) not in done:
                write(number, output)
                if output is not None:
                    done.add((number, output))


def _name_outputs(select: exp.Select, number: int, draft: QueryDraft, names: QueryNames) -> None:
    from sqlglot import exp  # noqa: PLC0415 - as above

    items: list[exp.Expr] = []
    for index, (item, output) in enumerate(zip(select.expressions, draft.selects[number].outputs, strict=True)):
        if not output.star:
            items.append(exp.alias_(item.unalias(), output.name, quoted=True))
            continue
        for starred in names.stars.get((number, index), ()):
            name = EVENT_TIME if starred.meaning.kind == "time" else starred.meaning.name
            column = exp.column(
                exp.to_identifier(name, quoted=True), table=exp.to_identifier(starred.alias, quoted=True)
            )
            items.append(exp.alias_(column, starred.name, quoted=True))
    select.set("expressions", items)


def _table(node: exp.Table, table: Table) -> exp.Expr:
    from sqlglot import exp  # noqa: PLC0415 - as above

    schema, _, name = table.table.partition(".")
    found = exp.Table(this=exp.to_identifier(name, quoted=True), db=exp.to_identifier(schema))
    alias = exp.TableAlias(this=exp.to_identifier(node.alias_or_name, quoted=True))
    if table.event_type is None:
        found.set("alias", alias)
        return found
    of_type = exp.column(exp.to_identifier(table.type_column, quoted=True)).eq(exp.Literal.string(table.event_type))
    return exp.Subquery(this=exp.select("*").from_(found).where(of_type), alias=alias)
