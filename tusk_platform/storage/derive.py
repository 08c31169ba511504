"""Derived columns: SQL over the columns of each row, money in exact decimals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core.decode import FAILED, Derive
from tusk_platform.core.schema import arrow_type
from tusk_platform.errors import UsageError
from tusk_platform.plan.nodes import Column, ColumnType, Stream

_SQL: Final[Mapping[ColumnType, str]] = {
    "string": "varchar",
    "integer": "bigint",
    "double": "double",
    "decimal": "decimal(18, 4)",
    "boolean": "boolean",
    "timestamp": "timestamptz",
    "date": "date",
    "uuid": "varchar",
    "json": "varchar",
}
# Money is widened before it is multiplied: the product of two decimals(18, 4) has only ten digits before the point.
_WIDE: Final = "decimal(38, 4)"


def deriver(stream: Stream) -> Derive | None:
    """What computes a stream's derived columns, with one connection for all its batches; None where it has none."""
    if not stream.expressions:
        return None
    connection = connect()

    def compute(table: pa.Table) -> pa.Table:
        return derive(table, stream.expressions, stream.columns, connection)

    return compute


def connect() -> duckdb.DuckDBPyConnection:
    """A connection in memory that reaches no file and no network."""
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false", "threads": "1"})
    # This optimizer takes a repeated part out of TRY, which then no longer holds its errors.
    connection.execute("set disabled_optimizers = 'common_subexpressions'")
    connection.execute("set timezone = 'UTC'")
    connection.execute("set enable_external_access = false")
    connection.execute("set python_enable_replacements = false")
    return connection


def derive(
    table: pa.Table,
    expressions: Mapping[str, str],
    columns: Sequence[Column],
    connection: duckdb.DuckDBPyConnection | None = None,
) -> pa.Table:
    """The derived columns of a table's rows, and `_failed`: the first that has no value because its SQL fails there.

    UsageError where an expression is no SQL over these columns at all.
    """
    connection = connection or connect()
    types = {c.name: c.type for c in columns}
    wide = ", ".join(f"{_quoted(c)}::{_WIDE} as {_quoted(c)}" for c in table.column_names if types.get(c) == "decimal")
    rows = f"(select * replace ({wide}) from given)" if wide else "given"  # noqa: S608 - names are quoted
    values = {name: f"cast(({sql}) as {_SQL[types[name]]})" for name, sql in expressions.items()}
    # A null may be the answer; that asking whether it is null fails too tells an error from it.
    wanted = ", ".join(
        f"try({value}) as {_quoted(name)}, try(({value}) is null) is null as {_quoted(FAILED + name)}"
        for name, value in values.items()
    )
    connection.register("given", table)
    try:
        found = connection.execute(f"select {wanted} from {rows}").to_arrow_table()  # noqa: S608 - as above
    except duckdb.Error as error:
        raise UsageError(f"derived columns {', '.join(values)}: {str(error).splitlines()[0]}") from error
    finally:
        connection.unregister("given")
    if found.num_rows != table.num_rows:
        raise UsageError(f"derived columns {', '.join(values)}: an expression must be about one row, not all of them")
    return _with_failures(found, {name: types[name] for name in expressions})


def _with_failures(found: pa.Table, types: Mapping[str, ColumnType]) -> pa.Table:
    derived: dict[str, pa.ChunkedArray] = {}
    failed = pa.nulls(found.num_rows, pa.string())
    for name, kind in types.items():
        values, bad = found.column(name), found.column(FAILED + name)
        if kind == "double":
            bad = pc.or_(bad, pc.fill_null(pc.invert(pc.is_finite(values)), fill_value=False))
            values = pc.if_else(bad, None, values)
        derived[name] = values.cast(arrow_type(kind))
        failed = pc.coalesce(failed, pc.if_else(bad, name, None))
    return pa.table({**derived, FAILED: failed})


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
