"""Data files of a table: rows as Parquet under its folder, with what the log has to know about each file."""

from __future__ import annotations

import datetime as dt
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pa_fs
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction

from tusk_platform.core.stored import newest_holders
from tusk_platform.errors import Refused
from tusk_platform.plan.profile import Compression

# DuckDB shares a file among threads by row groups, and skips those that a filter rules out.
ROW_GROUP: Final = 131_072
# A backfill is cut into files that compaction then leaves alone.
FILE_ROWS: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table's rows become files: columns, partition columns, columns with statistics, compression."""

    schema: pa.Schema
    partitions: tuple[str, ...]
    statistics: tuple[str, ...]
    compression: Compression

    def conform(self, rows: pa.Table, table: str) -> pa.Table:
        """The rows with the table's columns in its order and types; those missing are null. Refused where it cannot.

        Of several stored columns that hold one of the plan, rows that do not come from the table go into the newest.
        """
        moved = {f.name: name for name, f in newest_holders(self.schema).items() if f.name != name}
        if moved and not moved.keys() & set(rows.column_names):
            rows = rows.rename_columns({name: new for new, name in moved.items() if name in rows.column_names})
        unknown = [name for name in rows.column_names if name not in self.schema.names]
        if unknown:
            raise Refused(f"{table} has no column {', '.join(unknown)}; columns are added by creating it with them")
        try:
            columns = [
                rows.column(f.name).cast(f.type) if f.name in rows.column_names else pa.nulls(rows.num_rows, f.type)
                for f in self.schema
            ]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise Refused(f"rows do not fit {table}: {error}") from error
        return pa.table(columns, schema=self.schema)


def can_have_statistics(kind: pa.DataType) -> bool:
    """Whether least and greatest value of such a column are exact in the log: integers, dates and timestamps."""
    return bool(pa.types.is_integer(kind) or pa.types.is_date32(kind) or pa.types.is_timestamp(kind))


class Folder:
    """A table's folder, on this machine or in an object store."""

    def __init__(self, table: DeltaTable, path: str, options: Mapping[str, str] | None) -> None:
        self.local = None if "://" in path else Path(path)
        if self.local is None:
            handler = DeltaStorageHandler.from_table(table._table, dict(options or {}))  # noqa: SLF001 - as deltalake does
            self.files: pa_fs.FileSystem = pa_fs.PyFileSystem(handler)
        else:
            self.files = pa_fs.SubTreeFileSystem(path, pa_fs.LocalFileSystem())

    def settle(self, path: str) -> None:
        """Make sure a file survives a power cut; an object store has done so on its own."""
        if self.local is not None:
            descriptor = os.open(self.local / path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def discard(self, paths: Iterable[str]) -> None:
        """Delete files that no commit names; what cannot be deleted now is found by the next vacuum."""
        for path in paths:
            with suppress(OSError):
                self.files.delete_file(path)

    def forget(self, paths: Iterable[str]) -> None:
        """Delete the files of a commit that was not made, except where one that timed out may be made yet."""
        if self.local is not None:
            self.discard(paths)


def write(folder: Folder, layout: Layout, rows: pa.Table) -> list[AddAction]:
    """Data files with these rows, one or more for each partition; complete or, on an error, gone again."""
    written: list[AddAction] = []
    try:
        for values, part in _by_partition(rows, layout.partitions):
            for start in range(0, part.num_rows, FILE_ROWS):
                written.append(write_file(folder, layout, values, [part.slice(start, FILE_ROWS)]))
    except OSError:
        folder.discard(action.path for action in written)
        raise
    return written


def write_file(
    folder: Folder, layout: Layout, values: Mapping[str, Any], pieces: Iterable[pa.Table], *, new: bool = True
) -> AddAction:
    """One data file of one partition; ``new`` is false for rows that the table holds already, in other files."""
    encoded = {name: _text(value) for name, value in values.items()}
    where = "/".join(f"{name}={_safe(encoded[name])}" for name in layout.partitions)
    path = f"{where}/{uuid.uuid4()}.{layout.compression.codec}.parquet".lstrip("/")
    own = pa.schema([f for f in layout.schema if f.name not in layout.partitions])
    seen = _Seen(layout.statistics)
    if folder.local is not None:
        (folder.local / where).mkdir(parents=True, exist_ok=True)
    try:
        with (
            folder.files.open_output_stream(path) as sink,
            _writer(sink, own, layout.compression) as writer,
        ):
            for piece in pieces:
                seen.take(piece)
                writer.write_table(piece.select(own.names), row_group_size=ROW_GROUP)
        folder.settle(path)
        size = folder.files.get_file_info(path).size
    except OSError:
        folder.discard([path])
        raise
    return AddAction(path, size, encoded, time.time_ns() // 1_000_000, new, seen.as_json())


def _writer(sink: pa.NativeFile, schema: pa.Schema, compression: Compression) -> pq.ParquetWriter:
    codec = "none" if compression.codec == "uncompressed" else compression.codec
    return pq.ParquetWriter(sink, schema, compression=codec, compression_level=compression.level)


def _by_partition(rows: pa.Table, names: Sequence[str]) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    """Partition values and their rows, each in the order in which they came."""
    if not names or not rows.num_rows:
        if rows.num_rows:
            yield {}, rows
        return
    counts = rows.group_by(list(names), use_threads=False).aggregate([([], "count_all")])
    if counts.num_rows > 1:
        rows = rows.take(pc.sort_indices(rows, [(name, "ascending") for name in names]))
        counts = rows.group_by(list(names), use_threads=False).aggregate([([], "count_all")])
    start = 0
    for found in counts.to_pylist():
        length = found.pop("count_all")
        yield found, rows.slice(start, length)
        start += length


class _Seen:
    """Rows, nulls, least and greatest values of what goes into one file."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.rows = 0
        self.nulls = dict.fromkeys(columns, 0)
        self.least: dict[str, Any] = {}
        self.greatest: dict[str, Any] = {}

    def take(self, piece: pa.Table) -> None:
        """Count in some rows."""
        self.rows += piece.num_rows
        for name in self.nulls:
            column = piece.column(name)
            self.nulls[name] += column.null_count
            least, greatest = pc.min_max(column).as_py().values()
            if least is not None:
                self.least[name] = min(least, self.least.get(name, least))
                self.greatest[name] = max(greatest, self.greatest.get(name, greatest))

    def as_json(self) -> str:
        """The statistics as the Delta log has them."""
        return json.dumps(
            {
                "numRecords": self.rows,
                "minValues": {name: _value(v) for name, v in self.least.items()},
                "maxValues": {name: _value(v) for name, v in self.greatest.items()},
                "nullCount": self.nulls,
            }
        )


def _value(value: Any) -> int | str:  # noqa: ANN401 - a value of any column with statistics
    return value if isinstance(value, int) else _text(value) or ""


def _text(value: Any) -> str | None:  # noqa: ANN401 - a value of any partition column
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return None if value is None else str(value)


def _safe(text: str | None) -> str:
    """The value as part of a folder's name, which only people read: the log holds the value itself."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in text or "null")
