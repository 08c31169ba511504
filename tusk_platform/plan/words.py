"""Parts of a plan in words, the same wherever people read of them."""

from __future__ import annotations

from typing import assert_never

from tusk_platform.plan.learning import Cadence, LearningInput
from tusk_platform.plan.nodes import Aggregate, Metric, Query, QueryInput, Session, Sliding, Tumbling, Window
from tusk_platform.plan.watching import AlertRule
from tusk_platform.units import spell


def window_words(window: Window) -> str:
    """The kind of window and its spans.

    >>> window_words(Sliding(600_000_000, 120_000_000))
    'sliding windows of 10 minutes every 2 minutes'
    """
    match window:
        case Tumbling(size=size, offset=offset):
            return f"tumbling windows of {spell(size)}{_shifted(offset)}"
        case Sliding(size=size, slide=slide, offset=offset):
            return f"sliding windows of {spell(size)} every {spell(slide)}{_shifted(offset)}"
        case Session(gap=gap, max_size=longest):
            return f"sessions of events at most {spell(gap)} apart, up to {spell(longest)} long"
        case _:
            assert_never(window)


def _shifted(offset: int) -> str:
    return f", shifted by {spell(offset)}" if offset else ""


def metric_words(metric: Metric) -> str:
    """A metric's function over its column, or its two conditions.

    >>> metric_words(Metric("revenue", "sum", "decimal", column="amount"))
    'sum(amount)'
    """
    where = f" where {metric.where}" if metric.where else ""
    if metric.function == "ratio":
        return f"{_above(metric)} ÷ {_below(metric)}{where}"
    if metric.function == "rate":
        return f"events a second{where}"
    inner = metric.column or ("*" if metric.function == "count" else "")
    return f"{metric.function}({inner}){where}"


def _above(metric: Metric) -> str:
    if metric.numerator:
        return metric.numerator
    return "all events" if metric.denominator_scope == "group" else "its events"


def _below(metric: Metric) -> str:
    rows = metric.denominator or "all events"
    match metric.denominator_scope:
        case "group":
            return rows
        case "unfiltered_group":
            return f"{rows} of the group"
        case "window":
            return f"{rows} of the window"


def aggregate_words(aggregate: Aggregate) -> str:
    """What an aggregate is: its windows, stream, dimensions and how long it waits."""
    by = f" by {', '.join(aggregate.dimensions)}" if aggregate.dimensions else ""
    late = f", waits {spell(aggregate.allowed_lateness)} for late events" if aggregate.allowed_lateness else ""
    return f"{window_words(aggregate.window)} over {aggregate.stream}{by}{late}"


def query_words(query: Query) -> str:
    """The tables that a query reads and how far back."""
    return f"reads {', '.join(map(_input_words, query.inputs))}"


def _input_words(read: QueryInput) -> str:
    if read.look_back is not None:
        return f"{read.table} of the last {spell(read.look_back)}"
    return f"all of {read.table}" if read.table.startswith("clean.") else read.table


def cadence_words(cadence: Cadence) -> str:
    """How often, in the config's own words where they are words."""
    if cadence.real_time:
        return "with each micro-batch"
    return f"every {spell(cadence.every)}" if cadence.every else cadence.text


def input_words(learns: LearningInput) -> str:
    """What a model learns from."""
    what = f"the history of each {learns.entity}" if learns.entity else f"{learns.metric} a {_step(learns)}"
    only = f" where {learns.where}" if learns.where else ""
    by = f", in total and by {', '.join(learns.by)}" if learns.by else ""
    return f"{what} of {learns.table}{only}{by}"


def _step(learns: LearningInput) -> str:
    return spell(learns.step).removeprefix("1 ") if learns.step else "step"


def rule_words(rule: AlertRule) -> str:
    """When an alert rule fires."""
    match rule.kind:
        case "threshold":
            bounds = (("warning", rule.warning), ("critical", rule.critical))
            levels = ", ".join(f"{name} from {value:g}" for name, value in bounds if value is not None)
            return f"{rule.table}.{rule.metric}: {levels}"
        case "silence":
            return f"{rule.table}: no event for {spell(rule.limit or 0)}"
        case "anomaly":
            return f"{rule.table}: a finding on any of its metrics"
        case "freshness":
            return f"{rule.table}: its newest final window is not there {spell(rule.limit or 0)} after its start"
        case _:
            assert_never(rule.kind)
