"""Tables: the newest windows of an aggregate, or the newest events of a stream, as text."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from tusk_platform.core.formats import NOTHING, Unit
from tusk_platform.core.readings import title_of
from tusk_platform.core.views import quoted
from tusk_platform.core.widgets import Body, Empty, Rows
from tusk_platform.plan.nodes import Aggregate, Metric, Stream
from tusk_platform.serving.scales import local
from tusk_platform.serving.timeline import Desk
from tusk_platform.units import DAY, HOUR, spell

MOST_ROWS: Final = 50
MOST_COLUMNS: Final = 8
_LONGEST: Final = 60


def rows_of(desk: Desk, stream: Stream, aggregate: Aggregate | None) -> tuple[Body, str]:
    """The newest rows as a table, and what they are."""
    return _windows(desk, aggregate) if aggregate else _events(desk, stream)


def _windows(desk: Desk, aggregate: Aggregate) -> tuple[Body, str]:
    names = ["window_start", *aggregate.dimensions, "event_count", *(m.name for m in aggregate.metrics)][:MOST_COLUMNS]
    found = desk.warehouse.rows(
        f"select {', '.join(map(quoted, names))} from agg.{quoted(aggregate.name)} "  # noqa: S608
        f"order by window_start desc, event_count desc limit {MOST_ROWS}",
        table=aggregate.table,
    )
    if not found:
        return Empty(
            "No windows yet", "The first one appears with the next refresh:", f"tusk run agg.{aggregate.name}"
        ), ""
    metrics = {m.name: m for m in aggregate.metrics}
    zone = ZoneInfo(desk.plan.runtime.timezone)
    today = local(desk.now, zone).date()
    rows = tuple(tuple(cell(v, metrics.get(n), zone, today) for n, v in zip(names, row, strict=True)) for row in found)
    numeric = tuple(n == "event_count" or n in metrics for n in names)
    titles = ("Window", *(title_of(n) for n in names[1:]))
    return Rows(titles, numeric, rows), f"newest windows, refreshed every {spell(aggregate.update_frequency)}"


def _events(desk: Desk, stream: Stream) -> tuple[Body, str]:
    names = [c.name for c in stream.columns if c.name != stream.event_time][: MOST_COLUMNS - 1]
    newest = desk.warehouse.newest(stream)
    found: list[tuple[Any, ...]] = []
    for span in (HOUR, DAY):
        if newest is None:
            break
        rows = desk.warehouse.events(stream, newest - span, newest + 1)
        found = desk.warehouse.rows(
            f"select _event_time, {', '.join(map(quoted, names))} from {rows} as event "  # noqa: S608
            f"order by _event_time desc, _batch desc, _offset desc limit {MOST_ROWS}"
        )
        if len(found) == MOST_ROWS:
            break
    if not found:
        return Empty("No events yet"), ""
    zone = ZoneInfo(desk.plan.runtime.timezone)
    today = local(desk.now, zone).date()
    types = {c.name: c.type for c in stream.columns}
    numeric = (False, *(types[n] in {"integer", "double", "decimal"} for n in names))
    shown = tuple(tuple(cell(v, None, zone, today) for v in row) for row in found)
    return Rows(("Time", *(title_of(n) for n in names)), numeric, shown), "newest events"


def cell(value: Any, metric: Metric | None, zone: ZoneInfo, today: date) -> str:  # noqa: ANN401 - whatever a column holds
    """A value as text, times in the reader's zone."""
    match value:
        case None:
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case datetime():
            here = value.astimezone(zone)
            clock = "%H:%M:%S" if here.second else "%H:%M"
            return here.strftime(clock if here.date() == today else f"%-d %b {clock}")
        case date():
            return f"{value:%-d %b %Y}"
        case int() | float() | Decimal():
            share = metric is not None and metric.function == "ratio"
            unit = Unit("percent", factor=Decimal(100)) if share else Unit()
            return unit.write(value)
        case _:
            text = str(value)
            return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
