"""The columns of a query's result with their types, as DuckDB finds them before there is a single row."""

from __future__ import annotations

import itertools
import re
import threading
from contextlib import closing
from dataclasses import replace
from functools import cache
from typing import Final

import duckdb

from tusk_platform.core.views import quoted, view_sql
from tusk_platform.errors import Problem, UsageError
from tusk_platform.plan.nodes import Column, ColumnType, Plan, Query
from tusk_platform.storage.extensions import load_extensions
from tusk_platform.storage.sql_guard import cleaned, read_only

_TYPES: Final[dict[str, ColumnType]] = {
    "DOUBLE": "double", "FLOAT": "double", "BOOLEAN": "boolean", "DATE": "date", "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
}  # fmt: skip
_INTEGER: Final = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")
_one_at_a_time: Final = threading.Lock()
_serial: Final = itertools.count()

# Schema, name and SQL of a view; names and types of columns.
View = tuple[str, str, str]
Described = tuple[tuple[str, str], ...]
_MOST_REMEMBERED: Final = 4096
_remembered: Final[dict[tuple[tuple[View, ...], str, str], Described]] = {}


def with_types(plan: Plan) -> tuple[Plan, tuple[Problem, ...]]:
    """The plan with the types of its queries' columns, and what DuckDB says of those that it cannot compute."""
    made: dict[str, Query] = {}
    texts: dict[str, View] = {}
    problems: list[Problem] = []
    with closing(_Catalog(plan.runtime.timezone)) as catalog:
        for query in plan.queries:
            for i in query.inputs:
                if i.table not in texts:
                    texts[i.table] = _table(plan, i.table, made)
            try:
                found = catalog.described(tuple(texts[i.table] for i in query.inputs), query.sql)
            except UsageError as error:
                said = f"query `{query.name}` cannot be computed: {error}"
                problems.append(Problem(query.origin.span, query.origin.key, said, _hint(str(error))))
                found = tuple((c.name, "VARCHAR") for c in query.columns)
            made[query.name] = replace(query, columns=tuple(Column(name, column_type(kind)) for name, kind in found))
    return replace(plan, queries=tuple(made.values())), tuple(problems)


def column_type(kind: str) -> ColumnType:
    """The type of a column in the lake for one of DuckDB's; what has none is kept as text."""
    if _INTEGER.fullmatch(kind):
        return "integer"
    return "decimal" if kind.startswith("DECIMAL") else _TYPES.get(kind, "string")


def _hint(said: str) -> str:
    if "unction with name" in said:
        return "the functions of MySQL and DuckDB may be used"
    types = "type of a column" if "explicit cast" in said or "No function matches" in said else ""
    return f"the {types} may be said in its stream: `schema = {{ ... }}`" if types else ""


def _table(plan: Plan, table: str, made: dict[str, Query]) -> View:
    schema, _, name = table.partition(".")
    return schema, name, view_sql(replace(plan, queries=tuple(made.values())), table, "", present=())


class _Catalog:
    """A database of its own for the views of one plan, each made when a query first reads it."""

    def __init__(self, timezone: str) -> None:
        self._timezone = timezone
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._name = f"types_{next(_serial)}"
        self._made: set[View] = set()

    def described(self, tables: tuple[View, ...], sql: str) -> Described:
        """Name and type of each column; UsageError where a query cannot be computed or does more than read its tables.

        What was asked before, of this plan or another, is remembered.
        """
        asked = (tables, sql, self._timezone)
        if asked not in _remembered:
            if len(_remembered) > _MOST_REMEMBERED:
                _remembered.clear()
            with _one_at_a_time:
                _remembered[asked] = self._asked(tables, sql)
        return _remembered[asked]

    def _asked(self, tables: tuple[View, ...], sql: str) -> Described:
        try:
            cursor = self._open()
            for view in tables:
                if view not in self._made:
                    schema, name, text = view
                    cursor.execute(f"create schema if not exists {schema}")
                    cursor.execute(f"create view {schema}.{quoted(name)} as {text}")
                    self._made.add(view)
            read = read_only(cursor, sql).tables
            if read is None or not {(s, n) for s, n in read if s} <= {(s, n) for s, n, _ in tables}:
                raise UsageError("it reads more than tables of the platform")
            return tuple((str(row[0]), str(row[1])) for row in cursor.execute(f"describe {sql}").fetchall())
        except duckdb.Error as error:
            raise UsageError(_plainly(error)) from error

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._cursor is None:
            self._cursor = _database().cursor()
            self._cursor.execute(f"attach ':memory:' as {self._name}")
            self._cursor.execute(f"use {self._name}")
            self._cursor.execute(f"set session timezone = '{self._timezone}'")
        return self._cursor

    def close(self) -> None:
        """Remove the views and their database."""
        if self._cursor is not None:
            with _one_at_a_time, self._cursor:
                self._cursor.execute("use memory")
                self._cursor.execute(f"detach {self._name}")


@cache
def _database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false", "threads": 1})
    load_extensions(connection, ("icu",))
    connection.execute("set enable_external_access = false")
    return connection


def _plainly(error: duckdb.Error) -> str:
    """DuckDB's reason without its kind and its list of candidates."""
    text = cleaned(error).split("Candidate functions:")[0].split("Candidate macros:")[0]
    return re.sub(r"^\w+( \w+)* Error: ", "", text).strip().removesuffix(".")
