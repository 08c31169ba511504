"""Bring a stream's events into the lake: rows, verdicts and positions in one commit a batch, each event once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core.decode import Derive, decode
from tusk_platform.core.lateness import late_for_all
from tusk_platform.core.schema import TIMESTAMP, raw_schema
from tusk_platform.errors import Unavailable
from tusk_platform.jobs.standing import Standing, read_standing
from tusk_platform.plan.nodes import DEMO_PARTITION, Aggregate, Stream
from tusk_platform.plan.profile import Runtime
from tusk_platform.ports import Batch, Budget, Chunk, Source
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.lake import Handle, Lake
from tusk_platform.units import SECOND

# A commit holds at most so many records, however much comes within its interval.
COMMIT_ROWS: Final = 100_000
# What a byte of an event holds until it is committed, as bytes, as values, as columns and as a file: measured, 7 to 8.
_HELD: Final = 8
# So long a source or the lake may fail before it is called unavailable, where no deadline comes first.
PATIENCE: Final = 30 * SECOND
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0
# Waiting for what may never come is no use when only what is there now is wanted.
_SHORT_WAIT: Final = 0.2
_DEFAULTS: Final = Runtime()


def never() -> bool:
    """No."""
    return False


@dataclass(frozen=True, slots=True)
class Until:
    """When to stop: after all that is there now (``once``), at a time of the clock, or when ``stopping`` says so."""

    once: bool = False
    deadline: int | None = None
    stopping: Callable[[], bool] = never


@dataclass(frozen=True, slots=True)
class Committed:
    """One batch that is in the lake now; ``late`` of its ok rows count for no aggregate."""

    stream: str
    batch: int
    rows: int
    quarantined: int
    late: int
    watermark: int | None


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one call brought in: ``rows`` are ok, ``late`` count for no aggregate, ``duplicates`` repeat a dedup key."""

    stream: str
    rows: int = 0
    quarantined: int = 0
    late: int = 0
    duplicates: int = 0
    batches: int = 0
    position: Mapping[str, int] = field(default_factory=dict)
    watermark: int | None = None
    lag: int | None = None


class Steady:
    """A clock that goes on where another one was put back: for spans of time, which must not become longer by it.

    >>> times = iter([100, 110, 50, 60])
    >>> clock = Steady(lambda: next(times))
    >>> clock(), clock(), clock()
    (110, 110, 120)
    """

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._last = clock()
        self._back = 0

    def __call__(self) -> int:
        """Microseconds, never fewer than before."""
        now = self._clock()
        self._back += max(0, self._last - now)
        self._last = now
        return now + self._back


# How many ok rows of these batches, first to last, repeat a key that was there before.
CountDuplicates = Callable[[int, int], int]


def ingest(  # noqa: PLR0913 - keyword-only from the fifth on
    stream: Stream,
    aggregates: Sequence[Aggregate],
    source: Source,
    lake: Lake,
    *,
    clock: Callable[[], int],
    until: Until,
    runtime: Runtime = _DEFAULTS,
    derive: Derive | None = None,
    on_batch: Callable[[Committed], object] | None = None,
    duplicates: CountDuplicates | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> IngestReport:
    """Read, judge and commit batches until told to stop. The caller holds the stream's lease.

    A source or lake that fails is tried again within the time given, then Unavailable is raised; what was committed
    before stays, what was not is read again by the next call.
    """
    schema = raw_schema(stream)
    lake.create(stream.table, schema, partition_by=("_status", "_ingested_date"), statistics=("_event_time", "_batch"))
    loop = _Loop(stream, tuple(aggregates), source, lake, clock, until, runtime, derive, on_batch, sleep)
    loop.run()
    return loop.report(duplicates)


@dataclass(slots=True)
class _Loop:
    stream: Stream
    aggregates: tuple[Aggregate, ...]
    source: Source
    lake: Lake
    clock: Callable[[], int]
    until: Until
    runtime: Runtime
    derive: Derive | None
    on_batch: Callable[[Committed], object] | None
    sleep: Callable[[float], None]
    done: list[Committed] = field(default_factory=list)
    standing: Standing | None = None
    handle: Handle | None = None
    reached: set[str] = field(default_factory=set)
    pause: float = _FIRST_PAUSE
    failing_since: int | None = None
    timer: Callable[[], int] = field(init=False)

    def __post_init__(self) -> None:
        self.timer = Steady(self.clock)

    def run(self) -> None:
        """Batch after batch. Whatever fails, the batch is dropped and read again from where the lake says."""
        while True:
            try:
                standing = self.one()
            except Unavailable as error:
                self.handle = None
                self.reached.clear()
                if self.until.stopping():
                    return
                self.wait_or_raise(error)
                continue
            self.pause, self.failing_since = _FIRST_PAUSE, None
            if self.finished(standing):
                return

    def one(self) -> Standing:
        """Read and commit one batch."""
        partitions = frozenset(self.source.partitions())
        if self.handle is None:
            self.handle, self.standing = self.lake.open(self.stream.table), None
        standing = self.standing
        if standing is None or standing.partitions != standing.counted(partitions):
            standing = read_standing(self.stream, self.handle, partitions, self.clock(), standing)
        batch, position = self.gather(standing)
        self.standing = self.commit(self.handle, standing, batch, position)
        return self.standing

    def gather(self, standing: Standing) -> tuple[Batch, dict[str, int]]:
        """All that comes within one commit interval and fits the buffer, and the position after it."""
        end = self.timer() + self.runtime.commit_interval
        if self.until.deadline is not None:
            end = min(end, self.until.deadline)
        position = dict(standing.position)
        chunks: list[Chunk] = []
        at_end: set[str] = set()
        rows = size = 0
        while rows < COMMIT_ROWS and size * _HELD < self.runtime.memory.pool:
            asked = self.timer()
            wait = max(0, end - asked) / SECOND
            budget = Budget(
                min(self.runtime.batch_rows, COMMIT_ROWS - rows), min(wait, _SHORT_WAIT) if self.until.once else wait
            )
            try:
                part = _without_retired(self.source.read(position, budget), standing)
            except Unavailable:
                if not rows:
                    raise
                break  # what came before it is kept; the next read tells whether the failure lasts
            position |= {c.partition: c.next_offset for c in part.chunks}
            chunks += [c for c in part.chunks if c.offsets]
            at_end = (at_end - {c.partition for c in part.chunks if c.offsets}) | part.at_end
            rows += part.rows
            size += sum(map(_bytes, part.chunks))
            if self.timer() >= end or self.until.stopping() or self.all_read(standing, at_end):
                break
            if not part.rows and self.timer() - asked < SECOND // 20:
                self.sleep(min(wait, 0.05))  # a source that does not wait for records
        return Batch(tuple(chunks), frozenset(at_end)), position

    def all_read(self, standing: Standing, at_end: set[str]) -> bool:
        """Whether ``once`` has come to the end of every partition."""
        return self.until.once and self.reached | at_end >= standing.partitions

    def commit(self, handle: Handle, standing: Standing, batch: Batch, position: dict[str, int]) -> Standing:
        """Put a batch and its position into the lake; without anything to say nothing is committed."""
        now = self.clock()
        if standing.shows_demo and any(c.partition != DEMO_PARTITION for c in batch.chunks):
            standing = self.retire_demo(handle, standing)
            batch = _without_retired(batch, standing)
            position[DEMO_PARTITION] = standing.position[DEMO_PARTITION]
        if batch.rows:
            reach("after_poll")
        decoded = decode(self.stream, batch, now, derive=self.derive)
        after = standing.after(batch, position, decoded.newest, now)
        if batch.rows or after.position != standing.position or after.clocks.watermark != standing.clocks.watermark:
            rows = _stamped(decoded.rows, after.batch, standing.watermark)
            handle.append(rows, after.transactions())
            reach("after_commit")
            after = after.committed()
            self.told(after)
            if batch.rows:
                self.note(rows, decoded.quarantined, after)
        self.reached |= batch.at_end
        return after

    def retire_demo(self, handle: Handle, standing: Standing) -> Standing:
        """Remove the generated events: a commit of its own, before that of the first real ones.

        Killed between the two, the next call finds the demo retired and reads the real events again.
        """
        if DEMO_PARTITION not in standing.position:
            return standing.without_demo()  # none was ever read: that they will not be goes into the next commit
        after = standing.without_demo()
        handle.delete(f"_partition = '{DEMO_PARTITION}'", after.transactions())
        return after.committed()

    def told(self, standing: Standing) -> None:
        """Tell the source how far it was read: a hint, so its loss is none."""
        try:
            self.source.acknowledge(standing.position)
        except Unavailable:
            return

    def note(self, rows: pa.Table, quarantined: int, after: Standing) -> None:
        """Remember what a batch brought and tell who wants to know."""
        committed = Committed(
            self.stream.name,
            after.batch,
            rows.num_rows - quarantined,
            quarantined,
            self.late(rows),
            after.clocks.watermark,
        )
        self.done.append(committed)
        if self.on_batch:
            self.on_batch(committed)

    def late(self, rows: pa.Table) -> int:
        """How many ok rows count for no window of any aggregate."""
        watermarks = rows.column("_watermark")
        if watermarks.null_count == rows.num_rows:
            return 0
        judged = rows.filter(pc.and_(pc.equal(rows.column("_status"), "ok"), pc.is_valid(watermarks)))
        times, met = (judged.column(n).combine_chunks().cast(pa.int64()) for n in ("_event_time", "_watermark"))
        late: int = late_for_all(times, met, self.aggregates, self.runtime.timezone).true_count
        return late

    def finished(self, standing: Standing) -> bool:
        """Whether it is time to stop."""
        deadline = self.until.deadline
        return (
            self.until.stopping()
            or (deadline is not None and self.timer() >= deadline)
            or self.all_read(standing, set())
        )

    def wait_or_raise(self, error: Unavailable) -> None:
        """Wait a little longer each time; out of time, say what failed and what is safe."""
        now = self.timer()
        self.failing_since = now if self.failing_since is None else self.failing_since
        given_up = self.failing_since + PATIENCE
        if self.until.deadline is not None:
            given_up = min(given_up, self.until.deadline)
        if now >= given_up:
            raise Unavailable(
                f"stream `{self.stream.name}`: {error}; {len(self.done)} batches were committed before, nothing is lost"
            ) from error
        self.sleep(min(self.pause, (given_up - now) / SECOND))
        self.pause = min(self.pause * 2, _LONGEST_PAUSE)

    def report(self, duplicates: CountDuplicates | None) -> IngestReport:
        """The sums of all batches, and where the stream stands now."""
        report = IngestReport(
            self.stream.name,
            rows=sum(d.rows for d in self.done),
            quarantined=sum(d.quarantined for d in self.done),
            late=sum(d.late for d in self.done),
            batches=len(self.done),
        )
        if report.rows and duplicates and self.stream.dedup_key and not self.stream.changes:
            report = replace(report, duplicates=duplicates(self.done[0].batch, self.done[-1].batch))
        if self.standing is None:
            return report
        counted = {p: at for p, at in self.standing.position.items() if p in self.standing.partitions}
        return replace(report, position=counted, watermark=self.standing.clocks.watermark, lag=self.lag(counted))

    def lag(self, position: Mapping[str, int]) -> int | None:
        """Records behind the source's end, where it can say."""
        try:
            return self.source.lag(position)
        except Unavailable:
            return None


def _without_retired(batch: Batch, standing: Standing) -> Batch:
    if not standing.demo_retired:
        return batch
    return Batch(tuple(c for c in batch.chunks if c.partition != DEMO_PARTITION), batch.at_end)


def _stamped(rows: pa.Table, batch: int, watermark: int | None) -> pa.Table:
    """Rows with the number of their batch and the watermark of its beginning.

    What corrects a row of a table is not late, whenever it comes: it has no watermark, and so it always counts.
    """
    met = pa.repeat(pa.scalar(watermark, TIMESTAMP), rows.num_rows)
    if "_op" in rows.column_names:
        met = pc.if_else(pc.equal(rows.column("_op"), "insert"), met, pa.scalar(None, TIMESTAMP))
    for name, values in (("_batch", pa.repeat(pa.scalar(batch, pa.int64()), rows.num_rows)), ("_watermark", met)):
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), values)
    return rows


def _bytes(chunk: Chunk) -> int:
    if chunk.rows is not None:
        size: int = chunk.rows.nbytes
        return size
    return sum(map(len, filter(None, chunk.payloads or ())))
