"""The newest events of a stream in memory, followed commit by commit.

Events come in many small files until they are compacted: a look at two hours of them costs half a second from the lake
and a few milliseconds from here. Files are skipped by batch, so that following costs about as much as one file.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from typing import Final

import duckdb

from tusk_platform.core.views import newest_images, quoted
from tusk_platform.plan.nodes import Stream
from tusk_platform.serving.buckets import instant
from tusk_platform.units import DAY

MOST_ROWS: Final = 1_000_000
_LINEAGE: Final = ("_event_time", "_batch", "_offset", "_partition", "_watermark")
_CHANGE_LINEAGE: Final = ("_op", "_key")
_MOST_STEPS: Final = 500
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What one look brought: good rows up to a batch, and the least event time among them."""

    batch: int
    least: int


class Recent:
    """Good rows of one stream with event times of the last ``span`` microseconds, in the table ``recent.<stream>``.

    ``view`` is raw as SQL. Repeated events are marked when they arrive; they must stay to find those that repeat them.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, stream: Stream, span: int, most_rows: int) -> None:
        self.stream = stream
        self.floor: int | None = None
        self.newest: int | None = None
        self._connection = connection
        self._span = span
        self._most = most_rows
        self._table = f"recent.{quoted(stream.name)}"
        self._batch = -1
        self._generation = 0
        self._steps: deque[Step] = deque()
        self._made = False

    def follow(self, view: str, *, batch: int, generation: int, newest: int | None) -> None:
        """Take in what was committed up to a batch; everything anew where rows were taken out of raw."""
        if not self._made or generation != self._generation or batch < self._batch:
            self._start(view, generation)
        if batch == self._batch or newest is None:
            return
        if self.floor is None:
            self.floor = newest - self._span
        self._take(view, batch)
        self._batch = batch
        self._forget()

    def rows(self, start: int, end: int) -> str:
        """The clean rows of a span that is held here, as an SQL relation."""
        inside = f"_event_time >= {instant(start)} and _event_time < {instant(end)}"
        if self.stream.changes:
            return f"({newest_images(f'select * from {self._table} where {inside}')})"
        return f"(select * from {self._table} where not _repeated and {inside})"

    def touched(self, batch: int) -> int | None:
        """The least event time of rows newer than a batch; it may be less, but not more."""
        return min((step.least for step in self._steps if step.batch > batch), default=None)

    def _start(self, view: str, generation: int) -> None:
        self._connection.execute(
            f"create or replace table {self._table} as select {self._names}, false as _repeated from ({view}) limit 0"
        )
        self._batch, self._generation, self._made = -1, generation, True
        self.floor = self.newest = None
        self._steps.clear()

    def _take(self, view: str, batch: int) -> None:
        assert self.floor is not None  # noqa: S101 - set by follow
        reach = self.floor - self._horizon
        # Nothing is ingested before it happens, but for clocks that are ahead: older partitions need no look.
        day = f"_ingested_date >= ({instant(reach - self.stream.max_future - DAY)})::date"
        first = f" and _event_time >= {instant(reach)} and {day}" if self._batch < 0 else ""
        self._connection.execute(
            f"create or replace temp table arrived as select {self._names} from ({view}) "
            f"where _status = 'ok' and _batch > {self._batch} and _batch <= {batch}{first}"
        )
        found = self._connection.execute(
            "select epoch_us(min(_event_time)), epoch_us(max(_event_time)) from arrived"
        ).fetchall()
        least, newest = found[0]
        if least is None:
            return
        # The first look stands for all that came before it.
        self._steps.append(Step(batch, least if self._batch >= 0 else min(least, self.floor)))
        while len(self._steps) > _MOST_STEPS:
            old, after = self._steps.popleft(), self._steps.popleft()
            self._steps.appendleft(Step(after.batch, min(old.least, after.least)))
        self.newest = newest if self.newest is None else max(self.newest, newest)
        self._connection.execute(f"insert into {self._table} by name select *, false as _repeated from arrived")
        if self._deduplicated:
            self._connection.execute(self._mark())
        self._connection.execute("drop table arrived")

    @property
    def _names(self) -> str:
        lineage = (*_LINEAGE, *_CHANGE_LINEAGE) if self.stream.changes else _LINEAGE
        return ", ".join(quoted(n) for n in (*(c.name for c in self.stream.columns), *lineage))

    @property
    def _horizon(self) -> int:
        return self.stream.dedup_horizon if self._deduplicated else 0

    @property
    def _deduplicated(self) -> bool:
        return bool(self.stream.deduplicate and self.stream.dedup_key)

    def _mark(self) -> str:
        """SQL that marks new rows whose key came before, at about the same time.

        Few keys come twice, so these are looked for first: comparing every row with every earlier one takes seconds.
        """
        keys = ", ".join(quoted(k) for k in self.stream.dedup_key)
        same = " and ".join(f"earlier.{quoted(k)} = later.{quoted(k)}" for k in self.stream.dedup_key)
        order = " < ".join(f"({row}._batch, {row}._offset, {row}._partition)" for row in ("earlier", "later"))
        apart = f"abs(epoch_us(earlier._event_time) - epoch_us(later._event_time)) <= {self._horizon}"
        again = (
            f"select {keys} from {self._table} semi join (select distinct {keys} from arrived) using ({keys}) "
            f"group by {keys} having count(*) > 1"
        )
        rows = f"(select rowid as id, * from {self._table} semi join ({again}) using ({keys}))"
        return (
            f"update {self._table} set _repeated = true where rowid in (select later.id from {rows} as later "
            f"join {rows} as earlier on {same} and {order} and {apart} where later._batch > {self._batch})"
        )

    def _forget(self) -> None:
        """Let old rows go: now and then, and whenever there are more than memory should hold."""
        if self.floor is None or self.newest is None:
            return
        floor = self.floor
        count = self._connection.execute(f"select count(*) from {self._table}").fetchall()[0][0]
        if self.newest - floor > self._span + self._span // 4:
            floor = self.newest - self._span
        if count > self._most:
            kept = self._connection.execute(
                f"select epoch_us(quantile_disc(_event_time, {1 - self._most * 0.8 / count})) from {self._table}"
            ).fetchall()[0][0]
            floor = max(floor, kept + self._horizon)
            _logger.info("stream %s: %d recent events are too many for memory; older ones are read from the lake",
                         self.stream.name, count)  # fmt: skip
        if floor > self.floor:
            self._connection.execute(f"delete from {self._table} where _event_time < {instant(floor - self._horizon)}")
            self.floor = floor
