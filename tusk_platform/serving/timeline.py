"""A metric over time, exact to the newest event: windows as far as they are computed, events from there on.

Windows are refreshed only so often; what arrived since is added from the events themselves. Where windows do not add up
(an average over groups, a distinct count), all comes from the events, and what was already computed is kept until a
newer event touches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Protocol

from tusk_platform.core.formats import Number
from tusk_platform.core.widgets import Point
from tusk_platform.plan.nodes import Aggregate, Function, Plan, Session, Sliding, Stream
from tusk_platform.serving.buckets import Grid
from tusk_platform.serving.questions import Asked, adds_up, from_events, from_windows, window_grid

Key = tuple[int, str]
Values = dict[Key, tuple[Number | None, bool]]


@dataclass(frozen=True, slots=True)
class StreamState:
    """Where a stream stands: last raw batch, generation, watermark, whether its rows are made up, whether any are."""

    batch: int | None = None
    generation: int = 0
    watermark: int | None = None
    demo: bool = False


class Warehouse(Protocol):
    """What answers are computed from."""

    def rows(self, sql: str, *, table: str | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query over the lake's views; ``table`` names the only one it reads, where it is only one."""
        ...

    def state(self, stream: Stream) -> StreamState:
        """Where the stream stands now."""
        ...

    def seen(self, aggregate: Aggregate) -> tuple[int | None, int]:
        """The last raw batch the aggregate's table holds, and the generation it was computed from."""
        ...

    def events(self, stream: Stream, start: int, end: int) -> str:
        """The clean rows with event times in ``[start, end)``, as an SQL relation."""
        ...

    def touched(self, stream: Stream, batch: int) -> int | None:
        """The least event time of good rows newer than a batch; None where there is none."""
        ...

    def held(self, stream: Stream) -> int | None:
        """The event time from which on events are at hand; None where all are equally far."""
        ...

    def newest(self, stream: Stream) -> int | None:
        """The greatest event time of good rows."""
        ...


@dataclass(slots=True)
class Kept:
    """Values computed from events for ``[start, end)``, as of a batch of a generation."""

    batch: int
    generation: int
    start: int
    end: int
    values: Values


@dataclass(frozen=True, slots=True)
class Desk:
    """All one needs to answer: plan, warehouse, the time, and what was computed before."""

    plan: Plan
    warehouse: Warehouse
    now: int
    kept: dict[tuple[object, ...], Kept] = field(default_factory=dict)

    def moment(self, stream: Stream) -> int:
        """The time that counts as now for a stream: of a replay, its newest event."""
        if not stream.replay:
            return self.now
        newest = self.warehouse.newest(stream)
        return self.now if newest is None else newest + 1


def timeline(desk: Desk, asked: Asked, start: int, end: int, *, stored: bool = True) -> Values:
    """Values by bucket and group for buckets in ``[start, end)``; ``stored`` says that a table of windows exists."""
    stream = desk.plan.stream(asked.aggregate.stream)
    state = desk.warehouse.state(stream)
    if stored and adds_up(asked):
        cut = _cut(desk, asked.aggregate, stream, state, start, end)
        sql = from_windows(asked, start, cut, state.watermark)
        values = _values(desk.warehouse.rows(sql, table=asked.aggregate.table)) if start < cut else {}
        if cut < end and not isinstance(asked.aggregate.window, Session):
            live = _from_events(desk, asked, stream, cut, end)
            values = merged(values, live, asked.metric.function)
    elif stored and isinstance(asked.aggregate.window, Session):
        return {}  # events do not say which session they ended up in
    else:
        values = _computed(desk, asked, stream, state, start, end)
    return {key: (value, final and _closed(asked, key[0], state.watermark)) for key, (value, final) in values.items()}


def points(values: Mapping[Key, tuple[Number | None, bool]], asked: Asked, part: str) -> tuple[Point, ...]:
    """The values of one group as points in order of time."""
    grid = asked.grid
    if grid is None:
        return ()
    window = asked.aggregate.window
    sliding = window.size if isinstance(window, Sliding) and asked.native else None
    return tuple(
        Point(bucket, bucket + sliding if sliding else grid.step(bucket), value, final)
        for (bucket, name), (value, final) in sorted(values.items(), key=lambda item: item[0])
        if name == part
    )


def _cut(desk: Desk, aggregate: Aggregate, stream: Stream, state: StreamState, start: int, end: int) -> int:
    """Up to where the aggregate's table is to be believed."""
    seen, generation = desk.warehouse.seen(aggregate)
    if isinstance(aggregate.window, Session):
        return end
    if state.batch is None:
        return end
    if seen is None or generation != state.generation:
        return start
    if seen >= state.batch:
        return end
    touched = desk.warehouse.touched(stream, seen)
    if touched is None:
        return end
    grid = window_grid(aggregate, desk.plan.runtime.timezone)
    reach = aggregate.window.size - aggregate.window.slide if isinstance(aggregate.window, Sliding) else 0
    # What came too late to be at hand waits for the next refresh.
    held = desk.warehouse.held(stream)
    first = grid.floor(touched - reach)
    if held is not None and first < held:
        first = grid.step(grid.floor(held - 1))
    return max(start, min(end, first))


def _from_events(desk: Desk, asked: Asked, stream: Stream, start: int, end: int) -> Values:
    window = asked.aggregate.window
    until = end + window.size if isinstance(window, Sliding) and asked.native else end
    rows = desk.warehouse.events(stream, start, until)
    return _values(desk.warehouse.rows(from_events(asked, rows, start=start, end=end)))


def _computed(desk: Desk, asked: Asked, stream: Stream, state: StreamState, start: int, end: int) -> Values:
    """All from events, of which only the buckets that newer rows touch are read again."""
    if state.batch is None:
        return {}
    key = (asked, stream.name)
    kept = desk.kept.get(key)
    values: Values = {}
    begin = start
    if kept and asked.grid and kept.generation == state.generation and kept.start <= start:
        values = {k: v for k, v in kept.values.items() if start <= k[0] < end}
        touched = desk.warehouse.touched(stream, kept.batch) if kept.batch < state.batch else None
        begin = kept.end if touched is None else max(start, min(kept.end, _first_bucket(asked, touched)))
        values = {k: v for k, v in values.items() if k[0] < begin}
    if begin < end:
        values |= _from_events(desk, asked, stream, begin, end)
    if asked.grid:
        desk.kept[key] = Kept(state.batch, state.generation, start, end, values)
    return values


def _first_bucket(asked: Asked, touched: int) -> int:
    assert asked.grid is not None  # noqa: S101 - asked of a grid only
    window = asked.aggregate.window
    reach = window.size - window.slide if isinstance(window, Sliding) and asked.native else 0
    return asked.grid.floor(touched - reach)


def _closed(asked: Asked, bucket: int, watermark: int | None) -> bool:
    """Whether no row can count for the bucket any more."""
    if watermark is None or asked.grid is None:
        return False
    match asked.aggregate.window:
        case Session(gap, _):
            beyond = gap
        case Sliding(size, slide, _):
            beyond = size - slide
        case _:
            beyond = 0
    return asked.grid.step(bucket) + beyond + asked.aggregate.allowed_lateness <= watermark


def _values(rows: Iterable[tuple[Any, ...]]) -> Values:
    return {(int(bucket), str(part)): (value, bool(final)) for bucket, part, value, final in rows}


def merged(stored: Values, live: Values, function: Function) -> Values:
    """Windows and the events after them as one; a bucket that has of both is put together."""
    result = dict(stored)
    for key, (value, final) in live.items():
        had = stored.get(key)
        if had is None or had[0] is None:
            result[key] = (value, final)
        elif value is not None:
            result[key] = (_together(had[0], value, function), had[1] and final)
    return result


def _together(a: Number, b: Number, function: Function) -> Number:
    match function:
        case "min":
            return min(a, b)
        case "max":
            return max(a, b)
        case _ if isinstance(a, Decimal) or isinstance(b, Decimal):
            return Decimal(str(a)) + Decimal(str(b))
        case _:
            return a + b


def grid_of(desk: Desk, aggregate: Aggregate, size: int | None = None) -> Grid:
    """The aggregate's own grid, or buckets of another size that tile it where they can."""
    zone = desk.plan.runtime.timezone
    own = window_grid(aggregate, zone)
    if size is None or size == own.size:
        return own
    wide = Grid(size, own.offset, zone)
    return wide if wide.daily == own.daily else Grid(size, 0, zone)
