"""The slow, plain reference engine: windows and metrics by their definitions, one event at a time, without SQL."""

from __future__ import annotations

import functools
import math
import statistics
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tusk_platform.plan.nodes import RETRACTIONS, Aggregate, Metric, Op, Plan, Session, Sliding, Stream, Tumbling
from tusk_platform.units import DAY, SECOND, WEEK

Condition = Callable[[Mapping[str, Any]], bool]
Window = tuple[int, int]
Key = tuple[int, int, tuple[Any, ...]]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A row of raw: event time and watermark in microseconds, where it came from, and the stream's columns.

    ``op`` and ``key`` where it says what happened to a row of a table.
    """

    time: int
    batch: int
    offset: int
    watermark: int | None = None
    partition: str = "0"
    values: Mapping[str, Any] = field(default_factory=dict)
    ok: bool = True
    op: Op | None = None
    key: str | None = None

    @property
    def arrival(self) -> tuple[int, int, str]:
        """Order in which events came."""
        return self.batch, self.offset, self.partition


def rows(
    plan: Plan, aggregate: Aggregate, events: Iterable[Event], conditions: Mapping[str, Condition] | None = None
) -> dict[Key, Row]:
    """Every row of an aggregate over all events so far: (start, end, dimensions) -> event_count and metrics.

    ``conditions`` gives for every SQL condition of the aggregate the same condition in Python.
    """
    stream = plan.stream(aggregate.stream)
    holds = _Conditions(conditions or {})
    once = images(events) if stream.changes else without_repeats(stream, events)
    of_window: dict[Window, list[Event]] = {}
    if isinstance(aggregate.window, Session):
        groups = _sessions(aggregate, aggregate.window, [e for e in once if holds(aggregate.where, e)])
    else:
        groups = {}
        for window, event in ((w, e) for e in once for w in windows(plan, aggregate, e)):
            of_window.setdefault(window, []).append(event)
            if holds(aggregate.where, event):
                groups.setdefault((*window, _dimensions(aggregate, event)), []).append(event)
    return {
        key: {"event_count": len(members)}
        | {m.name: metric(m, members, of_window.get(key[:2], []), key[:2], holds) for m in aggregate.metrics}
        for key, members in groups.items()
    }


class _Conditions:
    def __init__(self, known: Mapping[str, Condition]) -> None:
        self._known = known

    def __call__(self, sql: str | None, event: Event) -> bool:
        return sql is None or self._known[sql](event.values)


def without_repeats(stream: Stream, events: Iterable[Event]) -> list[Event]:
    """Rows that kept every rule; of those with one dedup key within the horizon only what came first."""
    ok = [e for e in events if e.ok]
    if not stream.deduplicate:
        return ok

    def key(e: Event) -> tuple[Any, ...]:
        return tuple(e.values.get(k) for k in stream.dedup_key)

    def repeats(later: Event, earlier: Event) -> bool:
        near = abs(later.time - earlier.time) <= stream.dedup_horizon
        return near and key(earlier) == key(later) and earlier.arrival < later.arrival

    return [e for e in ok if None in key(e) or not any(repeats(e, other) for other in ok)]


def images(events: Iterable[Event]) -> list[Event]:
    """Of the good rows of a table the last image of each, unless it was taken back."""
    last: dict[str, Event] = {}
    for event in sorted((e for e in events if e.ok), key=lambda e: e.offset):
        assert event.key is not None
        last[event.key] = event
    return [e for e in last.values() if e.op not in RETRACTIONS]


def windows(plan: Plan, aggregate: Aggregate, event: Event) -> list[Window]:
    """The windows that an event counts for: those whose end plus lateness the watermark had not reached."""
    match aggregate.window:
        case Tumbling(size=size, offset=offset):
            found = _covering(event.time, size, size, offset, plan.runtime.timezone)
        case Sliding(size=size, slide=slide, offset=offset):
            found = _covering(event.time, size, slide, offset, plan.runtime.timezone)
        case _:
            raise AssertionError("sessions are not made event by event")
    return [w for w in found if event.watermark is None or w[1] + aggregate.allowed_lateness > event.watermark]


def _covering(time: int, size: int, slide: int, offset: int, timezone: str) -> list[Window]:
    """The windows of a grid that an instant lies in: whole days start at local midnight, whole weeks on a Monday."""
    if size % DAY or slide % DAY:
        last = time - (time - offset) % slide
        starts = range(last, last - size, -slide)
        return [(s, s + size) for s in starts if s + size > time]
    zone = ZoneInfo(timezone)
    origin = date(1970, 1, 5) if slide % WEEK == 0 else date(1970, 1, 1)
    today = _local(time - offset, zone)
    last_day = today - timedelta(days=(today - origin).days % (slide // DAY))
    days = [last_day - timedelta(days=back) for back in range(0, size // DAY, slide // DAY)]
    ends = [(d, d + timedelta(days=size // DAY)) for d in days]
    return [(midnight(a, zone) + offset, midnight(b, zone) + offset) for a, b in ends if b > today]


def _dimensions(aggregate: Aggregate, event: Event) -> tuple[Any, ...]:
    return tuple(event.values.get(d) for d in aggregate.dimensions)


def _sessions(aggregate: Aggregate, window: Session, events: Iterable[Event]) -> dict[Key, list[Event]]:
    """Sessions of each key: what is linked, cut where it gets too long; the next event starts a new one."""
    gap, live = window.gap, window.gap + aggregate.allowed_lateness
    of_key: dict[tuple[Any, ...], list[Event]] = {}
    for event in events:
        if event.watermark is None or event.time + live > event.watermark:
            of_key.setdefault(_dimensions(aggregate, event), []).append(event)
    found = {}
    for key, members in of_key.items():
        rest = sorted(members, key=lambda e: (e.time, e.arrival))
        while rest:
            within = [e for e in rest if e.time < rest[0].time + window.max_size]
            session = _linked(rest[0], within, gap, live)
            found[session[0].time, max(e.time for e in session) + gap, key] = session
            rest = [e for e in rest if e not in session]
    return found


def _linked(first: Event, events: Sequence[Event], gap: int, live: int) -> list[Event]:
    """All events connected with the first by links between any two of them."""

    def linked(p: Event, q: Event) -> bool:
        earlier, later = sorted((p, q), key=lambda e: (e.time, e.arrival))
        in_time = later.watermark is None or earlier.time + live > later.watermark
        return later.time - earlier.time <= gap and in_time

    session, waiting = [first], [first]
    while waiting:
        reached = waiting.pop()
        for other in events:
            if other not in session and linked(reached, other):
                session.append(other)
                waiting.append(other)
    return sorted(session, key=lambda e: (e.time, e.arrival))


def _local(time: int, zone: ZoneInfo) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time)).astimezone(zone).date()


@functools.cache
def midnight(day: date, zone: ZoneInfo) -> int:
    """The first instant of a local date: searched second by second, because midnight may be skipped or come twice."""
    noon = int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp())
    seconds = range(noon - 36 * 3600, noon + 36 * 3600)
    return seconds[bisect_left(seconds, 1, key=lambda s: int(_local(s * SECOND, zone) >= day))] * SECOND


def metric(
    m: Metric, members: Sequence[Event], of_window: Sequence[Event], window: Window, holds: _Conditions
) -> int | float | Decimal | datetime | None:
    """One metric over the events of a group; ``of_window`` are those of all groups, filtered out or not."""
    mine = [e for e in members if holds(m.where, e)]
    values = [v for e in mine if m.column and (v := e.values.get(m.column)) is not None]
    if m.function == "count":
        return len(values) if m.column else len(mine)
    if m.function == "rate":
        return len(mine) / ((window[1] - window[0]) / SECOND)
    if m.function == "ratio":
        base = of_window if m.denominator_scope == "window" else members
        below = sum(holds(m.where, e) and holds(m.denominator, e) for e in base)
        return sum(holds(m.numerator, e) for e in mine) / below if below else None
    if m.function == "distinct":
        return len(set(values))
    return _of_values(m.function, values) if values else None


def _of_values(function: str, values: list[Any]) -> Any:  # noqa: ANN401 - of the column's own type
    match function:
        case "sum":
            return sum(values)
        case "avg":
            return float(sum(values)) / len(values)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "stddev":
            return statistics.stdev([float(v) for v in values]) if len(values) > 1 else None
        case _:
            return quantile(sorted(float(v) for v in values), int(function.removeprefix("p")) / 100)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The quantile between the two nearest values, linearly."""
    place = share * (len(ordered) - 1)
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)
