"""What widgets show, as frozen data: numbers and trends, series with their gaps, bands, rows. No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tusk_platform.core.formats import Number, Unit
from tusk_platform.plan.nodes import Widget
from tusk_platform.units import DAY, HOUR

Direction = Literal["up", "down", "flat", "unknown"]
Level = Literal["ok", "warning", "critical", "unknown"]


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a series over ``[start, end)``, microseconds UTC; ``final`` says it will not change any more."""

    start: int
    end: int
    value: Number | None
    final: bool = True


@dataclass(frozen=True, slots=True)
class Series:
    """Points in order of time, ``step`` apart where nothing is missing."""

    name: str
    points: tuple[Point, ...]
    step: int

    def runs(self) -> tuple[tuple[Point, ...], ...]:
        """The points cut where one is missing or has no value: a gap in the data is a gap in the line."""
        # A local day may last 25 hours.
        reach = self.step + (HOUR if self.step % DAY == 0 else 0)
        runs: list[list[Point]] = []
        before: Point | None = None
        for point in self.points:
            if point.value is None:
                before = None
                continue
            if before is None or point.start - before.start > reach:
                runs.append([])
            runs[-1].append(point)
            before = point
        return tuple(tuple(run) for run in runs)


@dataclass(frozen=True, slots=True)
class Trend:
    """A change against a span before: as a share where there is one, a direction, whether it is welcome, in words.

    ``amount`` is the change as text, ``against`` what it is compared with.
    """

    current: Number | None
    previous: Number | None
    change: float | None
    direction: Direction
    welcome: bool | None
    amount: str
    against: str

    @property
    def text(self) -> str:
        """The change in one phrase."""
        return f"{self.amount} {self.against}".strip()


@dataclass(frozen=True, slots=True)
class Counter:
    """One number over one window."""

    value: Number | None
    text: str
    start: int
    end: int
    final: bool
    trend: Trend | None = None
    spark: Series | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over the span ``[start, end)``."""

    series: tuple[Series, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: a label, the value, its length as a share of the longest."""

    label: str
    value: Number | None
    text: str
    share: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars from the longest to the shortest; ``others`` groups are summed up in no bar."""

    bars: tuple[Bar, ...]
    others: int = 0


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of a gauge, as shares of its scale."""

    start: float
    end: float
    level: Level


@dataclass(frozen=True, slots=True)
class Gauge:
    """A value on a scale with bands; ``share`` is where the needle stands, None without a value."""

    value: Number | None
    text: str
    low: Number
    high: Number
    share: float | None
    level: Level
    bands: tuple[Band, ...]
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """A table: column titles, which of them are numbers, rows as text."""

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Alerts:
    """An alert panel. ``active`` is False while nothing watches: then silence means nothing."""

    active: bool
    severities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """Nothing to show: why, and the command that changes it."""

    reason: str
    hint: str = ""
    command: str = ""


Body = Counter | Chart | Bars | Gauge | Rows | Alerts | Empty


@dataclass(frozen=True, slots=True)
class Panel:
    """A widget with what it shows. ``demo`` marks generated rows, ``note`` says which span is seen and how."""

    widget: Widget
    title: str
    body: Body
    unit: Unit = field(default_factory=Unit)
    note: str = ""
    demo: bool = False
