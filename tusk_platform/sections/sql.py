"""SQL in the config: a condition or an expression over one row, and the SELECT of an ``@query``; syntax only."""

from __future__ import annotations

from typing import Annotated, Any, Final

from tusk_platform.plan.drafts import Mention, Use
from tusk_platform.sections.fields import (
    Parsed,
    Query,
    came,
    misplaced,
    wrong,
)
from tusk_platform.sections.query_tree import DIALECT, position, refused

_EXAMPLE: Final = 'such as `"country = \'DE\'"` or `"quantity * unit_price"`'
_QUERY_EXAMPLE: Final = '`@query("SELECT ... FROM ...")`'


def _row_sql(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise wrong(f"expected SQL over the columns of a row, got {came(value)}", misplaced(value) or _EXAMPLE)
    from sqlglot import exp  # noqa: PLC0415 - a third of a second, and most configs hold no SQL of this kind

    tree = _parsed(value, "duckdb")
    if not isinstance(tree, exp.Condition) or isinstance(tree, exp.Query):
        raise wrong(f"expected an expression over the columns of a row, got {came(value)}", _EXAMPLE)
    if tree.find(exp.Select):
        raise wrong("a query stands inside an expression over one row", _EXAMPLE)
    if tree.find(exp.AggFunc, exp.Window):
        raise wrong("a function over many rows stands in an expression over one row", _EXAMPLE)
    return value


def _query(value: object) -> Query:
    if not isinstance(value, Query):
        raise wrong(f"expected a query, got {came(value)}", misplaced(value) or f"write {_QUERY_EXAMPLE}")
    if not value.sql.strip():
        raise wrong("expected SQL, got empty text", f"write {_QUERY_EXAMPLE}")
    from sqlglot import exp  # noqa: PLC0415 - as above

    tree = _parsed(value.sql, DIALECT)
    if not isinstance(tree, exp.Query):
        raise wrong("expected a SELECT", f"write {_QUERY_EXAMPLE}")
    if (no := refused(tree)) is not None:
        raise wrong(no.message, no.hint, offset=position(value.sql, no.node))
    return value


def _parsed(sql: str, dialect: str) -> Any:  # noqa: ANN401 - sqlglot's tree; its type would import it for every config
    import sqlglot  # noqa: PLC0415 - as above
    from sqlglot.errors import ParseError, SqlglotError  # noqa: PLC0415 - as above

    try:
        trees = [tree for tree in sqlglot.parse(sql, dialect=dialect) if tree is not None]
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        word = str(first.get("highlight") or "")
        line, column = first.get("line") or 1, (first.get("col") or 1) - max(len(word), 1) + 1
        where = f" at `{word}`" if word.strip() and len(word) <= 40 and word.isprintable() else ""
        raise wrong(
            f"this SQL cannot be read{where}", _plain(first), offset=(line, max(column, 1), max(len(word), 1))
        ) from None
    except (SqlglotError, RecursionError):
        raise wrong("this SQL cannot be read", "a quote may be left open, or it is nested too deeply") from None
    if len(trees) != 1:
        raise wrong(f"expected one statement, got {len(trees) or 'none'}")
    return trees[0]


def _plain(found: dict[str, Any]) -> str:
    """The parser's own words, where they are words for a person."""
    description = str(found.get("description") or "").rstrip(".")
    if not description or "<" in description:
        return "something is missing before or after it"
    waiting = description.removeprefix("Expecting ")
    return f"expected `{waiting}` before it" if waiting != description else description[0].lower() + description[1:]


RowSql = Annotated[str, Parsed(_row_sql)]
QuerySql = Annotated[Query, Parsed(_query)]


def mentions(*conditions: str | None) -> tuple[Mention, ...]:
    """The columns that conditions or expressions over a row read, and whether as numbers."""
    found: dict[str, Use] = {}
    for sql in filter(None, conditions):
        from sqlglot import exp, parse_one  # noqa: PLC0415 - as above

        for column in parse_one(sql, dialect="duckdb").find_all(exp.Column):
            use = _use(column)
            if use != "any" or column.name not in found:
                found[column.name] = use
    return tuple(Mention(name, use) for name, use in found.items())


def _use(column: Any) -> Use:  # noqa: ANN401 - as above
    from sqlglot import exp  # noqa: PLC0415 - as above

    around = column.parent
    while isinstance(around, exp.Paren):
        around = around.parent
    if isinstance(around, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod | exp.Neg):
        return "number"
    numbers = (
        any(isinstance(node, exp.Literal) and not node.is_string for node in around.find_all(exp.Literal))
        if around
        else False
    )
    return "compared" if isinstance(around, exp.Predicate) and numbers else "any"
