"""The lake: Delta tables under one root, a folder or an object store, and the one place that creates them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.fs as pa_fs
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.fs import DeltaStorageHandler
from deltalake.schema import Schema

from tusk_platform.core.stored import ADDED, HOLDS, holds, newest_holders, next_name
from tusk_platform.errors import Refused, Unavailable
from tusk_platform.plan.profile import Compression
from tusk_platform.storage.failures import explained, reason
from tusk_platform.storage.files import can_have_statistics
from tusk_platform.storage.handle import Handle

__all__ = ["Handle", "Lake"]

# Entries since the last checkpoint cost every reader and writer: with one in 20 commits instead of 100 an append takes
# 10 ms instead of 14. Files that a commit removed stay an hour for
# those who read them, and so does the log.
PROPERTIES: Final[Mapping[str, str]] = {
    "delta.checkpointInterval": "20",
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
    "delta.enableExpiredLogCleanup": "true",
}
_LOG: Final = "_delta_log"
_ATTEMPTS: Final = 5
_DEFAULT: Final = Compression()


class Lake:
    """All tables under one root; ``options`` are those of the object store, ``compression`` that of what is written."""

    def __init__(
        self, root: Path | str, options: Mapping[str, str] | None = None, *, compression: Compression = _DEFAULT
    ) -> None:
        self.root = str(root).rstrip("/")
        self.options = dict(options or {})
        self.compression = compression

    def path(self, table: str) -> str:
        """Where a table is: ``raw.user_events`` is the folder ``raw/user_events`` under the root."""
        parts = [part for piece in table.split(".", 1) for part in piece.split("/")]
        if not all(parts) or ".." in parts or _LOG in parts:
            raise Refused(f"`{table}` cannot be the name of a table")
        return "/".join([self.root, *parts])

    def exists(self, table: str) -> bool:
        """Whether the table is there."""
        with explained(f"looking for {table}"):
            return DeltaTable.is_deltatable(self.path(table), self.options or None)

    def tables(self) -> tuple[str, ...]:
        """Names of all tables that are there, sorted."""
        with explained(f"looking for tables in {self.root}"):
            found = self._stored_folders() if "://" in self.root else self._local_folders()
            return tuple(sorted(".".join(folder.split("/", 1)) for folder in found))

    def open(self, table: str) -> Handle:
        """A handle at the table's newest version; UsageError where there is no such table."""
        return Handle(table, self.path(table), self.options, self.compression)

    def create(
        self, table: str, schema: pa.Schema, *, partition_by: Sequence[str] = (), statistics: Sequence[str] = ()
    ) -> None:
        """Make the table where it is not there; where it is, add the columns it lacks, marked as added.

        ``statistics``: columns by which readers may leave files out. Refused where a column that is there has another
        type, or the partitions are others: what is stored would have to be rewritten.
        """
        if bad := [name for name in statistics if not can_have_statistics(schema.field(name).type)]:
            raise Refused(f"{table}: no statistics on {', '.join(bad)}, only on integers, dates and timestamps")
        nullable = pa.schema([f.with_nullable(True) for f in schema])  # noqa: FBT003 - pyarrow has it so
        for _ in range(_ATTEMPTS):
            if not self.exists(table) and self._made(table, nullable, partition_by, statistics):
                return
            if self._evolved(table, nullable, partition_by):
                return
        raise Unavailable(f"creating {table}: other writers changed it {_ATTEMPTS} times in a row")

    def _made(self, table: str, schema: pa.Schema, partition_by: Sequence[str], statistics: Sequence[str]) -> bool:
        """Whether this process made the table; not so where another was first."""
        chosen = (
            {"delta.dataSkippingStatsColumns": ",".join(statistics)}
            if statistics
            else {"delta.dataSkippingNumIndexedCols": "0"}
        )
        try:
            # With retries the second of two would put its schema over the first one's table.
            DeltaTable.create(
                self.path(table),
                Schema.from_arrow(schema),
                partition_by=list(partition_by),
                configuration={**PROPERTIES, **chosen},
                storage_options=self.options or None,
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except OSError as error:
            raise Unavailable(f"creating {table}: {reason(error)}") from error
        except DeltaError as error:
            if self.exists(table):
                return False
            raise Unavailable(f"creating {table}: {reason(error)}") from error
        return True

    def _evolved(self, table: str, schema: pa.Schema, partition_by: Sequence[str]) -> bool:
        """Whether the table has these columns now; not so where another writer changed it meanwhile."""
        handle = self.open(table)
        layout = handle.layout
        if tuple(partition_by) != layout.partitions:
            raise Refused(
                f"{table} is partitioned by {', '.join(layout.partitions) or 'nothing'} and cannot become partitioned "
                f"by {', '.join(partition_by) or 'nothing'}; give the new table another name, or delete the old one"
            )
        holders = newest_holders(layout.schema)
        for column in schema:
            stored = holders[column.name].type if column.name in holders else column.type
            if stored != column.type:
                raise Refused(
                    f"column {column.name} of {table} holds {stored} and cannot become {column.type}; keep the type, "
                    f"or give the column another name"
                )
        return self._with_columns(handle, [f.with_metadata({ADDED: "1"}) for f in schema if f.name not in holders])

    def retype(self, table: str, schema: pa.Schema, returned: Collection[str] = ()) -> bool:
        """Give each column whose type is another one now a further stored column that new rows go into.

        Rows that are there stay as they are, and readers see both: ``core.stored``. ``returned``: columns that are
        there, but that some rows carry in ``_extra``. False where another writer changed the table meanwhile.
        """
        handle = self.open(table)
        there = handle.schema
        holders = newest_holders(there)
        new = [
            pa.field(
                next_name(there, f.name),
                f.type,
                metadata={HOLDS: f.name} | ({ADDED: "1"} if f.name in returned else {}),
            )
            for f in schema
            if f.name in holders and holders[f.name].type != f.type
        ]
        retyped = {holds(f) for f in new}
        with explained(f"changing columns of {table}"):
            for name in returned:
                if name in holders and name not in retyped and ADDED.encode() not in (holders[name].metadata or {}):
                    handle.delta.alter.set_column_metadata(holders[name].name, {ADDED: "1"})
                    handle = self.open(table)
        return self._with_columns(handle, new)

    def drop(self, table: str) -> None:
        """Remove a table and its rows for good; it is no table any more before its first file goes."""
        path = self.path(table)
        with explained(f"removing {table}"):
            if "://" not in self.root:
                with suppress(FileNotFoundError):
                    (Path(path) / _LOG).rename(Path(path) / f"{_LOG}_dropped")
                shutil.rmtree(path, ignore_errors=True)
                return
            files: pa_fs.FileSystem = pa_fs.PyFileSystem(DeltaStorageHandler(path, self.options))
            everything = files.get_file_info(pa_fs.FileSelector("", recursive=True, allow_not_found=True))
            paths = [info.path for info in everything if info.type == pa_fs.FileType.File]
            for file in sorted(paths, key=lambda p: f"{_LOG}/" not in f"{p}"):
                files.delete_file(file)

    def _with_columns(self, handle: Handle, columns: Sequence[pa.Field]) -> bool:
        """Whether the columns were added; not so where another writer changed the table meanwhile."""
        try:
            if columns:
                handle.delta.alter.add_columns(list(Schema.from_arrow(pa.schema(columns)).fields))
        except DeltaError:
            return False
        except OSError as error:
            raise Unavailable(f"adding columns to {handle.name}: {reason(error)}") from error
        return True

    def _local_folders(self) -> list[str]:
        found = []
        for folder, below, _ in os.walk(self.root):
            if _LOG in below:
                found.append(Path(folder).relative_to(self.root).as_posix())
                below.clear()
        return found

    def _stored_folders(self) -> set[str]:
        files = pa_fs.PyFileSystem(DeltaStorageHandler(self.root, self.options))
        everything = files.get_file_info(pa_fs.FileSelector("", recursive=True, allow_not_found=True))
        return {info.path.split(f"/{_LOG}/")[0].strip("/") for info in everything if f"/{_LOG}/" in info.path}
