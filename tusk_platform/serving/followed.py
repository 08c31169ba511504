"""A table of the lake as a reader follows it: newest version, transaction ids, what its log says of its files."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from tusk_platform.core.schema import TIMESTAMP
from tusk_platform.errors import UsageError
from tusk_platform.storage.failures import STORE_ERRORS, explained
from tusk_platform.storage.lake import Lake


class Followed:
    """One table, opened when it is there and kept up with; -1 is the version of a table that is not there yet."""

    def __init__(self, lake: Lake, table: str) -> None:
        self._lake = lake
        self._name = table
        self._delta: DeltaTable | None = None
        self._files: pa.Table | None = None

    @property
    def version(self) -> int:
        """Number of the commit that the last look found."""
        return self._delta.version() if self._delta else -1

    @property
    def columns(self) -> pa.Schema:
        """The stored columns; none where there is no table."""
        return pa.schema(self._delta.schema().to_arrow()) if self._delta else pa.schema([])

    def look(self) -> int:
        """Take in new commits; the version found."""
        before = self.version
        try:
            if self._delta is not None:
                self._delta.update_incremental()
        except STORE_ERRORS:
            self._delta = None  # made anew, or so far behind that the log no longer says what happened
        if self._delta is None:
            self._open()
        if self.version != before:
            self._files = None
        return self.version

    def transaction(self, app: str) -> int | None:
        """The version last committed under a transaction id."""
        if self._delta is None:
            return None
        with explained(f"reading the log of {self._name}"):
            return self._delta.transaction_version(app)

    def counts(self, column: str) -> Mapping[str, int]:
        """Number of rows for each value of a partition column."""
        files = self.files
        if files is None:
            return {}
        grouped = files.group_by(f"partition.{column}").aggregate([("num_records", "sum")])
        return dict(
            zip(grouped[f"partition.{column}"].to_pylist(), grouped["num_records_sum"].to_pylist(), strict=True)
        )

    def greatest(self, column: str, *, among: tuple[str, str]) -> int | None:
        """The greatest time in a column, of the files of one partition: microseconds, exact to the millisecond."""
        files = self.files
        if files is None or f"max.{column}" not in files.column_names:
            return None
        times = files.filter(pc.equal(files[f"partition.{among[0]}"], among[1]))[f"max.{column}"].cast(TIMESTAMP)
        found = pc.max(times.cast(pa.int64())).as_py()
        return None if found is None else int(found)

    @property
    def files(self) -> pa.Table | None:
        """What the log says of each data file."""
        if self._files is None and self._delta is not None:
            with explained(f"reading the log of {self._name}"):
                self._files = pa.table(self._delta.get_add_actions(flatten=True))
        return self._files

    def _open(self) -> None:
        try:
            with explained(f"opening {self._name}"):
                path = self._lake.path(self._name)
                if DeltaTable.is_deltatable(path, self._lake.options or None):
                    self._delta = DeltaTable(path, storage_options=self._lake.options or None)
        except UsageError:
            self._delta = None
