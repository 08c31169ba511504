"""From the name of a metric to its function, column and conditions."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tusk_platform.plan.columns import StreamColumns
from tusk_platform.plan.drafts import AggregateDraft, EventTypeDraft, MetricDraft
from tusk_platform.plan.names import parts, singular
from tusk_platform.plan.nodes import Assumption, ColumnType, Function, Metric
from tusk_platform.plan.rules import WHICH_COLUMN, WhichColumn, bare, decide, is_money

FORMS: Final = (
    "forms that say their function: `*_count`, `unique_*`, `avg_*`, `sum_*`, `total_*`, `min_*`, `max_*`, `p50_*`, "
    '`p95_*`, `p99_*`, `*_rate`, `throughput`, `response_time`, a money word; or say it: `name = "sum"`'
)
_ORDER_WORDS: Final = frozenset({"sale", "order"})
_WITHOUT_COLUMN: Final = frozenset({"count", "ratio", "rate"})


class UnknownMetric(ValueError):
    """A metric whose name says no function, or a function that lacks what it needs."""


@dataclass(frozen=True, slots=True)
class MetricScope:
    """What a metric is resolved against: its aggregate, the stream's columns, the event types of that stream."""

    aggregate: AggregateDraft
    columns: StreamColumns
    event_types: tuple[EventTypeDraft, ...]

    def is_type(self, condition_type: str) -> str:
        """SQL: the row is an event of that type. Adds the event type column where there is none."""
        column = self.columns.role("event_type")
        if column is None:
            raise UnknownMetric(f"stream `{self.columns.draft.name}` has no event type column; say `event_type`")
        return f"{quoted(column)} = {literal(condition_type)}"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def implied_function(name: str) -> Function | None:
    """The function that a metric's name says, or None.

    >>> implied_function("unique_visitors"), implied_function("avg_order_value"), implied_function("throughput")
    ('distinct', 'avg', 'rate')
    """
    prefixes: tuple[tuple[str, Function], ...] = (
        ("unique_", "distinct"),
        ("distinct_", "distinct"),
        ("avg_", "avg"),
        ("total_", "sum"),
        ("sum_", "sum"),
        ("min_", "min"),
        ("max_", "max"),
        ("p50_", "p50"),
        ("p95_", "p95"),
        ("p99_", "p99"),
    )
    if name == "throughput":
        return "rate"
    if name == "response_time":
        return "avg"
    if name == "count" or name.endswith("_count"):
        return "count"
    if name.endswith("_rate"):
        return "ratio"
    found = next((function for prefix, function in prefixes if name.startswith(prefix)), None)
    return found or ("sum" if is_money(name) else None)


def specificity(draft: MetricDraft) -> int:
    """Order of resolution: names of more words first, so that ``total_duration`` finds ``session_duration``."""
    return -len(parts(draft.column or bare(draft.name)))


def resolve_metrics(draft: MetricDraft, scope: MetricScope) -> tuple[Metric, ...]:
    """The metric of a draft, and those that stand beside it; UnknownMetric says what is wrong."""
    function = draft.function or implied_function(draft.name)
    if function is None:
        raise UnknownMetric(f"the name `{draft.name}` does not say which function it is")
    scope.columns.mention(draft.mentions)
    if function == "count":
        return (_count(draft, scope),)
    if function == "rate":
        return (Metric(draft.name, "rate", "double", where=draft.where),)
    if function == "ratio":
        return (_ratio(draft, scope),)
    column = _column(draft, scope, function)
    metrics = [_over_column(draft.name, function, column, draft)]
    if draft.name == "response_time" and draft.function is None:
        besides: tuple[Function, ...] = ("p50", "p95", "p99")
        metrics += [_over_column(f"{draft.name}_{f}", f, column, draft) for f in besides]
    return tuple(metrics)


def summary_metric(function: Function, scope: MetricScope) -> Metric | None:
    """A pipeline's bare function over the stream's value or key column; None for ``count`` (``event_count`` is it)."""
    if function == "count":
        return None
    column = scope.columns.role("key" if function == "distinct" else "value")
    if column is None:
        raise UnknownMetric(f"`{function}` needs a {'key' if function == 'distinct' else 'value'} column")
    if function != "distinct":
        scope.columns.add(column, "number")
    name = f"{function}_{column}"
    return _over_column(name, function, column, MetricDraft(name, scope.aggregate.origin))


def _column(draft: MetricDraft, scope: MetricScope, function: Function) -> str:
    columns = scope.columns
    question = WhichColumn(
        draft.name, draft.column, columns.names, value=lambda: columns.role("value"), key=lambda: columns.role("key")
    )
    decision = decide(WHICH_COLUMN, question)
    if decision is None:
        raise AssertionError("the last rule of WHICH_COLUMN answers always")
    column = columns.add(decision.answer, "any" if function == "distinct" else "number")
    if not decision.explicit and column != draft.name:
        _assume(draft, scope, decision.rule, f"reads column `{column}`", "column")
    return column


def _assume(draft: MetricDraft, scope: MetricScope, rule: str, decision: str, says: str) -> None:
    key = draft.origin.key
    entry = Assumption(
        key, rule, f"metric `{scope.aggregate.name}.{draft.name}` {decision}", f"{key}.{says}" if draft.table else ""
    )
    scope.columns.note(entry)


def _over_column(name: str, function: Function, column: str, draft: MetricDraft) -> Metric:
    # The column's type may still change while other nodes are resolved; `typed` settles it.
    return Metric(name, function, "double", column=column, where=draft.where, money=is_money(column))


def typed(metric: Metric, column_type: Callable[[str], ColumnType]) -> Metric:
    """The metric with the type of its result, once the types of all columns are known."""
    result: ColumnType
    if metric.function in {"count", "distinct"}:
        result = "integer"
    elif metric.function in {"sum", "min", "max"} and metric.column:
        result = column_type(metric.column)
    else:
        result = "double"
    return Metric(
        metric.name,
        metric.function,
        result,
        metric.column,
        metric.where,
        metric.numerator,
        metric.denominator,
        metric.denominator_scope,
        metric.money and metric.function not in _WITHOUT_COLUMN,
    )


def _count(draft: MetricDraft, scope: MetricScope) -> Metric:
    if draft.where or draft.column:
        return Metric(draft.name, "count", "integer", column=draft.column, where=draft.where)
    own_type = scope.aggregate.event_type
    what = "_".join(singular(p) for p in draft.name.removesuffix("_count").removeprefix("total_").split("_"))
    known = {e.name for e in scope.event_types}
    if own_type and what == own_type:
        return Metric(draft.name, "count", "integer")
    if what in known:
        return Metric(draft.name, "count", "integer", where=scope.is_type(what))
    if what in _ORDER_WORDS and _has_event_types(scope):
        _assume(draft, scope, "sales and orders are purchases", "counts events of type `purchase`", "where")
        return Metric(draft.name, "count", "integer", where=scope.is_type("purchase"))
    if f"{what}_id" in scope.columns.draft.schema:
        return Metric(draft.name, "distinct", "integer", column=f"{what}_id")
    return Metric(draft.name, "count", "integer")


def _has_event_types(scope: MetricScope) -> bool:
    draft = scope.columns.draft
    return scope.columns.shows("event_type") or (draft.facts.free_form and not draft.schema)


def _ratio(draft: MetricDraft, scope: MetricScope) -> Metric:
    if draft.numerator:
        return Metric(
            draft.name, "ratio", "double", where=draft.where, numerator=draft.numerator, denominator=draft.denominator
        )
    if not draft.name.endswith("_rate"):
        raise UnknownMetric(f"ratio `{draft.name}` needs a `numerator` and a `denominator`")
    own_type = scope.aggregate.event_type
    if own_type:
        condition, event_type, says = None, own_type, ""
        rule = "within an event type a rate is its own events ÷ all"
    else:
        what = draft.name.removesuffix("_rate")
        event_type = {"conversion": "purchase"}.get(what, what)
        condition = _error_condition(scope) if event_type == "error" else scope.is_type(event_type)
        rule, says = "a rate is events of its type ÷ all events", "numerator"
    wide = _wider_than_others(event_type, scope)
    over = "all events of the window" if wide else "all events of the group"
    _assume(draft, scope, rule, f"is {condition or f'`{event_type}`'} ÷ {over}", says)
    return Metric(
        draft.name,
        "ratio",
        "double",
        where=draft.where,
        numerator=condition,
        denominator_scope="window" if wide else "unfiltered_group" if own_type else "group",
    )


def _error_condition(scope: MetricScope) -> str:
    columns = scope.columns
    conditions = []
    if _has_event_types(scope):
        conditions.append(scope.is_type("error"))
    free = columns.draft.facts.free_form and not columns.draft.schema
    if free or columns.has("status_code"):
        conditions.append(f"{quoted(columns.add('status_code', 'compared'))} >= 400")
    if free or columns.has("success"):
        conditions.append(f"{quoted(columns.add('success', 'boolean'))} = false")
    if not conditions:
        raise UnknownMetric(f"stream `{columns.draft.name}` has no column that shows an error; say `numerator`")
    return f"coalesce({' or '.join(conditions)}, false)"


def _wider_than_others(event_type: str, scope: MetricScope) -> bool:
    """Whether the aggregate groups by dimensions that only events of the numerator's type carry."""
    own = {d for e in scope.event_types if e.name == event_type for d in e.dimensions}
    others = {d for e in scope.event_types if e.name != event_type for d in e.dimensions}
    return bool((own - others) & set(scope.aggregate.dimensions))


def is_duration(name: str) -> bool:
    """Whether a metric's name says that it is a span of time."""
    return bool(re.search(r"(duration|time|latency)(_p\d+)?$", name))
