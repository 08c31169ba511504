"""What a read brought to rows of the raw table: typed, judged, with everything that was sent still there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core import row_rules
from tusk_platform.core.records import Records, of_payloads, of_table
from tusk_platform.core.schema import CHANGE_LINEAGE, TIMESTAMP, raw_schema
from tusk_platform.errors import Refused
from tusk_platform.plan.nodes import RETRACTIONS, Stream
from tusk_platform.ports import Batch, Chunk

# The stream's columns in; its derived columns out, and FAILED: the name of the first that has no value for the row.
Derive = Callable[[pa.Table], pa.Table]
FAILED: Final = "_failed"


@dataclass(frozen=True, slots=True)
class Decoded:
    """Rows in the raw table's schema, `_batch` and `_watermark` still null; ``newest`` event time by partition.

    Every record is one row, in the order it was read; ``quarantined`` of them are not ok. An event time too far ahead
    is none and moves no watermark.
    """

    rows: pa.Table
    newest: Mapping[str, int]
    quarantined: int


def decode(stream: Stream, batch: Batch, now: int, *, derive: Derive | None = None) -> Decoded:
    """The rows of a batch. Bad input is a row with `_status` quarantined, its reason and its bytes; never an error."""
    tables: list[pa.Table] = []
    newest: dict[str, int] = {}
    quarantined = 0
    for (is_table, _), group in groupby(batch.chunks, key=lambda c: (c.rows is not None, c.broken)):
        chunks = [c for c in group if c.offsets]
        for part in [[c] for c in chunks] if is_table else [chunks]:
            if part:
                rows, bad = _rows(stream, part, now, derive)
                tables.append(rows)
                quarantined += bad
                _note_newest(newest, rows, part)
    return Decoded(pa.concat_tables(tables) if tables else raw_schema(stream).empty_table(), newest, quarantined)


def _rows(stream: Stream, chunks: Sequence[Chunk], now: int, derive: Derive | None) -> tuple[pa.Table, int]:
    if chunks[0].rows is not None:
        records = of_table(stream, chunks[0].rows)
    else:
        records = of_payloads(stream, [p for c in chunks for p in c.payloads or ()], broken=chunks[0].broken)
    count = sum(len(c.offsets) for c in chunks)
    if len(records.extra) != count:
        raise Refused(f"the source of `{stream.name}` gave {len(records.extra)} records for {count} offsets")
    columns = {name: c.array for name, c in records.columns.items()}
    failures = {name: c.bad for name, c in records.columns.items() if c.bad}
    _derive(stream, columns, failures, derive)
    times = _with_arrivals(stream, records.event_time.array, chunks)
    if stream.arrival_time and (own := stream.column(stream.event_time)) and own.type == "timestamp":
        columns[stream.event_time] = times
    said = _changes(chunks) if stream.changes else {}
    taken_back = pc.is_in(said["_op"], pa.array(RETRACTIONS)) if said else pa.repeat(pa.scalar(value=False), count)
    far = pc.and_not(pc.greater(times.cast(pa.int64()), now + stream.max_future), taken_back)
    reasons = _reasons(stream, records, _Judged(columns, failures, times, far, taken_back))
    columns |= _lineage(records, chunks, reasons, now) | said
    columns["_event_time"] = pc.if_else(far, pa.scalar(None, TIMESTAMP), times)
    schema = raw_schema(stream)
    unknown = pa.nulls(count)
    arrays = [columns.get(f.name, unknown) for f in schema]
    return pa.table(
        [a if a.type == f.type else a.cast(f.type) for a, f in zip(arrays, schema, strict=True)], schema
    ), len(reasons)


@dataclass(frozen=True, slots=True)
class _Judged:
    columns: Mapping[str, pa.Array]
    failures: Mapping[str, Mapping[int, str]]
    times: pa.Array
    far: pa.Array
    taken_back: pa.Array


def _reasons(stream: Stream, records: Records, judged: _Judged) -> dict[int, str]:
    """The first reason against each bad row: unreadable, required, event time, type, range.

    What takes back an image of a row is only placed in time: it must not depend on rules, which may be others by now
    than those that let the image in.
    """
    reasons = dict(records.reasons)
    verdicts = (
        row_rules.missing(judged.columns, stream.rules, judged.failures),
        _untimely(stream, records, judged),
        row_rules.mistyped(judged.failures, stream.rules),
        row_rules.outside(judged.columns, stream.rules),
    )
    exempt = set(pc.indices_nonzero(judged.taken_back).to_pylist())
    untimely = verdicts[1]
    for verdict in verdicts:
        for row, reason in verdict.items():
            if verdict is untimely or row not in exempt:
                reasons.setdefault(row, reason)
    return reasons


def _untimely(stream: Stream, records: Records, judged: _Judged) -> dict[int, str]:
    """Rows that cannot be placed in time."""
    ruled = next((f"{r.name}: " for r in stream.rules if r.kind == "type" and r.column == stream.event_time), "")
    bad = records.event_time.bad
    reasons = {row: f"{ruled}event time invalid: {came}" for row, came in bad.items()}
    if judged.times.null_count > len(bad):
        for row in pc.indices_nonzero(pc.is_null(judged.times)).to_pylist():
            reasons.setdefault(row, f"event time missing: no `{stream.event_time}`")
    for row in pc.indices_nonzero(judged.far).to_pylist():
        reasons[row] = f"event time too far ahead: {judged.times[row].as_py().isoformat()}"
    return reasons


def _derive(
    stream: Stream, columns: dict[str, pa.Array], failures: dict[str, Mapping[int, str]], derive: Derive | None
) -> None:
    """Put the derived columns in place of what the events carried under their names."""
    if not stream.expressions:
        return
    if derive is None:
        raise Refused(f"`{stream.name}` has derived columns, and nothing that computes them was given")
    derived = derive(pa.table({c.name: columns[c.name] for c in stream.columns}))
    failed: list[str | None] = derived.column(FAILED).to_pylist()
    for name, sql in stream.expressions.items():
        columns[name] = derived.column(name).combine_chunks()
        failures.pop(name, None)
        bad = {row: f"no value for {sql}"[:80] for row, by in enumerate(failed) if by == name}
        if bad:
            failures[name] = bad


def _with_arrivals(stream: Stream, times: pa.Array, chunks: Sequence[Chunk]) -> pa.Array:
    """Event times, for a source that says so with the arrival where the event has none."""
    if not stream.arrival_time or not times.null_count:
        return times
    known = [pa.array(c.arrivals, TIMESTAMP) if c.arrivals else pa.nulls(len(c.offsets), TIMESTAMP) for c in chunks]
    return pc.coalesce(times, pa.concat_arrays(known))


def _lineage(records: Records, chunks: Sequence[Chunk], reasons: Mapping[int, str], now: int) -> dict[str, pa.Array]:
    count = len(records.extra)
    today = dt.datetime.fromtimestamp(now // 1_000_000, dt.UTC).date()
    columns = {
        "_extra": _with_beside(records.extra, chunks),
        "_partition": pa.concat_arrays(
            [pa.repeat(pa.scalar(c.partition, pa.string()), len(c.offsets)) for c in chunks]
        ),
        "_offset": pa.concat_arrays([pa.array(c.offsets, pa.int64()) for c in chunks]),
        "_ingested_date": pa.repeat(pa.scalar(today, pa.date32()), count),
        "_ingested_at": pa.repeat(pa.scalar(now, TIMESTAMP), count),
    }
    if not reasons:
        return columns | {"_status": pa.repeat(pa.scalar("ok", pa.string()), count)}
    return columns | {
        "_status": pa.array(["quarantined" if row in reasons else "ok" for row in range(count)], pa.string()),
        "_reason": pa.array([reasons.get(row) for row in range(count)], pa.string()),
        "_payload": pa.array([records.payload(row) if row in reasons else None for row in range(count)], pa.binary()),
    }


def _changes(chunks: Sequence[Chunk]) -> dict[str, pa.Array]:
    """What the source says happened to each row; nothing where it does not."""
    found: dict[str, list[pa.Array]] = {f.name: [] for f in CHANGE_LINEAGE}
    for chunk in chunks:
        said = chunk.changes
        values = (said.ops, said.lsns, said.keys) if said else ([None] * len(chunk.offsets),) * len(CHANGE_LINEAGE)
        for f, column in zip(CHANGE_LINEAGE, values, strict=True):
            found[f.name].append(pa.array(column, f.type))
    return {name: pa.concat_arrays(arrays) for name, arrays in found.items()}


def _with_beside(extra: pa.Array, chunks: Sequence[Chunk]) -> pa.Array:
    """What the events carried beyond their columns, and what stood beside them in their source."""
    if not any(c.beside for c in chunks):
        return extra
    beside = [text for c in chunks for text in (c.beside or [None] * len(c.offsets))]
    own: list[str | None] = extra.to_pylist()
    merged = [f"{o[:-1]},{b[1:]}" if o and b else o or b for o, b in zip(own, beside, strict=True)]
    return pa.array(merged, pa.string())


def _note_newest(newest: dict[str, int], rows: pa.Table, chunks: Sequence[Chunk]) -> None:
    times = rows.column("_event_time").combine_chunks().cast(pa.int64())
    if "_op" in rows.column_names:
        # An image that is taken back has moved the watermark when it came, if it was one that may.
        taken_back = pc.is_in(rows.column("_op").combine_chunks(), pa.array(RETRACTIONS))
        times = pc.if_else(taken_back, pa.scalar(None, pa.int64()), times)
    start = 0
    for chunk in chunks:
        greatest = pc.max(times.slice(start, len(chunk.offsets))).as_py()
        start += len(chunk.offsets)
        if greatest is not None:
            newest[chunk.partition] = max(greatest, newest.get(chunk.partition, greatest))
