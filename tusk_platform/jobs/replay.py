"""Rows that do not count made to count: quarantined ones that are good by today's config, and those that came too late.

Each row is taken out and put back under a new batch in one commit, so it is there once whatever happens in between. It
carries no watermark, so it always counts; the ordinary refresh computes the windows that it touches again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Final, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core import transactions
from tusk_platform.core.decode import Derive, decode
from tusk_platform.core.history import first_harmless
from tusk_platform.core.payloads import MAX_PAYLOAD
from tusk_platform.core.quality import reason_name
from tusk_platform.core.schema import TIMESTAMP, lineage
from tusk_platform.errors import Conflict
from tusk_platform.jobs.ingest import COMMIT_ROWS
from tusk_platform.plan.nodes import Plan, Stream
from tusk_platform.ports import BESIDE, Batch, Chunk
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.lake import Handle, Lake
from tusk_platform.storage.raw_rows import PLACE, Came, RawRows

What = Literal["quarantined", "late"]
# Bytes of events that are held, and committed, at once.
_COMMIT_BYTES: Final = 64 * 10**6
_ATTEMPTS: Final = 5
# What decoding says of a row again; the rest of what is known of it stays.
_DECODED: Final = frozenset({"_extra", "_event_time", "_status", "_reason", "_payload", "_batch", "_watermark"})
_EVER: Final = Came()


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did, or would do: rows that count now, rows still bad and why, rows before what raw holds whole."""

    stream: str
    what: What
    replayed: int = 0
    still_bad: int = 0
    too_old: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    batches: int = 0
    dry_run: bool = False


def replay(
    plan: Plan,
    stream: Stream,
    lake: Lake,
    *,
    what: What = "quarantined",
    came: Came = _EVER,
    clock: Callable[[], int],
    derive: Derive | None = None,
    dry_run: bool = False,
) -> ReplayReport:
    """Mend what came in within the bounds; ``dry_run`` only says what that would be.

    The caller holds the stream's lease.
    Rows before the first that raw holds whole stay as they are: a refresh would replace whole windows by a part.
    """
    report = ReplayReport(stream.name, what, dry_run=dry_run)
    for attempt in range(1, _ATTEMPTS + 1):
        handle = lake.open(stream.table)
        mending = _Mending(stream, what, handle, oldest_harmless(plan, stream, handle), clock, derive)
        try:
            # What was committed before a Conflict is found no more; what is still bad is found, and counted, again.
            report = replace(report, still_bad=0, too_old=0, reasons={})
            with RawRows(lake, plan, stream, handle) as rows:
                places = rows.quarantined(came) if what == "quarantined" else rows.late(came)
                for group in _groups(places):
                    found = _found(mending, rows, group)
                    if found.good.num_rows and not dry_run:
                        reach("in_replay")
                        mending.commit(found.good)
                        reach("in_replay")
                    report = _with(report, found)
            return report
        except Conflict:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def oldest_harmless(plan: Plan, stream: Stream, raw: Handle) -> int | None:
    """The earliest event time of a row whose windows raw holds whole, for every aggregate; None: any time is."""
    trimmed = raw.transaction(transactions.trimmed(stream.name))
    if trimmed is None:
        return None
    aggregates = plan.aggregates_of(stream.name)
    return max((first_harmless(a, plan.runtime.timezone, trimmed) for a in aggregates), default=None)


def stamped(rows: pa.Table, batch: int) -> pa.Table:
    """Rows of a batch that always count: its number, and no watermark."""
    values = {"_batch": pa.repeat(pa.scalar(batch, pa.int64()), rows.num_rows), "_watermark": pa.nulls(rows.num_rows)}
    for name, value in values.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), value.cast(rows.schema.field(at).type))
    return rows


@dataclass(frozen=True, slots=True)
class _Found:
    """Of some rows those that are to count, as they will be stored, and what is with the others."""

    good: pa.Table
    too_old: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Mending:
    stream: Stream
    what: What
    handle: Handle
    oldest: int | None
    clock: Callable[[], int]
    derive: Derive | None

    def quarantined(self, stored: pa.Table) -> _Found:
        """Decode rows again by today's config."""
        decoded = decode(_as_kept(self.stream), Batch(tuple(_chunks(stored))), self.clock(), derive=self.derive).rows
        cut = pc.fill_null(pc.greater_equal(pc.binary_length(stored["_payload"]), MAX_PAYLOAD), fill_value=False)
        good = pc.and_(pc.equal(decoded["_status"], "ok"), pc.invert(cut))
        told = pc.if_else(cut, "too large", decoded["_reason"])
        reasons = Counter(map(reason_name, told.filter(pc.invert(good)).to_pylist()))
        for name in (f.name for f in lineage(self.stream) if f.name not in _DECODED and f.name in stored.schema.names):
            at = decoded.schema.get_field_index(name)
            decoded = decoded.set_column(at, decoded.schema.field(at), stored[name].cast(decoded.schema.field(at).type))
        old_batches = decoded.append_column("_was", stored["_batch"])
        kept = self.harmless(old_batches.filter(good))
        rows = self.handle.layout.conform(kept.drop_columns("_was"), self.handle.name)
        rows = rows.append_column("_was", kept["_was"])
        return _Found(rows, int(pc.sum(good).as_py() or 0) - kept.num_rows, reasons)

    def late(self, stored: pa.Table) -> _Found:
        """The rows as they are."""
        kept = self.harmless(stored)
        return _Found(kept.append_column("_was", kept["_batch"]), stored.num_rows - kept.num_rows)

    def harmless(self, rows: pa.Table) -> pa.Table:
        """The rows of whose windows raw holds every event."""
        if self.oldest is None:
            return rows
        return rows.filter(pc.greater_equal(rows["_event_time"].cast(TIMESTAMP).cast(pa.int64()), self.oldest))

    def commit(self, good: pa.Table) -> None:
        """One commit: the rows out, and in again under a new batch."""
        app = transactions.batch(self.stream.name)
        batch = (self.handle.transaction(app) or 0) + 1
        status = "ok" if self.what == "late" else "quarantined"
        was = pc.min_max(good["_was"]).as_py()
        predicate = f"_status = '{status}' and _batch >= {was['min']} and _batch <= {was['max']}"
        places = pa.table({"_batch": good["_was"], **{name: good[name] for name in PLACE[1:]}})
        self.handle.replace(stamped(good.drop_columns("_was"), batch), predicate, {app: batch}, among=places)


def _found(mending: _Mending, rows: RawRows, places: pa.Table) -> _Found:
    if mending.what == "late":
        return mending.late(rows.whole(places, "ok"))
    return mending.quarantined(rows.whole(places, "quarantined"))


def _with(report: ReplayReport, found: _Found) -> ReplayReport:
    return replace(
        report,
        replayed=report.replayed + found.good.num_rows,
        still_bad=report.still_bad + sum(found.reasons.values()),
        too_old=report.too_old + found.too_old,
        reasons=dict(Counter(report.reasons) + Counter(found.reasons)),
        batches=report.batches + bool(found.good.num_rows),
    )


def _groups(places: pa.Table) -> Iterator[pa.Table]:
    """Places in pieces of one commit each."""
    sizes = places["size"].to_pylist()
    start = held = 0
    for at, size in enumerate(sizes):
        if at > start and (at - start >= COMMIT_ROWS or held + size > _COMMIT_BYTES):
            yield places.slice(start, at - start)
            start, held = at, 0
        held += size
    if start < len(sizes):
        yield places.slice(start)


def _as_kept(stream: Stream) -> Stream:
    """The stream as its quarantined rows are kept: a source of files keeps what it made of a line, as JSON."""
    return replace(stream, format="json") if "format" in stream.options else stream


def _chunks(stored: pa.Table) -> Iterator[Chunk]:
    """The rows as their source gave them, in the same order."""
    found = stored.select(["_partition", "_offset", "_payload", "_extra"])
    arrived = stored["_ingested_at"].cast(TIMESTAMP).cast(pa.int64()).to_pylist()
    start = 0
    for partition, run in groupby(found["_partition"].to_pylist()):
        count = len(list(run))
        part = found.slice(start, count)
        offsets, payloads = part["_offset"].to_pylist(), part["_payload"].to_pylist()
        beside = [_beside(extra) for extra in part["_extra"].to_pylist()]
        yield Chunk(
            partition, offsets, offsets[-1] + 1, payloads, arrivals=arrived[start : start + count], beside=beside
        )  # fmt: skip
        start += count


def _beside(extra: str | None) -> str | None:
    """Of what a row carried the part that did not stand in its payload."""
    if extra is None or not any(f'"{name}"' in extra for name in BESIDE):
        return None
    carried = orjson.loads(extra)
    return orjson.dumps({name: carried[name] for name in BESIDE if name in carried}).decode()
