"""SQL of the rows that a query reads, under names of their own, and of the rows that it stores."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from tusk_platform.core.views import near, newest_images, quoted
from tusk_platform.plan.nodes import Stream

# The deepest decimals of sums of money; deeper ones keep their own.
_SCALE: Final = 4
_PLAIN: Final = {"double": "double", "boolean": "boolean", "date": "date", "timestamp": "timestamptz"}


def rows_name(table: str) -> str:
    """The view of a table's rows as of one commit: ``clean.user_events`` is ``clean_user_events_rows``."""
    return f"{table.replace('.', '_')}_rows"


def clean_since(stream: Stream, ok: str, since: int | None) -> str:
    """Clean rows with event times from ``since`` on, of repeated events what came first; all of them where it is None.

    ``ok`` names the rows that kept every rule, from a horizon of duplicates before that time on.
    """
    inside = f"_event_time >= make_timestamptz({since})" if since is not None else "true"
    if stream.changes:
        return newest_images(f"select * from {ok} where {inside}")
    if not (stream.deduplicate and stream.dedup_key):
        return f"select * from {ok} where {inside}"
    key = [quoted(part) for part in stream.dedup_key]
    same = " and ".join(f"earlier.{part} = later.{part}" for part in key)
    seen = f"select {', '.join(key)}, _batch, _offset, _partition, _event_time from {ok}"
    return (
        f"select later.* from (select * from {ok} where {inside}) as later anti join ({seen}) as earlier on {same} "
        "and (earlier._batch, earlier._offset, earlier._partition) < (later._batch, later._offset, later._partition) "
        f"and {near('earlier', 'later', stream.dedup_horizon)}"
    )


def stored_as(column: str, kind: str) -> str:
    """The DuckDB type in which a result's column is stored; ``kind`` is its type there, ``column`` that of the plan."""
    if column == "integer":
        return "bigint"
    if column == "decimal":
        scale = int(kind.rpartition(",")[2].strip(" )"))
        return f"decimal(38, {max(scale, _SCALE)})"
    return _PLAIN.get(column, "varchar")


def result_schema(rows: pa.Schema) -> pa.Schema:
    """The schema in which a result is stored: times in microseconds UTC, whatever comes from the engine."""
    stamp = pa.timestamp("us", tz="UTC")
    return pa.schema(
        [f.with_type(stamp) if pa.types.is_timestamp(f.type) else f.with_type(_plain(f.type)) for f in rows]
    )


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(kind) or str(kind) == "string_view" else kind


def signature(parts: Mapping[str, tuple[int | None, ...]]) -> int:
    """A number that is another one as soon as any part is."""
    text = repr(sorted(parts.items()))
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)
