"""How a query takes the values of a column: as numbers to compute with, compared with a number, or as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tusk_platform.plan.query_drafts import ColumnUse

if TYPE_CHECKING:
    from sqlglot import exp

# Aggregate functions of numbers that the parser knows by name only.
_OF_NUMBERS: Final = frozenset({"QUANTILE_CONT", "QUANTILE_DISC", "MAD", "KURTOSIS", "SKEWNESS", "FSUM", "FAVG"})


def use_of(column: exp.Expr) -> ColumnUse:
    """The use of one mention of a column."""
    from sqlglot import exp  # noqa: PLC0415 - a third of a second, and most configs hold no query

    node: exp.Expr = column
    around = node.parent
    while around is not None and _passes_on(node, around):
        node, around = around, around.parent
    use: ColumnUse = "any"
    if isinstance(around, exp.Min | exp.Max):
        use = "extreme"
    elif isinstance(around, _computing()):
        use = "number"
    elif isinstance(around, exp.Anonymous):
        use = "number" if str(around.this).upper() in _OF_NUMBERS else "any"
    elif isinstance(around, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod | exp.IntDiv):
        use = (
            "any" if isinstance(around.expression, exp.Interval) or isinstance(around.this, exp.Interval) else "number"
        )
    elif isinstance(around, exp.Coalesce | exp.Greatest | exp.Least | exp.Nullif):
        use = "compared" if any(_is_number(e) for e in around.iter_expressions()) else "any"
    elif isinstance(around, exp.Binary | exp.Between | exp.In | exp.Is) and isinstance(around, exp.Predicate):
        others = [e for e in around.iter_expressions() if e is not node]
        if any(isinstance(e, exp.Boolean) for e in others):
            use = "boolean"
        elif any(_is_number(e) for e in others):
            use = "compared"
    return use


def is_aggregated(column: exp.Expr, select: exp.Select) -> bool:
    """Whether a mention stands inside an aggregate function of its SELECT."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    node = column.parent
    while node is not None and node is not select:
        if isinstance(node, exp.AggFunc):
            return True
        node = node.parent
    return False


def _passes_on(node: exp.Expr, around: exp.Expr) -> bool:
    """Whether what stands around gives the value on as it is: ``(x)``, ``-x``, the x of ``CASE WHEN y THEN x END``."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    if isinstance(around, exp.Paren | exp.Neg | exp.Distinct | exp.Filter):
        return around.this is node or isinstance(around, exp.Distinct)
    if isinstance(around, exp.If):
        return node.arg_key in {"true", "false"}
    if isinstance(around, exp.Case):
        return node.arg_key in {"ifs", "default"}
    if isinstance(around, exp.Coalesce):
        # Beside a number it is one itself, whatever comes of it.
        return not any(_is_number(e) for e in around.iter_expressions())
    return False


def _computing() -> tuple[type[exp.Expr], ...]:
    from sqlglot import exp  # noqa: PLC0415 - as above

    return (
        exp.Sum, exp.Avg, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop, exp.Median,
        exp.PercentileCont, exp.Quantile, exp.ApproxQuantile, exp.Corr, exp.Round, exp.Abs, exp.Ceil, exp.Floor,
        exp.Sqrt, exp.Pow, exp.Ln, exp.Log, exp.Exp, exp.Sign, exp.Trunc,
    )  # fmt: skip


def _is_number(node: exp.Expr) -> bool:
    from sqlglot import exp  # noqa: PLC0415 - as above

    node = node.unnest()
    if isinstance(node, exp.Neg):
        node = node.this
    if isinstance(node, exp.Literal):
        return not node.is_string
    if isinstance(node, exp.Sum | exp.Avg | exp.Count):
        return True
    return (
        isinstance(node, exp.Binary)
        and not isinstance(node, exp.Predicate)
        and any(_is_number(e) for e in node.iter_expressions())
    )
