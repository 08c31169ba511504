"""Widgets that show a query's result: all its rows, its newest number, bars by its labels, lines along its times."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from tusk_platform.core.formats import Unit
from tusk_platform.core.readings import bars, gauge, title_of
from tusk_platform.core.views import quoted
from tusk_platform.core.widgets import Body, Chart, Counter, Empty, Point, Rows, Series
from tusk_platform.plan.nodes import ColumnType, Query, Widget
from tusk_platform.serving.listings import MOST_COLUMNS, MOST_ROWS, cell
from tusk_platform.serving.scales import local
from tusk_platform.serving.timeline import Desk
from tusk_platform.units import MINUTE, spell

_NUMBERS: frozenset[ColumnType] = frozenset({"integer", "double", "decimal"})
_TIMES: frozenset[ColumnType] = frozenset({"timestamp", "date"})
_MOST_LINES = 5
_MOST_POINTS = 2_000
Row = Mapping[str, Any]


def query_body(widget: Widget, query: Query, desk: Desk, unit: Unit) -> tuple[Body, str]:
    """What the widget shows of the query, and a note."""
    found = _rows(query, desk)
    note = f"refreshed every {spell(query.update_frequency)}"
    if not found:
        return Empty(
            "This query has no rows yet", "It is computed with the next refresh:", f"tusk run {query.table}"
        ), ""
    if widget.type == "table":
        return _table(query, found, desk), note
    metric = _metric(widget, query)
    if metric is None:
        return Empty(f"{query.name} has no column of numbers", "Show it as a table:", 'type = "table"'), ""
    match widget.type:
        case "bar_chart":
            label = next((c.name for c in query.columns if c.name != metric and c.type not in _NUMBERS), None)
            labelled = [("" if label is None else _text(r[label], desk), r[metric]) for r in found]
            return bars(labelled, unit), f"by {title_of(label).lower()}" if label else ""
        case "line_chart":
            return _lines(query, metric, found), note
        case _:
            return _newest(widget, query, metric, found, desk, unit)


def _rows(query: Query, desk: Desk) -> list[Row]:
    names = [c.name for c in query.columns]
    shown = (f"epoch_us({quoted(c.name)})" if c.type == "timestamp" else quoted(c.name) for c in query.columns)
    sql = f"select {', '.join(shown)} from query.{quoted(query.name)} limit {_MOST_POINTS}"  # noqa: S608
    return [dict(zip(names, row, strict=True)) for row in desk.warehouse.rows(sql, table=query.table)]


def _metric(widget: Widget, query: Query) -> str | None:
    """The column of numbers that is shown: the one said, else the last."""
    numbers = [c.name for c in query.columns if c.type in _NUMBERS]
    return widget.metric if widget.metric in numbers else (numbers[-1] if numbers else None)


def _time(query: Query) -> str | None:
    return next((c.name for c in query.columns if c.type in _TIMES), None)


def _table(query: Query, found: list[Row], desk: Desk) -> Rows:
    columns = query.columns[:MOST_COLUMNS]
    rows = tuple(
        tuple(_text(r[c.name], desk, moment=c.type == "timestamp") for c in columns) for r in found[:MOST_ROWS]
    )
    return Rows(tuple(title_of(c.name) for c in columns), tuple(c.type in _NUMBERS for c in columns), rows)


def _text(value: Any, desk: Desk, *, moment: bool = False) -> str:  # noqa: ANN401 - whatever a column holds
    zone = ZoneInfo(desk.plan.runtime.timezone)
    shown = local(value, zone) if moment and value is not None else value
    return cell(shown, None, zone, local(desk.now, zone).date())


def _micros(value: Any) -> int:  # noqa: ANN401 - a moment in microseconds or a date
    return value if isinstance(value, int) else (value.toordinal() - 719_163) * 86_400_000_000


def _newest(widget: Widget, query: Query, metric: str, found: list[Row], desk: Desk, unit: Unit) -> tuple[Body, str]:
    """The number of the newest row, of the first where the rows have no time."""
    time = _time(query)
    timed = [r for r in found if r[time] is not None] if time is not None else []
    row, at, note = found[0], desk.now, ""
    if time is not None and timed:
        row = max(timed, key=lambda r: _micros(r[time]))
        at = _micros(row[time])
        note = f"as of {_text(row[time], desk, moment=isinstance(row[time], int))}"
    value = row[metric]
    if widget.type == "gauge":
        return gauge(value, widget, unit, at), note
    return Counter(value, unit.write(value), at, at, final=True), note


def _lines(query: Query, metric: str, found: list[Row]) -> Body:
    """A line for each value of the first column of words, along the first column of times."""
    time = _time(query)
    if time is None:
        return Empty(f"{query.name} has no column of times", "Show it as a bar chart or a table:", 'type = "bar_chart"')
    by = next((c.name for c in query.columns if c.type == "string"), None)
    lines: dict[str, dict[int, Any]] = {}
    for row in found:
        if row[time] is not None:
            lines.setdefault(title_of(metric) if by is None else str(row[by]), {})[_micros(row[time])] = row[metric]
    if not lines:
        return Empty("No row of this query has a time")
    largest = sorted(lines, key=lambda name: (-sum(abs(float(v or 0)) for v in lines[name].values()), name))[
        :_MOST_LINES
    ]
    times = sorted({t for line in lines.values() for t in line})
    step = min((b - a for a, b in pairwise(times)), default=MINUTE)
    series = tuple(
        Series(name, tuple(Point(t, t + step, lines[name][t]) for t in sorted(lines[name])), step)
        for name in sorted(largest)
    )
    return Chart(series, times[0], times[-1] + step)
