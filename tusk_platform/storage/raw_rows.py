"""Rows of a raw table as of one commit: which of them are to be mended, and those rows whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import duckdb
import pyarrow as pa

from tusk_platform.core.views import late_condition, near, quoted, view_sql
from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import Plan, Stream
from tusk_platform.storage.duck import database
from tusk_platform.storage.handle import Handle
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.snapshot import Bound, rows_sql
from tusk_platform.storage.sql_guard import cleaned

# What names a row: the batch that brought it and where it stood in its source.
PLACE: Final = ("_batch", "_partition", "_offset")
_PLACE: Final = ", ".join(PLACE)
# Bytes of a row that may be many.
_SIZE: Final = "coalesce(octet_length(_payload), 0) + coalesce(strlen(_extra), 0)"


@dataclass(frozen=True, slots=True)
class Came:
    """When rows came in: from ``since`` on and before ``until``, microseconds UTC; None: no bound."""

    since: int | None = None
    until: int | None = None

    @property
    def sql(self) -> str:
        """The bounds as a condition over raw rows."""
        bounds = [f"epoch_us(_ingested_at) >= {self.since:d}"] if self.since is not None else []
        bounds += [f"epoch_us(_ingested_at) < {self.until:d}"] if self.until is not None else []
        return " and ".join(bounds) or "true"


class RawRows:
    """A stream's raw table as its handle sees it, to be asked for rows; closed by the block it is opened in."""

    def __init__(self, lake: Lake, plan: Plan, stream: Stream, handle: Handle) -> None:
        self._lake = lake
        self._plan = plan
        self._stream = stream
        self._handle = handle
        self._connection = database(lake, plan.runtime)
        self._knows_places = False

    def __enter__(self) -> RawRows:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def quarantined(self, came: Came) -> pa.Table:
        """The places of quarantined rows and their ``size`` in bytes, in the order in which they came."""
        stored = self._stored({"_status": "quarantined"})
        where = f"_status = 'quarantined' and {came.sql}"
        return self._ask(f"select {_PLACE}, {_SIZE} as size from {stored} where {where} order by {_PLACE}")  # noqa: S608 - ours

    def late(self, came: Came) -> pa.Table:
        """The places and sizes of rows that count for no window of any aggregate, in the order in which they came.

        Of repeated events only the first can count; with it come those that repeat it later, so that it stays first.
        """
        stream = self._stream
        late = f"({late_condition(self._plan.aggregates_of(stream.name), self._plan.runtime.timezone)}) and {came.sql}"
        if not (stream.deduplicate and stream.dedup_key):
            sql = f"select {_PLACE}, {_SIZE} as size from ({self._shown()}) where {late} order by {_PLACE}"  # noqa: S608 - ours
            return self._ask(sql)
        same = " and ".join(f"a.{quoted(part)} = b.{quoted(part)}" for part in stream.dedup_key)
        earlier = "(a._batch, a._offset, a._partition) < (b._batch, b._offset, b._partition)"
        return self._ask(f"""
            with good as materialized (
                select {", ".join(map(quoted, stream.dedup_key))}, {_PLACE}, {_SIZE} as size,
                       _event_time, _watermark, _ingested_at
                from ({self._shown()})
            ),
            first as (
                select b.* from (select * from good where {late}) as b
                anti join good as a on {same} and {earlier} and {near("a", "b", stream.dedup_horizon)}
            )
            select {_PLACE}, size from first
            union
            select {_PLACE}, size from good as b semi join first as a on {same} and {earlier}
            order by {_PLACE}""")  # noqa: S608 - names and integers of the plan

    def whole(self, places: pa.Table, status: str) -> pa.Table:
        """The rows of some places with all that is stored of them, in the order of the places."""
        first = min(places.column("_batch").to_pylist(), default=0)
        self._connection.register("wanted", places)
        stored = self._stored({"_status": status, "_batch": first})
        sql = f"""select stored.* from {stored} as stored semi join wanted using ({_PLACE})
            where _status = '{status}' order by {_PLACE}"""  # noqa: S608 - names of ours
        return self._ask(sql).select(self._handle.schema.names)

    def new_of(self, rows: pa.Table) -> pa.Table:
        """Those of some rows whose places in their source the table did not hold when this was first asked."""
        if not self._knows_places:
            self._ask(f"create temp table held as select distinct _partition, _offset from {self._stored({})}")  # noqa: S608 - ours
            self._knows_places = True
        numbers = pa.array(range(rows.num_rows), pa.int64())
        self._connection.register("found", rows.select(["_partition", "_offset"]).append_column("number", numbers))
        sql = "select number from found anti join held using (_partition, _offset) order by number"
        return rows.take(self._ask(sql)["number"])

    def _shown(self) -> str:
        """The good rows with the columns of the plan."""
        raw = view_sql(self._plan, self._stream.table, self._stored({"_status": "ok"}), present=self._handle.schema)
        return f"select * from ({raw}) where _status = 'ok'"  # noqa: S608 - the view of the plan

    def _stored(self, wanted: Mapping[str, Bound]) -> str:
        return rows_sql(self._lake, self._handle, wanted)

    def _ask(self, sql: str) -> pa.Table:
        try:
            return self._connection.execute(sql).to_arrow_table()
        except duckdb.Error as error:
            raise Unavailable(f"reading {self._handle.name}: {cleaned(error)}") from error
