"""SQL for what widgets ask: a metric in total over all groups, per bucket or per group, from windows or from events.

From windows where that is exact (sums, counts, extremes), else from the events behind them: an average of averages is
not the average. A row counts for a window by the rule of the windows themselves, so both ways give one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tusk_platform.core.views import quoted
from tusk_platform.generate.metric_sql import metric_sql
from tusk_platform.generate.model_sql import counts_beyond_filter
from tusk_platform.plan.nodes import Aggregate, Metric, Session, Sliding, Tumbling
from tusk_platform.serving.buckets import Grid, instant
from tusk_platform.units import DAY

EVENT_COUNT: Final = Metric("event_count", "count", "integer")
MERGEABLE: Final = frozenset({"count", "sum", "min", "max", "rate"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One metric of an aggregate in buckets of a grid, or (no grid) over all the span.

    ``by`` splits by a dimension; ``every`` counts rows however late they came.
    """

    aggregate: Aggregate
    metric: Metric
    grid: Grid | None
    by: str | None = None
    every: bool = False
    timezone: str = "UTC"

    @property
    def group(self) -> str:
        """SQL of the group a row belongs to, as text; one group where nothing splits."""
        return f"coalesce({quoted(self.by)}::varchar, '(none)')" if self.by else "''"

    def bucket(self, column: str) -> str:
        """SQL of the bucket a timestamp column falls into."""
        return self.grid.sql(column) if self.grid else "0"

    @property
    def native(self) -> bool:
        """Whether each bucket is one window."""
        match self.aggregate.window:
            case Tumbling(size, offset):
                return self.grid is not None and (self.grid.size, self.grid.offset) == (size, offset)
            case Sliding(_, slide, offset):
                return self.grid is not None and (self.grid.size, self.grid.offset) == (slide, offset)
            case Session():
                return False


def window_grid(aggregate: Aggregate, timezone: str) -> Grid:
    """The grid on which the aggregate's windows start; sessions start anywhere and get one of their gap."""
    match aggregate.window:
        case Tumbling(size, offset):
            return Grid(size, offset, timezone)
        case Sliding(_, slide, offset):
            return Grid(slide, offset)
        case Session(gap, _):
            return Grid(gap)


def adds_up(asked: Asked) -> bool:
    """Whether the windows alone give the exact answer in these buckets and groups."""
    if asked.native and set(asked.aggregate.dimensions) <= ({asked.by} if asked.by else set()):
        return True
    if asked.metric.function not in MERGEABLE:
        return False
    match asked.aggregate.window:
        case Tumbling(size, offset):
            return asked.grid is None or _tiles(asked.grid, size, offset)
        case Sliding():
            # Wider buckets would count an event once for every window it is in.
            return asked.native
        case Session():
            return True


def _tiles(grid: Grid, size: int, offset: int) -> bool:
    """Whether every bucket of the grid is made of whole windows."""
    if grid.size % size or (grid.offset - offset) % size:
        return False
    if not grid.daily or size % DAY == 0:
        return True
    # Local midnight must be a border of the windows, in winter and in summer.
    zone = ZoneInfo(grid.timezone or "UTC")
    offsets = [datetime(2026, month, 1, tzinfo=UTC).astimezone(zone).utcoffset() for month in (1, 7)]
    return all((o or timedelta()) % timedelta(microseconds=size) == timedelta() for o in offsets)


def from_windows(asked: Asked, start: int, end: int, watermark: int | None = None) -> str:
    """Rows (bucket, group, value, is_final) from the windows that start in ``[start, end)``; ``adds_up`` must hold.

    Of sessions the watermark says which are final; of other windows their bucket does.
    """
    column = quoted(asked.metric.name)
    match asked.metric.function:
        case "count" | "sum":
            value = f"sum({column})"
        case "min" | "max" as extreme:
            value = f"{extreme}({column})"
        case "rate" if not asked.native:
            # A rate is its count ÷ the seconds of the window, so counts are had back before they are divided anew.
            span = asked.grid.size if asked.grid else end - start
            value = f"sum({column} * (epoch_us(window_end) - epoch_us(window_start))) / {span}"
        case "rate":
            value = f"sum({column})"
        case _:
            value = f"any_value({column})"
    final = "true"
    if isinstance(asked.aggregate.window, Session):
        closes = f"epoch_us(window_end) + {asked.aggregate.allowed_lateness}"
        final = "false" if watermark is None else f"bool_and({closes} <= {watermark})"
    return (
        f"select {asked.bucket('window_start')} as bucket, {asked.group} as part, {value} as value, "
        f"{final} as is_final from agg.{quoted(asked.aggregate.name)} "
        f"where window_start >= {instant(start)} and window_start < {instant(end)} group by 1, 2 order by 1, 2"
    )


def from_events(asked: Asked, rows: str, *, start: int, end: int) -> str:
    """Rows (bucket, group, value, true) from event rows, given as an SQL relation, of the windows from ``start`` on."""
    relation = counted(asked, rows)
    opened, closed = (
        asked.bucket("_event_time"),
        asked.grid.sql("_event_time", steps=1) if asked.grid else str(end - start),
    )
    window = asked.aggregate.window
    if isinstance(window, Sliding) and asked.native:
        # Each event counts in every window that holds it, unless it came too late for that one.
        least = f"greatest({start}, {opened} - {(window.size - 1) // window.slide * window.slide})"
        spread = (
            f"(select *, unnest(range({least}, least({opened} + 1, {end}), {window.slide})) as _opened from {relation})"
        )
        inside = f"epoch_us(_event_time) < _opened + {window.size} and {_in_time(asked, f'_opened + {window.size}')}"
        relation = f"(select * from {spread} where {inside})"
        opened, closed = "_opened", f"_opened + {window.size}"
    return _grouped(asked, relation, opened=opened, closed=closed, group=asked.group)


def two_parts(asked: Asked, rows: str, *, before: int, window: tuple[int, int], elapsed: int) -> str:
    """Rows as above: the first ``elapsed`` of a window, and as much of the one that starts at ``before``."""
    start, end = window
    opened = f"case when epoch_us(_event_time) >= {start} then {start} else {before} end"
    closes = f"case when epoch_us(_event_time) >= {start} then {end} else {start} end"
    until = f"case when epoch_us(_event_time) >= {start} then {start + elapsed} else {min(start, before + elapsed)} end"
    relation = f"(select * from {rows} as event where epoch_us(_event_time) < {until} and {_in_time(asked, closes)})"
    return _grouped(asked, relation, opened=opened, closed=f"{opened} + {elapsed}", group="''")


def _grouped(asked: Asked, relation: str, *, opened: str, closed: str, group: str) -> str:
    aggregate = asked.aggregate
    # Where a denominator counts the whole window, the filter must not take rows away before it has counted them.
    where = aggregate.where if counts_beyond_filter(aggregate) else None
    windowed = (
        f"select *, make_timestamptz({opened}) as window_start, make_timestamptz({closed}) as window_end, "
        f"{group} as _part from {relation}"
    )
    some = f" having count(*) filter (where {where}) > 0" if where else ""
    return (
        f"select epoch_us(window_start) as bucket, _part as part, {metric_sql(asked.metric, where)} as value, "
        f"true as is_final from ({windowed}) group by window_start, window_end, _part{some} order by 1, 2"
    )


def counted(asked: Asked, rows: str) -> str:
    """The rows that count for some window of the aggregate, as an SQL relation."""
    grid = window_grid(asked.aggregate, asked.timezone)
    match asked.aggregate.window:
        case Tumbling():
            end = grid.sql("_event_time", steps=1)
        case Sliding(size, slide, _):
            end = f"{grid.sql('_event_time', steps=1)} + {size - slide}"
        case Session(gap, _):
            end = f"epoch_us(_event_time) + {gap}"
    return f"(select * from {rows} as event where {_in_time(asked, end)})"


def _in_time(asked: Asked, end: str) -> str:
    """SQL: the row came before its window, which ends at ``end``, was final, and belongs to the aggregate."""
    aggregate = asked.aggregate
    late = f"(_watermark is null or {end} + {aggregate.allowed_lateness} > epoch_us(_watermark))"
    where = None if counts_beyond_filter(aggregate) else aggregate.where
    return f"{'true' if asked.every else late} and ({where or 'true'})"


def newest_of_series(aggregate: Aggregate, rows: str) -> str:
    """One row: the newest value of a series of a long stream, and its time."""
    return (
        f"select arg_max(value, _event_time), epoch_us(max(_event_time)) from {rows} as event "
        f"where {aggregate.where or 'true'} and value is not null"
    )
