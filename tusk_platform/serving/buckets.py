"""The grid that a series stands on, in Python and in SQL: fixed steps in UTC, or whole days from local midnight.

It is the grid of the windows: days are counted from 1970-01-01, whole weeks from the Monday after it, and where
midnight is skipped or comes twice a day starts at the first instant of its date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tusk_platform.units import DAY, WEEK

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_EARLIEST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LATEST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Grid:
    """Buckets of one size, each from its start to the next one's; ``timezone`` None: fixed steps, however long."""

    size: int
    offset: int = 0
    timezone: str | None = None

    @property
    def daily(self) -> bool:
        """Whether buckets are whole local days, which may last 23 or 25 hours."""
        return self.timezone is not None and self.size % DAY == 0

    def floor(self, at: int) -> int:
        """Start of the bucket that holds the instant."""
        if not self.daily:
            return at - (at - self.offset) % self.size
        wall = self._wall(at)
        return self._instant(wall - (wall - self._origin) % self.size)

    def step(self, start: int, count: int = 1) -> int:
        """The start that stands ``count`` buckets after ``start`` (before, where negative)."""
        if not self.daily:
            return start + self.size * count
        # A skipped midnight makes a day start at one o'clock; its date is what counts.
        return self._instant(self._wall(start) // DAY * DAY + self.size * count)

    def sql(self, column: str, *, steps: int = 0) -> str:
        """SQL for the start of the bucket that holds a timestamp column, or of one ``steps`` later, in microseconds."""
        if not self.daily:
            # DuckDB's remainder has the sign of its left side; times before 1970 must fall into their own bucket too.
            past = f"((epoch_us({column}) - {self.offset}) % {self.size} + {self.size}) % {self.size}"
            return f"(epoch_us({column}) - {past} + {steps * self.size})"
        zone, days = f"at time zone '{self.timezone}'", self.size // DAY
        wall = f"make_timestamptz(epoch_us({column}) - {self.offset}) {zone}"
        origin = "1970-01-05" if self._origin else "1970-01-01"
        midnight = f"time_bucket(interval '{days} days', {wall}, timestamp '{origin}') + interval '{days * steps} days'"
        before = f"epoch_us(({midnight} - interval '1 microsecond') {zone}) + 1"
        return f"(least(epoch_us(({midnight}) {zone}), {before}) + {self.offset})"

    @property
    def _origin(self) -> int:
        return 4 * DAY if self.size % WEEK == 0 else 0

    def _wall(self, at: int) -> int:
        here = (_EPOCH + timedelta(microseconds=at - self.offset)).astimezone(ZoneInfo(self.timezone or "UTC"))
        return (here.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND

    def _instant(self, wall: int) -> int:
        # fold=0: of a midnight that comes twice the first, of one that is skipped the moment it is skipped.
        here = (_EPOCH + timedelta(microseconds=wall)).replace(tzinfo=ZoneInfo(self.timezone or "UTC"))
        return (here - _EPOCH) // _MICROSECOND + self.offset


def instant(micros: int) -> str:
    """SQL literal of an instant, a literal so that DuckDB can skip rows by statistics; the calendar's ends bound it."""
    within = max(_EARLIEST, min(micros, _LATEST))
    return f"timestamptz '{(_EPOCH + timedelta(microseconds=within)).isoformat(sep=' ', timespec='microseconds')}'"
