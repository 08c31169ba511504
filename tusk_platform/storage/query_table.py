"""One refresh of a query's table: its inputs as of one commit each, the present, and the commit that replaces it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tusk_platform.core import transactions
from tusk_platform.core.catalog import query_definition
from tusk_platform.core.query_rows import clean_since, result_schema, rows_name, signature, stored_as
from tusk_platform.core.views import quoted, stored_behind, view_sql
from tusk_platform.plan.nodes import END_OF_TIME, NO_WATERMARK, Plan, Query, QueryInput, Stream
from tusk_platform.storage.aggregate_table import RESULT, moment
from tusk_platform.storage.handle import Handle
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.query_types import column_type
from tusk_platform.storage.snapshot import Bound

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# A result of more rows is written anew without a look whether it is the same.
_COMPARED: Final = 100_000

Rows = Callable[[Any, Mapping[str, Bound]], str]


@dataclass(frozen=True, slots=True)
class QueryBegun:
    """A query and its inputs as they were when its refresh began; ``present`` is what ``now()`` is in it."""

    plan: Plan
    query: Query
    inputs: Mapping[str, Handle]
    present: int
    transactions: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class QueryDone:
    """What a refresh did: rows of the result, and whether they are others than before."""

    rows: int
    changed: bool

    def __str__(self) -> str:
        return f"{self.rows} rows" if self.changed else f"{self.rows} rows as before"


def begin(connection: DuckDBPyConnection, lake: Lake, plan: Plan, query: Query, rows: Rows, *, now: int) -> QueryBegun:
    """The inputs opened, and the connection ready to run the model over them."""
    inputs = _opened(plan, query, lake)
    present = _present(connection, plan, query, inputs, rows, now)
    versions = {
        transactions.inputs(query.name): signature(_moved(plan, query, inputs)),
        transactions.definition(query.name): query_definition(plan, query),
        transactions.refreshed_at(query.name): now,
    }
    begun = QueryBegun(plan, query, inputs, present, versions)
    connection.execute(f"set session timezone = '{plan.runtime.timezone}'")
    connection.execute(f"set variable present = {present:d}::bigint")
    for read in query.inputs:
        _show(connection, begun, read, rows)
    return begun


def commit(connection: DuckDBPyConnection, lake: Lake, begun: QueryBegun, rows: Rows) -> QueryDone:
    """Replace the table by the rows in RESULT, in one commit; the table's columns are those of the result."""
    query = begun.query
    described = connection.execute(f"describe {RESULT}").fetchall()
    casts = [f"cast({quoted(n)} as {stored_as(column_type(k), k)}) as {quoted(n)}" for n, k, *_ in described]
    found = connection.execute(f"select {', '.join(casts)} from {RESULT}").to_arrow_table()  # noqa: S608 - names of the plan
    connection.execute("set session timezone = 'UTC'")
    result = found.cast(result_schema(found.schema))
    if not lake.exists(query.table):
        lake.create(query.table, result.schema)
    table = lake.open(query.table)
    if _same(connection, table, result, rows):
        table.append(table.schema.empty_table(), begun.transactions)
        return QueryDone(result.num_rows, changed=False)
    now = begun.transactions[transactions.refreshed_at(query.name)]
    table.overwrite(result, {**begun.transactions, transactions.changed_at(query.name): now})
    return QueryDone(result.num_rows, changed=True)


def inputs_moved(plan: Plan, query: Query, lake: Lake) -> int:
    """A number that is another one when a table that a query reads has changed."""
    return signature(_moved(plan, query, _opened(plan, query, lake)))


def _opened(plan: Plan, query: Query, lake: Lake) -> dict[str, Handle]:
    """The stored tables of the inputs and of the streams behind them, as of now."""
    names = [stored_behind(plan, i.table) for i in query.inputs] + [plan.stream(s).table for s in query.streams]
    return {name: lake.open(name) for name in dict.fromkeys(names) if lake.exists(name)}


def _moved(plan: Plan, query: Query, inputs: Mapping[str, Handle]) -> dict[str, tuple[int | None, ...]]:
    """What says of each input that its rows are others now. Compaction does not, so versions of tables would not do."""
    found: dict[str, tuple[int | None, ...]] = {}
    for read in query.inputs:
        schema, _, name = read.table.partition(".")
        handle = inputs.get(stored_behind(plan, read.table))
        if handle is None:
            continue
        marks = {
            "clean": (transactions.batch(name), transactions.generation(name)),
            "agg": (
                transactions.refreshed(name),
                transactions.refreshed_generation(name),
                transactions.definition(name),
            ),
            "query": (transactions.changed_at(name), transactions.definition(name)),
        }[schema]
        found[read.table] = tuple(handle.transaction(mark) for mark in marks)
        if schema == "agg":
            found[read.table] += (_watermark(plan, name, inputs),)
    return found


def _watermark(plan: Plan, aggregate: str, inputs: Mapping[str, Handle]) -> int | None:
    """The watermark by which an aggregate's windows are final."""
    stream = plan.stream(plan.aggregate(aggregate).stream)
    return inputs[stream.table].transaction(transactions.watermark(stream.name)) if stream.table in inputs else None


def _present(
    connection: DuckDBPyConnection, plan: Plan, query: Query, inputs: Mapping[str, Handle], rows: Rows, now: int
) -> int:
    """The clock, or where all streams behind the query are replays the watermark of the one that is furthest behind."""
    streams = [plan.stream(name) for name in query.streams]
    if not streams or not all(s.replay for s in streams):
        return now
    marks = [m for s in streams if (m := _replayed(connection, s, inputs.get(s.table), rows)) is not None]
    return min(marks, default=now)


def _replayed(connection: DuckDBPyConnection, stream: Stream, raw: Handle | None, rows: Rows) -> int | None:
    """How far a replay has come: its watermark, once it is read to its end the newest event."""
    if raw is None:
        return None
    watermark = raw.transaction(transactions.watermark(stream.name))
    if watermark is None or watermark == NO_WATERMARK:
        return None
    if watermark < END_OF_TIME:
        return watermark
    sql = f"select epoch_us(max(_event_time)) from {rows(raw, {'_status': 'ok'})}"  # noqa: S608 - files of ours
    newest: int | None = connection.execute(sql).fetchall()[0][0]
    return newest


def _show(connection: DuckDBPyConnection, begun: QueryBegun, read: QueryInput, rows: Rows) -> None:
    """Make the view that the model reads in place of a table."""
    plan, (schema, _, name) = begun.plan, read.table.partition(".")
    handle = begun.inputs.get(stored_behind(plan, read.table))
    if handle is None:
        shown = view_sql(plan, read.table, "", present=())
    elif schema == "clean":
        stream = plan.stream(name)
        since = None if read.look_back is None else begun.present - read.look_back
        wanted: dict[str, Bound] = {"_status": "ok"}
        if since is not None:
            wanted["_event_time"] = moment(since - stream.dedup_horizon)
        raw = view_sql(plan, stream.table, rows(handle, wanted), present=handle.schema)
        ok = f"{rows_name(read.table)}_ok"
        connection.execute(f"create or replace temp view {ok} as select * from ({raw}) where _status = 'ok'")  # noqa: S608
        shown = clean_since(stream, ok, since)
    else:
        watermark = _watermark(plan, name, begun.inputs) if schema == "agg" else None
        shown = view_sql(plan, read.table, rows(handle, {}), present=handle.schema, watermark=watermark)
    connection.execute(f"create or replace temp view {rows_name(read.table)} as {shown}")


def _same(connection: DuckDBPyConnection, table: Handle, result: pa.Table, rows: Rows) -> bool:
    """Whether the table holds these rows in this order already."""
    if result.schema != table.schema or result.num_rows > _COMPARED:
        return False
    if sum(f.rows for f in table.files()) != result.num_rows:
        return False
    there = connection.execute(f"select * from {rows(table, {})}").to_arrow_table()  # noqa: S608 - files of ours
    return bool(there.cast(result.schema).equals(result))
