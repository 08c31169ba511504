"""A metric as DuckDB SQL over the rows of one window and group."""

from __future__ import annotations

from typing import Final, assert_never

from tusk_platform.core.views import quoted
from tusk_platform.plan.nodes import ColumnType, Metric

__all__ = ["all_of", "merged_sql", "metric_sql", "partial_sql", "quoted"]

# What the SQL below gives of itself, where that is not the type the plan wants.
_SUM_TYPES: Final[dict[ColumnType, str]] = {"decimal": "decimal(38, 4)", "integer": "bigint", "double": "double"}
_QUANTILES: Final = {"p50": "0.5", "p95": "0.95", "p99": "0.99"}


def all_of(*conditions: str | None) -> str | None:
    """One condition that holds where all hold; None where there is none.

    >>> all_of("a = 1", None, "b or c")
    '(a = 1) and (b or c)'
    """
    stated = [c for c in conditions if c]
    return " and ".join(f"({c})" for c in stated) if len(stated) > 1 else next(iter(stated), None)


def metric_sql(metric: Metric, where: str | None = None) -> str:
    """The metric's expression in a query grouped by window and dimensions; ``where`` limits its rows further.

    Needs the columns ``window_start`` and ``window_end`` among the group keys.
    """
    rows = all_of(where, metric.where)
    match metric.function:
        case "count":
            return _filtered(f"count({quoted(metric.column)})" if metric.column else "count(*)", rows)
        case "sum":
            return f"cast({_over(metric, 'sum', rows)} as {_SUM_TYPES.get(metric.type, 'double')})"
        case "avg":
            return f"cast({_over(metric, 'sum', rows)} as double) / {_over(metric, 'count', rows)}"
        case "min" | "max":
            return _over(metric, metric.function, rows)
        case "distinct":
            return _filtered(f"count(distinct {_column(metric)})", rows)
        case "ratio":
            return _ratio(metric, where)
        case "rate":
            return f"{_filtered('count(*)', rows)} * 1e6 / (epoch_us(window_end) - epoch_us(window_start))"
        case "stddev":
            return _filtered(f"stddev_samp(cast({_column(metric)} as double))", rows)
        case "p50" | "p95" | "p99":
            return _filtered(f"quantile_cont(cast({_column(metric)} as double), {_QUANTILES[metric.function]})", rows)
        case _:
            assert_never(metric.function)


def partial_sql(metric: Metric) -> dict[str, str]:
    """Column -> expression of what a mergeable metric keeps of the rows of one pane."""
    name, rows = metric.name, metric.where
    match metric.function:
        case "avg":
            return {f"{name}_sum": _over(metric, "sum", rows), f"{name}_count": _over(metric, "count", rows)}
        case "ratio":
            below = all_of(metric.where, metric.denominator)
            above = all_of(metric.where, metric.numerator)
            return {f"{name}_above": _filtered("count(*)", above), f"{name}_below": _filtered("count(*)", below)}
        case "rate":
            return {f"{name}_count": _filtered("count(*)", rows)}
        case _:
            return {name: metric_sql(metric)}


def merged_sql(metric: Metric) -> str:
    """The metric from the partial columns of the panes of a window."""
    name = metric.name
    match metric.function:
        case "avg":
            return f"cast(sum({quoted(f'{name}_sum')}) as double) / sum({quoted(f'{name}_count')})"
        case "ratio":
            return f"sum({quoted(f'{name}_above')}) / nullif(sum({quoted(f'{name}_below')}), 0)"
        case "rate":
            return f"sum({quoted(f'{name}_count')}) * 1e6 / (epoch_us(window_end) - epoch_us(window_start))"
        case "min" | "max":
            return f"{metric.function}({quoted(name)})"
        case _:
            return f"sum({quoted(name)})"


def _ratio(metric: Metric, where: str | None) -> str:
    above = _filtered("count(*)", all_of(where, metric.where, metric.numerator))
    if metric.denominator_scope == "window":
        # Every row of the stream's window counts below the line, whatever the aggregate's own filter leaves.
        below = _filtered("count(*)", all_of(metric.where, metric.denominator))
        return f"{above} / nullif(sum({below}) over (partition by window_start, window_end), 0)"
    if metric.denominator_scope == "unfiltered_group":
        where = None
    return f"{above} / nullif({_filtered('count(*)', all_of(where, metric.where, metric.denominator))}, 0)"


def _column(metric: Metric) -> str:
    if metric.column is None:
        raise ValueError(f"metric `{metric.name}` ({metric.function}) needs a column")
    return quoted(metric.column)


def _over(metric: Metric, function: str, where: str | None) -> str:
    return _filtered(f"{function}({_column(metric)})", where)


def _filtered(call: str, where: str | None) -> str:
    return f"{call} filter (where {where})" if where else call
