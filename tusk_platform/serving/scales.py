"""Axes: round numbers for values, round local times for time, and where on a picture a value stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tusk_platform.core.formats import Number, Unit
from tusk_platform.units import DAY, HOUR, MINUTE, SECOND

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DECIMAL_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_SECOND_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_TIME_STEPS: Final = (
    *(SECOND * n for n in (1, 2, 5, 10, 15, 30)),
    *(MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(HOUR * n for n in (1, 2, 3, 6, 12)),
    *(DAY * n for n in (1, 2, 3, 7, 14, 28, 56, 91, 182, 364)),
)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: ``share`` of its length, and the label; a ``minor`` one goes first where room is short."""

    share: float
    label: str
    minor: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of values laid out along an axis."""

    low: float
    high: float

    def share(self, value: float) -> float:
        """Where the value stands: 0 at the low end, 1 at the high end."""
        return (value - self.low) / (self.high - self.low)


def value_axis(values: Sequence[Number], unit: Unit, *, ticks: int = 5) -> tuple[Scale, tuple[Tick, ...]]:
    """A scale with round ends that holds all values, and its ticks; it begins at zero unless all is far from there."""
    factor = float(unit.factor)
    shown = [float(v) * factor for v in values if math.isfinite(v)]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    if low >= 0 and (high <= 0 or low / high < 0.7):
        low = 0.0
    elif low < 0 < high or high <= 0:
        high = max(high, 0.0)
    if high - low < max(abs(high), abs(low)) * 1e-9 or high == low:
        low, high = (low * 0.9, high * 1.1) if low > 0 else (low, high + 1)
    whole = all(isinstance(v, int) for v in values) and factor == 1
    step = _round_step((high - low) / ticks, unit, whole=whole)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    scale = Scale(first * step / factor, last * step / factor)
    marks = [i * step for i in range(first, last + 1)]
    bare = Unit(unit.format, unit.currency)
    return scale, tuple(Tick(scale.share(m / factor), bare.write(_tidy(m), compact=True)) for m in marks)


def _round_step(least: float, unit: Unit, *, whole: bool) -> float:
    if unit.format == "duration" and least > 1:
        return next((float(s) for s in _SECOND_STEPS if s >= least), math.ceil(least / 86_400) * 86_400.0)
    power = 10.0 ** math.floor(math.log10(least))
    step = next(m * power for m in _DECIMAL_STEPS if m * power >= least * (1 - 1e-9))
    return max(1.0, math.ceil(step)) if whole else step


def _tidy(value: float) -> Number:
    rounded = round(float(value), 10)
    return int(rounded) if rounded.is_integer() else rounded


def time_axis(start: int, end: int, timezone: ZoneInfo, *, ticks: int = 9) -> tuple[Tick, ...]:
    """Marks at round local times; midnight is written as the date."""
    span = max(end - start, 1)
    step = next((s for s in _TIME_STEPS if span / s <= ticks), _TIME_STEPS[-1])
    scale = Scale(start, start + span)
    marks = []
    for count, at in enumerate(_round_times(start, end, step, timezone)):
        here = local(at, timezone)
        clock = here - here.replace(hour=0, minute=0, second=0, microsecond=0)
        form = "%-d %b" if not clock or step >= DAY else "%H:%M:%S" if step < MINUTE else "%H:%M"
        # Every other one, but never the date.
        order = count if step >= DAY else clock // timedelta(microseconds=step)
        marks.append(Tick(scale.share(at), here.strftime(form), order % 2 == 1))
    return tuple(marks)


def _round_times(start: int, end: int, step: int, timezone: ZoneInfo) -> list[int]:
    """Multiples of ``step`` counted from a local midnight, so that they stay round across a change of clocks."""
    first = local(start, timezone)
    origin = datetime(first.year, first.month, first.day)  # noqa: DTZ001 - wall time, the zone is added below
    count = int((first.replace(tzinfo=None) - origin) / timedelta(microseconds=step))
    times: list[int] = []
    while True:
        wall = origin + timedelta(microseconds=step * count)
        at = (wall.replace(tzinfo=timezone) - _EPOCH) // timedelta(microseconds=1)
        if at > end:
            return times
        if at >= start and (not times or at > times[-1]):
            times.append(at)
        count += 1


def local(micros: int, timezone: ZoneInfo) -> datetime:
    """The instant as local wall time."""
    return (_EPOCH + timedelta(microseconds=micros)).astimezone(timezone)


def clock_span(start: int, end: int, timezone: ZoneInfo, *, today: int) -> str:
    """A window as people say it: ``14:00–15:00``, with the date where it is not today's."""
    a, b, now = local(start, timezone), local(end, timezone), local(today, timezone)
    if (end - start) % DAY == 0 and a.hour == a.minute == b.hour == b.minute == 0:
        last = b - timedelta(days=1)
        return f"{a:%-d %b}" if last.date() == a.date() else f"{a:%-d %b} – {last:%-d %b}"
    form = "%H:%M" if start % MINUTE == 0 and end % MINUTE == 0 else "%H:%M:%S"
    text = f"{a.strftime(form)}–{b.strftime(form)}"
    return text if a.date() == now.date() else f"{a:%-d %b}, {text}"
