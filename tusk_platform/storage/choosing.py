"""Rows of one data file chosen by a condition in SQL: how many there are, and those that are left without them."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import duckdb
import pyarrow as pa

from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.storage.failures import reason
from tusk_platform.storage.files import ROW_GROUP

if TYPE_CHECKING:
    import pyarrow.dataset as pa_dataset

_MISTAKES: Final = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.ConversionException)


class Chooser:
    """One condition, asked of one file after another; ``table`` is what errors call it.

    ``among``: only rows with the values of one of its rows match.
    """

    def __init__(self, table: str, predicate: str, among: pa.Table | None = None) -> None:
        self._table = table
        self._predicate = predicate
        self._engine = _engine(os.getpid()).cursor()
        self._engine.execute("set timezone = 'UTC'")
        if among is not None:
            columns = ", ".join(among.column_names)
            self._engine.register("among", among)
            self._predicate = f"({predicate}) and ({columns}) in (select ({columns}) from among)"  # noqa: S608 - ours

    def count(self, rows: pa_dataset.Dataset) -> tuple[int, int]:
        """How many rows there are, and how many of them match."""
        sql = f"select count(*), count(*) filter ({self._predicate}) from stored"  # noqa: S608 - the caller's condition
        total, matching = self._ask(rows, sql).fetchall()[0]
        return int(total), int(matching)

    def rest(self, rows: pa_dataset.Dataset) -> Iterator[pa.Table]:
        """The rows that do not match, in pieces of a row group."""
        sql = f"select * from stored where ({self._predicate}) is not true"  # noqa: S608 - the caller's condition
        for batch in self._ask(rows, sql).to_arrow_reader(ROW_GROUP):
            yield pa.Table.from_batches([batch])

    def close(self) -> None:
        """Let go of the rows that were looked at."""
        self._engine.close()

    def _ask(self, rows: pa_dataset.Dataset, sql: str) -> duckdb.DuckDBPyConnection:
        self._engine.register("stored", rows)
        try:
            return self._engine.execute(sql)
        except _MISTAKES as error:
            raise UsageError(f"rows of {self._table} cannot be chosen by this condition: {reason(error)}") from error
        except duckdb.Error as error:
            raise Unavailable(f"reading {self._table}: {reason(error)}") from error


@functools.cache
def _engine(_process: int) -> duckdb.DuckDBPyConnection:
    """One database for all that a process chooses: opening one takes 20 ms, a replacement without it 30."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "python_enable_replacements": "false",
        "threads": "1",
    }
    return duckdb.connect(config=settings)
