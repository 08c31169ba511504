"""Pictures as numbers: paths, ticks and dots of a chart, ready for the templates. No markup here.

Paths live in a square of 1000 × 1000 that the page stretches; labels and dots are placed in percent beside it, so text
never stretches with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from tusk_platform.core.formats import Number, Unit
from tusk_platform.core.widgets import Chart, Gauge, Point, Series
from tusk_platform.serving.scales import Scale, Tick, clock_span, local, time_axis, value_axis

_SIDE: Final = 1000.0
_COLOURS: Final = 6


@dataclass(frozen=True, slots=True)
class Dot:
    """A point drawn by itself; ``x`` and ``y`` in percent from the top left corner."""

    x: float
    y: float
    final: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One series as drawn: the final part, the part that may still change, the area below, single dots."""

    name: str
    colour: int
    final: str
    provisional: str
    area: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True, slots=True)
class DataRow:
    """One time of the chart for the data table and the tooltip: ``x`` and ``ys`` (percent), then texts."""

    x: float
    ys: tuple[float | None, ...]
    label: str
    values: tuple[str, ...]
    final: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """A line chart: lines, ticks and rows."""

    lines: tuple[Line, ...]
    value_ticks: tuple[Tick, ...]
    time_ticks: tuple[Tick, ...]
    rows: tuple[DataRow, ...]


def draw(chart: Chart, unit: Unit, timezone: ZoneInfo) -> Picture:
    """The chart over its span, with axes in round numbers and round local times."""
    values = [p.value for s in chart.series for p in s.points if p.value is not None]
    y, ticks = value_axis(values, unit)
    x = Scale(chart.start, max(chart.end, chart.start + 1))
    lines = tuple(_line(s, x, y, i % _COLOURS) for i, s in enumerate(chart.series))
    return Picture(lines, ticks, time_axis(chart.start, chart.end, timezone), _rows(chart, x, y, unit, timezone))


def spark(series: Series) -> Line:
    """A line without axes, from its first to its last point."""
    values = [float(p.value) for p in series.points if p.value is not None]
    low, high = min([0.0, *values]), max([0.0, *values])
    points = series.points
    x = Scale(points[0].start, max(points[-1].start, points[0].start + 1))
    return _line(series, x, Scale(low, high if high > low else low + 1), 0)


def needle(gauge: Gauge) -> tuple[float, tuple[tuple[float, float, str], ...]]:
    """Of a gauge, in percent of its arc: the length of the value, and (start, length, level) of each band."""
    bands = tuple((b.start * 100, (b.end - b.start) * 100, b.level) for b in gauge.bands)
    return (gauge.share or 0.0) * 100, bands


def _line(series: Series, x: Scale, y: Scale, colour: int) -> Line:
    def place(p: Point) -> tuple[float, float]:
        return x.share(p.start) * _SIDE, (1 - y.share(_float(p.value))) * _SIDE

    final, provisional, area, dots = [], [], [], []
    base = (1 - max(0.0, min(1.0, y.share(0.0)))) * _SIDE
    for run in series.runs():
        spots = [place(p) for p in run]
        settled = next((i for i, p in enumerate(run) if not p.final), len(run))
        final.append(_path(spots[:settled]))
        provisional.append(_path(spots[max(0, settled - 1) :] if settled < len(run) else []))
        if len(run) > 1:
            area.append(f"{_path(spots)}L{spots[-1][0]:.1f} {base:.1f}L{spots[0][0]:.1f} {base:.1f}Z")
        if len(run) == 1 or run[-1] is _last(series.points):
            dots.append(Dot(spots[-1][0] / 10, spots[-1][1] / 10, run[-1].final))
    # An area that does not stand on zero would lie about proportions.
    standing = y.low <= 0 <= y.high
    return Line(
        series.name, colour, "".join(final), "".join(provisional), "".join(area) if standing else "", tuple(dots)
    )


def _last(points: Sequence[Point]) -> Point | None:
    return next((p for p in reversed(points) if p.value is not None), None)


def _path(spots: Sequence[tuple[float, float]]) -> str:
    if len(spots) < 2:
        return ""
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)


def _rows(chart: Chart, x: Scale, y: Scale, unit: Unit, timezone: ZoneInfo) -> tuple[DataRow, ...]:
    by_time: dict[tuple[int, int], dict[str, Point]] = {}
    for s in chart.series:
        for p in s.points:
            by_time.setdefault((p.start, p.end), {})[s.name] = p
    rows = []
    for (start, end), points in sorted(by_time.items()):
        here = [points.get(s.name) for s in chart.series]
        rows.append(
            DataRow(
                x=x.share(start) * 100,
                ys=tuple(None if p is None or p.value is None else (1 - y.share(_float(p.value))) * 100 for p in here),
                label=_when(start, end, timezone, chart.end),
                values=tuple(unit.write(p.value if p else None) for p in here),
                final=all(p.final for p in here if p),
            )
        )
    return tuple(rows)


def _when(start: int, end: int, timezone: ZoneInfo, today: int) -> str:
    if end > start:
        return clock_span(start, end, timezone, today=today)
    return local(start, timezone).strftime("%-d %b, %H:%M:%S")


def _float(value: Number | None) -> float:
    return 0.0 if value is None else float(value)
