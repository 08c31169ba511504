"""A lake in the tables of one DuckDB connection: same commits and versions, without files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb
import pyarrow as pa

from tusk_platform.core.views import quoted
from tusk_platform.storage.snapshot import sql_type


class FakeTable:
    """A handle that sees the versions of the moment it was opened and commits at once."""

    def __init__(self, lake: FakeLake, name: str) -> None:
        self._lake = lake
        self.name = name
        self._seen = dict(lake.versions[name])

    @property
    def schema(self) -> pa.Schema:
        """The table's columns."""
        return self._lake.schemas[self.name]

    def transaction(self, app: str) -> int | None:
        """The version last committed under a name when the handle was opened."""
        return self._seen.get(app)

    def append(self, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        """Rows added, versions set."""
        self.replace(rows, "false", transactions)

    def replace(self, rows: pa.Table, predicate: str, transactions: Mapping[str, int]) -> None:
        """Rows that match removed, rows added, versions set."""
        self._lake.commits += 1
        with self._lake.connection.cursor() as cursor:
            cursor.execute(f"delete from {relation(self.name)} where {predicate}")
            cursor.register("new_rows", rows)
            cursor.execute(f"insert into {relation(self.name)} by name select * from new_rows")
        self._lake.versions[self.name].update(transactions)

    def overwrite(self, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        """All rows and columns replaced by these, versions set."""
        self._lake.commits += 1
        with self._lake.connection.cursor() as cursor:
            cursor.register("new_rows", rows)
            cursor.execute(f"create or replace table {relation(self.name)} as select * from new_rows")
        self._lake.schemas[self.name] = rows.schema
        self._lake.versions[self.name].update(transactions)


class FakeLake:
    """Tables as DuckDB tables; ``commits`` counts what real ones would have written to their logs."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.versions: dict[str, dict[str, int]] = {}
        self.schemas: dict[str, pa.Schema] = {}
        self.commits = 0

    def exists(self, table: str) -> bool:
        """Whether the table is there."""
        return table in self.versions

    def create(
        self, table: str, schema: pa.Schema, *, partition_by: Sequence[str] = (), statistics: Sequence[str] = ()
    ) -> None:
        """Make the table where it is not there; how files are laid out means nothing here."""
        del partition_by, statistics
        if not self.exists(table):
            columns = ", ".join(f"{quoted(f.name)} {sql_type(f.type)}" for f in schema)
            self.connection.execute(f"create schema if not exists {table.partition('.')[0]}")
            self.connection.execute(f"create table {relation(table)} ({columns})")
            self.versions[table] = {}
            self.schemas[table] = schema

    def open(self, table: str) -> FakeTable:
        """A handle at the table's newest version."""
        return FakeTable(self, table)


def relation(table: str) -> str:
    """The table as SQL."""
    return ".".join(quoted(part) for part in table.split("."))
