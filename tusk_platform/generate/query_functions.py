"""Functions of the config's dialect that DuckDB has under another name, with other arguments, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from tusk_platform.sections.query_now import is_now

if TYPE_CHECKING:
    from sqlglot import exp

# By name and number of arguments, which are _0, _1, ...
_BY_NAME: Final[Mapping[tuple[str, int], str]] = {
    ("UNIX_TIMESTAMP", 1): "cast(epoch(cast(_0 as timestamptz)) as bigint)",
    ("WEEKDAY", 1): "isodow(cast(_0 as date)) - 1",
    # The Sunday that begins the week says year and number.
    (
        "YEARWEEK",
        1,
    ): "cast(strftime(cast(_0 as date) - cast(dayofweek(cast(_0 as date)) as integer), '%Y%U') as bigint)",
    ("YEARWEEK", 2): "yearweek(cast(_0 as date))",
    ("FIND_IN_SET", 2): "coalesce(list_position(string_split(_1, ','), _0), 0)",
    ("JSON_UNQUOTE", 1): "json_extract_string(_0, '$')",
    ("TIME_TO_SEC", 1): "cast(epoch(cast(_0 as time)) as bigint)",
    ("STRCMP", 2): "case when _0 > _1 then 1 when _0 < _1 then -1 else 0 end",
}
_WEEKS: Final[Mapping[str, str]] = {
    "0": "cast(strftime(cast(_0 as date), '%U') as bigint)",
    "1": "case when isoyear(cast(_0 as date)) = year(cast(_0 as date)) then week(cast(_0 as date)) "
    "when isoyear(cast(_0 as date)) < year(cast(_0 as date)) then 0 else 53 end",
    "3": "week(cast(_0 as date))",
}


def translated(root: exp.Expr) -> exp.Expr:
    """The tree with every such function as DuckDB has it; the present becomes ``now()``."""
    changes = _changes()
    for node in reversed(list(root.walk())):
        change = _present if is_now(node) else changes.get(type(node))
        new = change(node) if change else node
        if new is not node:
            node.replace(new)
    return root


@cache
def _changes() -> Mapping[type[exp.Expr], Callable[[Any], exp.Expr]]:
    from sqlglot import exp  # noqa: PLC0415 - a third of a second, and most configs hold no query

    return {
        exp.Anonymous: _by_name,
        # A minute that has not passed whole does not count.
        exp.TimestampDiff: lambda n: _made(
            f"date_sub('{n.args['unit'].name.lower()}', cast(_0 as timestamptz), cast(_1 as timestamptz))",
            n.expression,
            n.this,
        ),
        exp.DayOfWeek: lambda n: _made("dayofweek(cast(_0 as date)) + 1", n.this),
        exp.Week: _week,
        exp.SubstringIndex: _substring_index,
        exp.Elt: lambda n: _made("list_extract(_1, _0)", n.this, exp.Array(expressions=n.expressions)),
        exp.Sum: _of_truth,
        exp.Avg: _of_truth,
        exp.Group: _rollup,
        exp.Time: lambda n: _made("cast(_0 as time)", n.this),
    }


def _present(node: exp.Expr) -> exp.Expr:
    from sqlglot import exp  # noqa: PLC0415 - as above

    match node:
        case exp.CurrentDate():
            return _made("cast(now() as date)")
        case exp.UtcDate():
            return _made("cast(now() at time zone 'UTC' as date)")
        case exp.CurrentTime():
            return _made("cast(now() as time)")
        case exp.UtcTime():
            return _made("cast(now() at time zone 'UTC' as time)")
        case exp.Anonymous() if str(node.this).upper() == "UNIX_TIMESTAMP":
            return _made("cast(epoch(now()) as bigint)")
    return _made("now()")


def _by_name(node: exp.Anonymous) -> exp.Expr:
    from sqlglot import exp  # noqa: PLC0415 - as above

    name, arguments = str(node.this).upper(), node.expressions
    if name == "FIELD" and len(arguments) > 1:
        return _made("coalesce(list_position(_1, _0), 0)", arguments[0], exp.Array(expressions=arguments[1:]))
    if name in {"ADDDATE", "SUBDATE"} and len(arguments) == 2:
        sign = "+" if name == "ADDDATE" else "-"
        days = isinstance(arguments[1], exp.Interval)
        return _made(f"_0 {sign} {'_1' if days else 'to_days(cast(_1 as integer))'}", *arguments)
    template = _BY_NAME.get((name, len(arguments)))
    return _made(template, *arguments) if template else node


def _week(node: exp.Week) -> exp.Expr:
    template = _WEEKS.get(node.args["mode"].name if node.args.get("mode") else "0")
    return _made(template, node.this) if template else node


def _substring_index(node: exp.SubstringIndex) -> exp.Expr:
    from sqlglot import exp  # noqa: PLC0415 - as above

    count = node.args["count"]
    part = "list_slice(string_split(_0, _1), _2, -1)" if isinstance(count, exp.Neg) else "string_split(_0, _1)[1:_2]"
    return _made(f"array_to_string({part}, _1)", node.this, node.args["delimiter"], count)


def _of_truth(node: exp.Expr) -> exp.Expr:
    """A sum of conditions counts those that hold."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    if isinstance(node.this, exp.Predicate | exp.Connector | exp.Not):
        node.set("this", _made("cast(_0 as bigint)", node.this))
    return node


def _rollup(node: exp.Group) -> exp.Expr:
    """``GROUP BY a, b WITH ROLLUP`` is ``GROUP BY ROLLUP (a, b)``."""
    for rollup in node.args.get("rollup") or ():
        if not rollup.expressions:
            rollup.set("expressions", node.expressions)
            node.set("expressions", [])
    return node


def _made(template: str, *arguments: exp.Expr) -> exp.Expr:
    from sqlglot import exp  # noqa: PLC0415 - as above

    made = _parsed(template).copy()
    for column in list(made.find_all(exp.Column)):
        if column.name[:1] == "_" and column.name[1:].isdigit():
            value = arguments[int(column.name[1:])].copy()
            whole = column is made
            if isinstance(value, exp.Binary):
                value = exp.Paren(this=value)
            made = value if whole else made
            if not whole:
                column.replace(value)
    return exp.Paren(this=made) if isinstance(made, exp.Binary) else made


@cache
def _parsed(template: str) -> exp.Expr:
    import sqlglot  # noqa: PLC0415 - as above

    return sqlglot.parse_one(template, dialect="duckdb")
