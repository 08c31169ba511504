"""From a widget to its panel: what is asked of the lake, and what is said where there is nothing to show."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, assert_never
from zoneinfo import ZoneInfo

from tusk_platform.core.formats import Unit
from tusk_platform.core.readings import bars, bucket_size, gauge, title_of, trend, unit_of
from tusk_platform.core.widgets import Alerts, Body, Chart, Counter, Empty, Panel, Series, Trend
from tusk_platform.plan.nodes import Aggregate, Session, Sliding, Tumbling, Widget
from tusk_platform.serving.listings import rows_of
from tusk_platform.serving.query_panels import query_body
from tusk_platform.serving.questions import Asked, newest_of_series, two_parts
from tusk_platform.serving.scales import clock_span, local
from tusk_platform.serving.silence import no_events, no_samples, nothing_counts, nothing_in_range, past
from tusk_platform.serving.subjects import Subject, subject_of
from tusk_platform.serving.timeline import Desk, grid_of, points, timeline
from tusk_platform.units import DAY, HOUR, MINUTE, spell

_SPARK_WINDOWS: Final = 30
_LEAST_STEPS: Final = 6
_MOST_LINES: Final = 5


def answer(widget: Widget, desk: Desk) -> Panel:
    """The panel of a widget as of now."""
    title = title_of(widget.name)
    if widget.kind == "alerts" or widget.type == "alert_panel":
        return Panel(widget, title, Alerts(active=False, severities=widget.severities))
    if widget.kind == "query":
        return _of_query(widget, title, desk)
    subject = subject_of(widget, desk)
    unit = unit_of(widget, subject.metric)
    state = desk.warehouse.state(subject.stream)
    panel = Panel(widget, title, Empty(""), unit=unit, demo=state.demo)
    if state.batch is None:
        return replace(panel, body=no_events(subject.stream))
    match widget.type:
        case "counter":
            body, note = _counter(widget, subject, desk, unit)
        case "line_chart":
            body, note = _chart(widget, subject, desk)
        case "bar_chart":
            body, note = _bars(widget, subject, desk, unit)
        case "gauge":
            body, note = _gauge(widget, subject, desk, unit)
        case "table":
            body, note = rows_of(desk, subject.stream, subject.aggregate if subject.stored else None)
        case _:
            assert_never(widget.type)
    return replace(panel, body=body, note=note)


def _of_query(widget: Widget, title: str, desk: Desk) -> Panel:
    query = desk.plan.query(widget.source)
    unit = unit_of(widget, None)
    body, note = query_body(widget, query, desk, unit)
    demo = any(desk.warehouse.state(desk.plan.stream(s)).demo for s in query.streams)
    return Panel(widget, title, body, unit=unit, note=note, demo=demo)


def _counter(widget: Widget, subject: Subject, desk: Desk, unit: Unit) -> tuple[Body, str]:
    if subject.long:
        return _newest(subject, desk, unit)
    now, grid = desk.moment(subject.stream), grid_of(desk, subject.aggregate)
    asked = subject.asked(grid)
    last = _last_start(subject.aggregate, now, desk)
    values = timeline(desk, asked, grid.step(last, -_SPARK_WINDOWS), grid.step(last), stored=subject.stored)
    shown = [p for p in points(values, asked, "") if p.value is not None]
    if not shown:
        newest = desk.warehouse.newest(subject.stream)
        if newest is None:
            return no_events(subject.stream), ""
        if newest >= grid.step(last, -_SPARK_WINDOWS):
            return nothing_counts(subject.stream, subject.metric), ""
        start = grid.floor(newest)
        values = timeline(desk, asked, grid.step(start, -_SPARK_WINDOWS), grid.step(start), stored=subject.stored)
        shown = [p for p in points(values, asked, "") if p.value is not None]
        if not shown:
            return nothing_counts(subject.stream, subject.metric), ""
    point = shown[-1]
    change = _trend(subject, asked, desk, (point.start, point.end), now) if widget.trend else None
    zone = ZoneInfo(desk.plan.runtime.timezone)
    span = clock_span(point.start, point.end, zone, today=desk.now)
    note = span if point.final or point.end <= now else f"{span}, so far"
    # A window that has only begun would always look like a collapse.
    begun = tuple(p for p in shown if p.end <= now)
    spark = Series(title_of(subject.metric.name), begun, grid.size) if len(begun) > 3 else None
    return Counter(point.value, unit.write(point.value), point.start, point.end, point.final, change, spark), note


def _last_start(aggregate: Aggregate, now: int, desk: Desk) -> int:
    """Start of the window that is shown as the newest: of sliding ones, the first that still holds the present."""
    grid = grid_of(desk, aggregate)
    if isinstance(aggregate.window, Sliding):
        return grid.step(grid.floor(now - aggregate.window.size))
    return grid.floor(now)


def _trend(subject: Subject, asked: Asked, desk: Desk, window: tuple[int, int], now: int) -> Trend | None:
    """The window so far against as much of the one before, both from the events."""
    start, end = window
    assert asked.grid is not None  # noqa: S101 - a counter has a grid
    match subject.aggregate.window:
        case Tumbling():
            before = asked.grid.step(start, -1)
        case Sliding(size, _, _):
            before = start - size
        case Session():
            return None
    elapsed = min(end, max(now, start + 1)) - start
    rows = desk.warehouse.events(subject.stream, before, start + elapsed)
    sql = two_parts(asked, rows, before=before, window=window, elapsed=elapsed)
    parts = {bucket: value for bucket, _, value, _ in desk.warehouse.rows(sql)}
    nothing = 0 if subject.metric.function in {"count", "sum", "rate", "distinct"} else None
    zone = ZoneInfo(desk.plan.runtime.timezone)
    span = clock_span(before, start, zone, today=desk.now)
    words = span if elapsed >= end - start else f"the same part of {span}"
    return trend(parts.get(start, nothing), parts.get(before, nothing), metric=subject.metric.name, span=words)


def _newest(subject: Subject, desk: Desk, unit: Unit) -> tuple[Body, str]:
    found = _newest_sample(subject, desk)
    if found is None:
        return no_samples(subject.stream, str(subject.long)), ""
    value, at = found
    note = f"as of {local(at, ZoneInfo(desk.plan.runtime.timezone)):%H:%M:%S}"
    spark = None
    window = grid_of(desk, subject.aggregate, MINUTE)
    asked = replace(subject.asked(window), aggregate=replace(subject.aggregate, window=Tumbling(MINUTE)))
    start = window.step(window.floor(at), -_SPARK_WINDOWS)
    shown = points(timeline(desk, asked, start, window.step(window.floor(at)), stored=False), asked, "")
    if len(shown) > 2:
        spark = Series(title_of(subject.metric.name), shown, MINUTE)
    return Counter(value, unit.write(value), at, at, final=True, spark=spark), note


def _newest_sample(subject: Subject, desk: Desk) -> tuple[float, int] | None:
    """The newest value of a series of a long stream, and its time; none where the last day had none."""
    now = desk.moment(subject.stream)
    for span in (HOUR, DAY):
        rows = desk.warehouse.events(subject.stream, now - span, now + HOUR)
        found = desk.warehouse.rows(newest_of_series(subject.aggregate, rows))
        if found and found[0][1] is not None:
            return float(found[0][0]), int(found[0][1])
    return None


def _chart(widget: Widget, subject: Subject, desk: Desk) -> tuple[Body, str]:
    asked, start, end = _over_range(widget, subject, desk)
    assert asked.grid is not None  # noqa: S101 - a chart has a grid
    values = timeline(desk, asked, start, end, stored=subject.stored)
    totals: dict[str, float] = {}
    for (_, part), (value, _) in values.items():
        totals[part] = totals.get(part, 0.0) + abs(float(value or 0))
    parts = sorted(sorted(totals, key=lambda p: (-totals[p], p))[:_MOST_LINES])
    step = asked.grid.size
    series = [Series(part or title_of(subject.metric.name), points(values, asked, part), step) for part in parts]
    series = [s for s in series if any(p.value is not None for p in s.points)]
    if not series:
        return nothing_in_range(widget, subject.stream, desk), ""
    first = min(s.points[0].start for s in series)
    shift = asked.grid.step(start) - start
    begin = max(start, min(first, end - _LEAST_STEPS * shift))
    note = f"last {past(widget.time_range)}, every {past(step)}"
    if len(totals) > len(series):
        note += f" · the largest {len(series)} of {len(totals)}"
    if begin > start + 2 * shift:
        zone = ZoneInfo(desk.plan.runtime.timezone)
        since = local(first, zone)
        today = since.date() == local(desk.now, zone).date()
        note += " · data since " + since.strftime("%H:%M" if today else "%-d %b, %H:%M")
    return Chart(tuple(series), begin, end), note


def _over_range(widget: Widget, subject: Subject, desk: Desk) -> tuple[Asked, int, int]:
    """The widget's question over its time range, in buckets that are not too many."""
    aggregate = subject.aggregate
    match aggregate.window:
        case Tumbling(size, _):
            least, wanted = size, widget.bucket
        case Sliding(_, slide, _):
            least, wanted = slide, widget.bucket
        case Session(gap, _):
            least, wanted = MINUTE, widget.bucket or bucket_size(widget.time_range, None, max(gap, MINUTE), most=96)
    if wanted is not None and wanted < least:
        wanted = None
    size = bucket_size(widget.time_range, wanted, least)
    grid = grid_of(desk, aggregate, size)
    now = desk.moment(subject.stream)
    by = widget.series if widget.series in aggregate.dimensions else None
    asked = subject.asked(grid, by)
    if asked.native:
        last = _last_start(aggregate, now, desk)
        return asked, grid.floor(now - widget.time_range), grid.step(last)
    return asked, grid.floor(now - widget.time_range), grid.step(grid.floor(now))


def _bars(widget: Widget, subject: Subject, desk: Desk, unit: Unit) -> tuple[Body, str]:
    dimensions = subject.aggregate.dimensions or tuple(filter(None, [subject.stream.event_type]))
    by = widget.series if widget.series in dimensions else next(iter(dimensions), None)
    asked, start, end = _over_range(widget, subject, desk)
    if by is None:
        values = timeline(desk, asked, start, end, stored=subject.stored)
        zone = ZoneInfo(desk.plan.runtime.timezone)
        shown = points(values, asked, "")[-8:]
        groups = [(clock_span(p.start, p.end, zone, today=desk.now), p.value) for p in shown]
        return (bars(groups, unit) if groups else nothing_in_range(widget, subject.stream, desk)), ""
    totals = timeline(desk, subject.asked(None, by), start, end, stored=subject.stored)
    groups = [(part, value) for (_, part), (value, _) in totals.items()]
    if not groups:
        return nothing_in_range(widget, subject.stream, desk), ""
    return bars(groups, unit), f"by {title_of(by).lower()}, last {past(widget.time_range)}"


def _gauge(widget: Widget, subject: Subject, desk: Desk, unit: Unit) -> tuple[Body, str]:
    zone = ZoneInfo(desk.plan.runtime.timezone)
    if subject.long:
        found = _newest_sample(subject, desk)
        if found is None:
            return no_samples(subject.stream, str(subject.long)), ""
        value, at = found
        age = desk.now - at
        late = f", {spell(age // MINUTE * MINUTE)} ago" if age >= 2 * MINUTE and not subject.stream.replay else ""
        return gauge(value, widget, unit, at), f"as of {local(at, zone):%H:%M:%S}{late}"
    body, note = _counter(widget, subject, desk, unit)
    return (gauge(body.value, widget, unit, body.end) if isinstance(body, Counter) else body), note
