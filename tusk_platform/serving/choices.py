"""Metrics that can be picked on a page, and a widget as it shows another one than the config says."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tusk_platform.core.formats import Format
from tusk_platform.plan.metrics import is_duration
from tusk_platform.plan.nodes import Metric, Plan, Widget, WidgetType

# A counter or a gauge was given its metric, its format and its thresholds on purpose.
_OPEN: Final[frozenset[WidgetType]] = frozenset({"line_chart", "bar_chart"})


def offers(widget: Widget) -> tuple[str, ...]:
    """The metrics to pick from; none where there is nothing to choose."""
    return widget.choices if widget.type in _OPEN and len(widget.choices) > 1 else ()


def showing(widget: Widget, metric: str, plan: Plan) -> Widget:
    """The widget about another metric, written as that one is."""
    metrics = plan.aggregate(widget.source).metrics if widget.kind == "aggregate" else ()
    return replace(widget, metric=metric, format=_format(next((m for m in metrics if m.name == metric), None)))


def _format(metric: Metric | None) -> Format:
    if metric is None:
        return "number"
    if metric.money:
        return "currency"
    if metric.function == "ratio":
        return "percent"
    return "duration" if metric.column and is_duration(metric.column) else "number"
