"""One refresh of an aggregate's table: from where on to compute it again, and the one commit that replaces it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import pyarrow as pa

from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition
from tusk_platform.core.history import first_whole
from tusk_platform.core.schema import aggregate_schema
from tusk_platform.core.views import quoted, view_sql
from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import Aggregate, Plan, Session
from tusk_platform.ports import Windows
from tusk_platform.storage.snapshot import Bound, sql_type

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Before every event: the year 1, so that a horizon can still be taken off.
BEGINNING: Final = -62_135_596_800_000_000
# Comes before every batch.
NO_BATCH: Final = -1
# Temporary views and the table of one refresh: raw and the aggregate as they were at its beginning, and the new rows.
STREAM_ROWS: Final = "stream_rows"
FORMER_ROWS: Final = "former_rows"
RESULT: Final = "refreshed_rows"
_OK: Final = "ok"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Sums of doubles may differ in the last digits with the order of additions; such rows are equal.
_TOLERANCE: Final = "1e-12"


class Table(Protocol):
    """What a refresh needs of ``lake.Handle``."""

    @property
    def schema(self) -> pa.Schema:
        """The table's columns."""
        ...

    def transaction(self, app: str) -> int | None:
        """The version last committed under a name."""
        ...

    def append(self, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        """One commit: rows added, versions set."""
        ...

    def replace(self, rows: pa.Table, predicate: str, transactions: Mapping[str, int]) -> None:
        """One commit: rows that match removed, rows added, versions set."""
        ...

    def overwrite(self, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        """One commit: all rows and columns replaced by these, versions set."""
        ...


class Tables(Protocol):
    """What a refresh needs of ``lake.Lake``."""

    def exists(self, table: str) -> bool:
        """Whether the table is there."""
        ...

    def create(
        self, table: str, schema: pa.Schema, *, partition_by: Sequence[str] = (), statistics: Sequence[str] = ()
    ) -> None:
        """Make the table where it is not there; add columns that are new."""
        ...

    def open(self, table: str) -> Table:
        """A handle at the table's newest version."""
        ...


# The rows of a table as its handle sees them, as SQL; see ``snapshot.rows_sql``.
Rows = Callable[[Any, Mapping[str, Bound]], str]


@dataclass(frozen=True, slots=True)
class Begun:
    """Where raw and the aggregate stood, read once, so that everything that follows is of one snapshot.

    ``whole``: what is there cannot be continued, every window is computed again, but those that start before ``kept``:
    raw no longer holds all their events. ``remade``: the table gets other columns. ``since`` is the earliest window to
    compute again (microseconds), None where no new row counts for any. ``windows``: only these, whatever is new.
    """

    plan: Plan
    aggregate: Aggregate
    raw: Table
    table: Table
    seen: int
    upto: int
    whole: bool
    transactions: Mapping[str, int]
    kept: int | None = None
    remade: bool = False
    since: int | None = None
    windows: Windows | None = None

    @property
    def behind(self) -> bool:
        """Whether raw holds batches that the table does not know of."""
        return self.whole or self.seen < self.upto


@dataclass(frozen=True, slots=True)
class Done:
    """What a refresh did: rows written, how many of them are new or differ, the last raw batch the table holds."""

    rows: int
    changed: int
    through_batch: int
    since: int | None = None

    def __str__(self) -> str:
        if self.since is None:
            return f"no window touched, through batch {self.through_batch}"
        start = "the beginning" if self.since == BEGINNING else f"{moment(self.since):%Y-%m-%d %H:%M:%S}"
        what = f"{self.rows} rows from {start}, {self.changed} changed" if self.rows else f"no row changed from {start}"
        return f"{what}, through batch {self.through_batch}"


def moment(micros: int) -> datetime:
    """Microseconds UTC as a point in time."""
    return _EPOCH + timedelta(microseconds=micros)


def create(lake: Tables, plan: Plan, aggregate: Aggregate) -> None:
    """Make the aggregate's table where it is not there yet."""
    schema = aggregate_schema(aggregate, plan.stream(aggregate.stream))
    lake.create(aggregate.table, schema, partition_by=("_window_date",), statistics=("window_start",))


def begin(
    lake: Tables, plan: Plan, aggregate: Aggregate, *, full: bool = False, windows: Windows | None = None
) -> Begun | None:
    """Where raw and the table stand; None where the stream has no table or no batch yet.

    ``windows``: from the batches that the table holds; what came since stays for the next ordinary refresh.
    """
    stream = plan.stream(aggregate.stream)
    if not lake.exists(stream.table):
        return None
    raw = lake.open(stream.table)
    upto = raw.transaction(transactions.batch(stream.name))
    if upto is None:
        return None
    name = aggregate.name
    state = {
        transactions.refreshed_generation(name): raw.transaction(transactions.generation(stream.name)) or 0,
        transactions.definition(name): definition(plan, aggregate),
    }
    if not lake.exists(aggregate.table):
        create(lake, plan, aggregate)
    table = lake.open(aggregate.table)
    seen = table.transaction(transactions.refreshed(name))
    continues = seen is not None and seen <= upto and all(table.transaction(k) == v for k, v in state.items())
    redefined = table.transaction(transactions.definition(name)) != state[transactions.definition(name)]
    if windows is not None:
        if seen is None or not continues:
            raise Unavailable(f"{aggregate.table} must be computed anew before some of its windows are: try again")
        upto = seen
    return Begun(
        plan=plan,
        aggregate=aggregate,
        raw=raw,
        table=table,
        seen=seen or 0,
        upto=upto,
        whole=full or not continues,
        transactions={**state, transactions.refreshed(name): upto},
        kept=_kept(plan, aggregate, raw, table, state) if seen is not None and seen <= upto else None,
        windows=windows,
        remade=redefined and _shape(table.schema) != _shape(aggregate_schema(aggregate, stream)),
    )


def _shape(schema: pa.Schema) -> dict[str, pa.DataType]:
    return {f.name: f.type for f in schema}


def _kept(plan: Plan, aggregate: Aggregate, raw: Table, table: Table, state: Mapping[str, int]) -> int | None:
    """Before when a window must stay as it is, because raw no longer holds all its events; None: none must."""
    name = aggregate.name
    generation, defined = transactions.refreshed_generation(name), transactions.definition(name)
    if table.transaction(generation) != state[generation]:
        return None
    found: list[int] = []
    if table.transaction(transactions.kept_for(name)) == state[defined]:
        found.append(table.transaction(transactions.kept(name)) or BEGINNING)
    elif table.transaction(defined) != state[defined]:
        return None
    trimmed = raw.transaction(transactions.trimmed(aggregate.stream))
    if trimmed is not None:
        found.append(first_whole(aggregate, plan.runtime.timezone, trimmed))
    return max(found, default=None)


def advance(connection: DuckDBPyConnection, begun: Begun, sql: str, rows: Rows) -> Begun:
    """The same with ``since``, and the connection ready to run the model from there.

    ``sql`` is the model's: run over the new rows alone it shows the windows they count for.
    """
    stream = begun.plan.stream(begun.aggregate.stream)
    if begun.windows is not None:
        since: int | None = _first_of(begun, begun.windows)
    elif begun.whole:
        since = BEGINNING if begun.kept is None else begun.kept
    elif begun.behind:
        _show(connection, begun, rows, raw={"_status": _OK, "_batch": begun.seen + 1}, former={})
        bound(connection, since=BEGINNING, after=begun.seen, upto=begun.upto)
        since = connection.execute(_earliest(begun.aggregate, sql)).fetchall()[0][0]
        if since is not None and begun.kept is not None:
            since = max(since, begun.kept)  # an older window would be replaced by the part that raw still holds
    else:
        since = None
    if since is not None:
        events = {"_event_time": moment(max(BEGINNING, since - stream.dedup_horizon))} if since > BEGINNING else {}
        # A session that started before keeps its rows, so it must be seen; so must all that moves to other columns.
        everything = begun.remade or isinstance(begun.aggregate.window, Session)
        former = {} if everything else _windows_from(since)
        _show(connection, begun, rows, raw={"_status": _OK, **events}, former=former)
        bound(connection, since=since, after=NO_BATCH, upto=begun.upto)
    return replace(begun, since=since)


def _first_of(begun: Begun, windows: Windows) -> int | None:
    """The first of some windows that raw holds whole; None where it holds none of them."""
    first = first_whole(begun.aggregate, begun.plan.runtime.timezone, windows.since - 1)
    if begun.kept is not None and not windows.complete:
        first = max(first, begun.kept)
    return first if first < windows.until else None


def first_computable(lake: Tables, plan: Plan, aggregate: Aggregate) -> int | None:
    """Windows that start before it cannot be computed from raw any more; None: all can."""
    begun = begin(lake, plan, aggregate)
    return None if begun is None else begun.kept


def bound(connection: DuckDBPyConnection, *, since: int, after: int, upto: int) -> None:
    """Set what bounds the raw rows that a model reads: event time from, batches after and up to."""
    connection.execute(f"set variable since = {since:d}::bigint")
    connection.execute(f"set variable after = {after:d}::bigint")
    connection.execute(f"set variable upto = {upto:d}::bigint")


def _show(
    connection: DuckDBPyConnection,
    begun: Begun,
    rows: Rows,
    *,
    raw: Mapping[str, Bound],
    former: Mapping[str, Bound],
) -> None:
    """Make the views that the model reads, of the one commit of each table that was read at the beginning."""
    stream = begun.plan.stream(begun.aggregate.stream)
    shown = view_sql(begun.plan, stream.table, rows(begun.raw, raw), present=begun.raw.schema)
    connection.execute(f"create or replace temp view {STREAM_ROWS} as {shown}")
    table = rows(begun.table, former)
    connection.execute(f"create or replace temp view {FORMER_ROWS} as select * from {table}")  # noqa: S608 - files of ours


def _earliest(aggregate: Aggregate, sql: str) -> str:
    if not isinstance(aggregate.window, Session):
        return f"select epoch_us(min(window_start)) from ({sql})"  # noqa: S608 - the model's own SQL
    # A new row can lengthen, join or split every session of its key that ends after it.
    dimensions = [quoted(d) for d in aggregate.dimensions]
    same_key = "".join(f" and old.{d} is not distinct from new.{d}" for d in dimensions)
    return f"""
        with new as (select {", ".join([*dimensions, "min(window_start) as start"])} from ({sql}) group by all)
        select epoch_us(least(
            (select min(start) from new),
            (select min(old.window_start) from {FORMER_ROWS} as old join new on old.window_end >= new.start{same_key})
        ))"""  # noqa: S608 - the model's own SQL and names of the plan


def commit(connection: DuckDBPyConnection, begun: Begun, *, now: int) -> Done:
    """Replace the table's windows from ``begun.since`` on by the rows in RESULT, in one commit; Conflict when too late.

    Rows equal to what was there keep their ``updated_at``; where all are, only the batch is recorded.
    """
    versions = {**begun.transactions, transactions.refreshed_at(begun.aggregate.name): now}
    if begun.since is None:
        if begun.behind:
            begun.table.append(_schema(begun).empty_table(), versions)
        return Done(0, 0, begun.upto)
    former = _as_now(begun)
    replaced = _predicate(begun.since, begun.windows)
    there = f"(select * from {former} where {replaced})"  # noqa: S608 - names of ours
    among = "" if begun.windows is None else _within(begun.since, begun.windows)
    settled = connection.execute(_settled(begun.aggregate, _columns(begun), there, among)).to_arrow_table()
    updated = settled["updated_at"]
    changed = updated.null_count
    stamp = pa.scalar(now, pa.int64()).cast(updated.type)
    rows = settled.set_column(settled.schema.get_field_index("updated_at"), "updated_at", updated.fill_null(stamp))
    if begun.remade:
        before = f"select * from {former} where not ({_predicate(begun.since)})"  # noqa: S608 - names of ours
        kept = connection.execute(before).to_arrow_table().select(rows.column_names).cast(_schema(begun))
        begun.table.overwrite(pa.concat_tables([kept, rows.cast(_schema(begun))]), versions)
        return Done(rows.num_rows, changed, begun.upto, begun.since)
    if not changed and rows.num_rows == _count(connection, there):
        begun.table.append(_schema(begun).empty_table(), versions)
        return Done(0, 0, begun.upto, begun.since)
    begun.table.replace(rows.cast(_schema(begun)), replaced, versions)
    return Done(rows.num_rows, changed, begun.upto, begun.since)


def _as_now(begun: Begun) -> str:
    """The rows that were there with the columns of this definition: null where one is new, or fits its type no more."""
    there = _shape(begun.table.schema)
    if not begun.remade:
        return FORMER_ROWS
    columns = []
    for f in _schema(begun):
        kind, name = sql_type(f.type), quoted(f.name)
        value = f"try_cast({name} as {kind})" if f.name in there else f"cast(null as {kind})"
        columns.append(f"{value} as {name}")
    return f"(select {', '.join(columns)} from {FORMER_ROWS})"  # noqa: S608 - names of the plan


def _count(connection: DuckDBPyConnection, there: str) -> int:
    return int(connection.execute(f"select count(*) from {there}").fetchall()[0][0])  # noqa: S608 - the table as SQL


def _schema(begun: Begun) -> pa.Schema:
    return aggregate_schema(begun.aggregate, begun.plan.stream(begun.aggregate.stream))


def _columns(begun: Begun) -> dict[str, str]:
    """Column -> DuckDB type, without those that are settled here."""
    return {f.name: sql_type(f.type) for f in _schema(begun) if f.name not in {"updated_at", "_window_date"}}


def _windows_from(since: int) -> dict[str, Bound]:
    start = moment(since)
    return {"_window_date": start.date(), "window_start": start} if since > BEGINNING else {}


def _predicate(since: int, windows: Windows | None = None) -> str:
    """What is replaced, in the words that Delta and DuckDB share; the date alone lets whole files be left out."""
    start = moment(since)
    if windows is not None:
        last = moment(windows.until).date()
        return f"_window_date >= '{start.date()}' and _window_date <= '{last}'{_within(since, windows)}"
    if since == BEGINNING:
        return f"_window_date >= '{start.date()}'"
    return f"_window_date >= '{start.date()}' and window_start >= '{_text(since)}'"


def _within(since: int, windows: Windows) -> str:
    """A condition that goes on with `and`: the window is one of those asked for, from ``since`` on."""
    bounds = f" and window_start >= '{_text(since)}' and window_start < '{_text(windows.until)}'"
    return bounds if windows.ending is None else f"{bounds} and window_end <= '{_text(windows.ending)}'"


def _text(micros: int) -> str:
    return moment(micros).isoformat(timespec="microseconds")


def _settled(aggregate: Aggregate, columns: Mapping[str, str], there: str, among: str = "") -> str:
    """The new rows in the table's types; ``updated_at`` of the row that is there already, null where none is equal."""
    exact = {"window_start", *aggregate.dimensions}
    same = [_equal(quoted(n), loose=kind == "double" and n not in exact) for n, kind in columns.items()]
    cast = ",\n            ".join(f"cast({quoted(n)} as {kind}) as {quoted(n)}" for n, kind in columns.items())
    order = ", ".join(f"new.{quoted(n)}" for n in ("window_start", *aggregate.dimensions))
    return f"""
        with new as (
            select {cast}
            from {RESULT} where event_count > 0{among}
        )
        select new.*, old.updated_at, cast(new.window_start as date) as _window_date
        from new left join {there} as old on {" and ".join(same)}
        order by {order}"""  # noqa: S608 - names of the plan


def _equal(name: str, *, loose: bool) -> str:
    old, new = f"old.{name}", f"new.{name}"
    if name == '"window_start"':
        return f"{old} = {new}"
    if loose:
        near = f"abs({old} - {new}) <= {_TOLERANCE} * greatest(abs({old}), abs({new}))"
        return f"({old} is not distinct from {new} or {near})"
    return f"{old} is not distinct from {new}"
