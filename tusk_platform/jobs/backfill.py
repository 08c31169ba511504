"""A span of the past once more: its windows from raw, and its events from where they came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core import transactions
from tusk_platform.core.decode import Derive, decode
from tusk_platform.errors import Conflict, Unavailable, UsageError
from tusk_platform.jobs.replay import stamped
from tusk_platform.plan.nodes import DEMO_PARTITION, Aggregate, Plan, Session, Stream
from tusk_platform.ports import Batch, Budget, Engine, FromTheFirst, Source, Windows
from tusk_platform.storage.aggregate_table import first_computable
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.lake import Handle, Lake
from tusk_platform.storage.raw_rows import RawRows
from tusk_platform.storage.upkeep import all_transactions

_ATTEMPTS: Final = 5
# Without an answer for so long, a source that was to be read again is given up.
_SILENT_READS: Final = 30
_WAIT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Span:
    """From a time on and before another, microseconds UTC."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """What reading a source again brought: records looked at, rows added, how many of them are quarantined.

    ``whole``: nothing is missing, because the source still holds all that was ever read of it.
    """

    read: int = 0
    added: int = 0
    quarantined: int = 0
    batches: int = 0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Recomputed:
    """What became of the windows of one aggregate: rows written, and up to when they were left as they are."""

    table: str
    rows: int
    left_until: int | None = None


def fetch(
    plan: Plan,
    stream: Stream,
    source: Source,
    lake: Lake,
    span: Span,
    *,
    clock: Callable[[], int],
    derive: Derive | None = None,
) -> Fetched:
    """Read a source from its beginning to where the lake stands, and add the events of a span that raw does not hold.

    They carry no watermark, so they always count. Positions stay. The caller holds the stream's lease.
    """
    done = Fetched()
    for attempt in range(1, _ATTEMPTS + 1):
        reading = _Reading(plan, stream, source, lake, span, clock, derive, lake.open(stream.table))
        try:
            return reading.run(replace(done, read=0))
        except Conflict:
            done = reading.done  # what was added is held now
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def recompute(
    plan: Plan, aggregate: Aggregate, engine: Engine, lake: Lake, span: Span, *, fetched: bool = False
) -> Recomputed:
    """Compute the windows of a span again, those whose events raw holds whole; ``fetched``: it holds all of the span's.

    The aggregate is up to date. Sessions before what retention left stay even then: events before the span may belong
    to them.
    """
    whole = first_computable(lake, plan, aggregate)
    complete = fetched and not isinstance(aggregate.window, Session)
    # What ends after the span may have events that were removed, unless raw is whole from there on.
    trimmed = lake.open(f"raw.{aggregate.stream}").transaction(transactions.trimmed(aggregate.stream))
    ending = span.until if complete and trimmed is not None and span.until <= trimmed else None
    reach("in_backfill")
    [result] = engine.refresh([aggregate.name], windows=Windows(span.since, span.until, ending, complete))
    reach("in_backfill")
    if result.error:
        raise Unavailable(f"{result.table}: {result.error}")
    left = None if complete or whole is None or whole <= span.since else min(whole, span.until)
    return Recomputed(aggregate.table, result.rows, left)


@dataclass(slots=True)
class _Reading:
    plan: Plan
    stream: Stream
    source: Source
    lake: Lake
    span: Span
    clock: Callable[[], int]
    derive: Derive | None
    handle: Handle
    done: Fetched = Fetched()

    def run(self, done: Fetched) -> Fetched:
        """All partitions to where the lake has read them."""
        self.done = done
        ends = self.ends()
        position: dict[str, int] = {}
        silent = 0
        with RawRows(self.lake, self.plan, self.stream, self.handle) as rows:
            while left := {p for p, end in ends.items() if position.get(p, 0) < end}:
                batch = self.source.read(position, Budget(self.plan.runtime.batch_rows, _WAIT_SECONDS))
                position |= {c.partition: c.next_offset for c in batch.chunks}
                self.add(_before(batch, ends), rows)
                if batch.at_end >= left and not batch.rows:
                    break  # what is not there any more is not waited for
                silent = 0 if batch.chunks else silent + 1
                if silent >= _SILENT_READS:
                    raise Unavailable(f"the source of `{self.stream.name}` gives nothing more before {dict(ends)}")
        # Asked now: what the source has not forgotten by the end was there all the time.
        return replace(self.done, whole=self.whole())

    def whole(self) -> bool:
        """Whether the source holds all that the lake has ever read."""
        read = transactions.partitions(self.stream.name, all_transactions(self.handle))
        return isinstance(self.source, FromTheFirst) and read <= {*self.source.partitions()} and self.source.whole()

    def ends(self) -> dict[str, int]:
        """How far the lake has read each partition."""
        app = transactions.position
        found = {p: self.handle.transaction(app(self.stream.name, p)) for p in self.source.partitions()}
        ends = {p: at for p, at in found.items() if at is not None and p != DEMO_PARTITION}
        if not ends and found.get(DEMO_PARTITION) is not None:
            raise UsageError(f"`{self.stream.name}` has made-up events only, and they are not made up a second time")
        return ends

    def add(self, batch: Batch, stored: RawRows) -> None:
        """Add what is of the span and not held yet, in one commit."""
        if not batch.rows:
            return
        rows = decode(self.stream, batch, self.clock(), derive=self.derive).rows
        times = rows["_event_time"].cast(pa.int64())
        within = pc.and_(pc.greater_equal(times, self.span.since), pc.less(times, self.span.until))
        new = stored.new_of(rows.filter(pc.fill_null(within, fill_value=False)))
        self.done = replace(self.done, read=self.done.read + batch.rows)
        if not new.num_rows:
            return
        app = transactions.batch(self.stream.name)
        number = (self.handle.transaction(app) or 0) + 1
        reach("in_backfill")
        self.handle.append(stamped(new, number), {app: number})
        reach("in_backfill")
        bad = pc.sum(pc.not_equal(new["_status"], "ok")).as_py() or 0
        self.done = replace(
            self.done,
            added=self.done.added + new.num_rows,
            quarantined=self.done.quarantined + bad,
            batches=self.done.batches + 1,
        )


def _before(batch: Batch, ends: Mapping[str, int]) -> Batch:
    """The records before where the lake stands; what comes after is read by everyday ingest."""
    chunks = []
    for chunk in batch.chunks:
        count = sum(offset < ends.get(chunk.partition, 0) for offset in chunk.offsets)
        if count == len(chunk.offsets):
            chunks.append(chunk)
        elif count:
            chunks.append(chunk.first(count))
    return Batch(tuple(chunks))
