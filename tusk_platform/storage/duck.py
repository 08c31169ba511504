"""DuckDB over the lake: a view for every table of the plan, and read-only SQL that reaches nothing else."""

from __future__ import annotations

import itertools
import os
import tempfile
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from tusk_platform.core import transactions
from tusk_platform.core.views import quoted, stored_behind, view_names, view_sql
from tusk_platform.errors import Unavailable, UsageError, nearest
from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.profile import Runtime
from tusk_platform.storage.extensions import load_extensions
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.memory import of_database
from tusk_platform.storage.sql_guard import cleaned, read_only

__all__ = ["bounds", "connect", "create_views", "database", "load_extensions", "query", "scan"]

_SETTINGS: Final[Mapping[str, str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
# A query of a person, or of a job beside its own work, may hold as much as the pages.
_AS_MUCH_AS: Final = "serving"
# What is wrong with the statement; anything else is the machine's.
_MISTAKES: Final = (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError, duckdb.PermissionException)
_MISSING: Final = "Table with name "
Bounds = Mapping[str, str | int]

_serial: Final = itertools.count()
_readers: Final[dict[tuple[object, ...], duckdb.DuckDBPyConnection]] = {}
_opening: Final = threading.Lock()


def connect(lake: Lake, plan: Plan) -> duckdb.DuckDBPyConnection:
    """A database in memory with a view of every table; the caller's own, to be closed by it."""
    connection = _database(bounds(plan.runtime))
    load_extensions(connection)
    create_views(connection, lake, plan)
    return connection


def database(lake: Lake, runtime: Runtime) -> duckdb.DuckDBPyConnection:
    """A database in memory without views, for jobs that read the lake's files; the caller's own, to be closed by it."""
    connection = _database(bounds(runtime))
    load_extensions(connection, ("icu",))
    _open_store(connection, lake)
    return connection


def query(lake: Lake, plan: Plan, sql: str, *, memory_limit: str | None = None, threads: int | None = None) -> pa.Table:
    """Rows of one statement that only reads, over the views of the plan; UsageError where it does anything else.

    The statement reaches no file outside the lake and changes nothing; many may run at once. Memory and threads are
    those of the plan's runtime profile unless said.
    """
    said = {"memory_limit": memory_limit, "threads": threads}
    base = _reader(lake, {**bounds(plan.runtime), **{k: v for k, v in said.items() if v is not None}})
    with _own_catalog(base) as cursor:
        statement = read_only(cursor, sql)
        named = statement.tables
        _views(cursor, lake, plan, None if named is None else [".".join(filter(None, t)).lower() for t in named])
        try:
            return cursor.execute(sql).to_arrow_table()
        except _MISTAKES as error:
            raise UsageError(_mistake(lake, plan, error)) from error
        except duckdb.Error as error:
            raise Unavailable(f"the query did not get through: {cleaned(error)}") from error


def create_views(
    connection: duckdb.DuckDBPyConnection, lake: Lake, plan: Plan, *, only: Collection[str] | None = None
) -> None:
    """Make or renew the views of the plan and of whatever else the lake holds; ``only`` those named.

    Rows are read anew by every query; a view's columns, and the watermark ``is_final`` goes by, are of this moment.
    """
    _open_store(connection, lake)
    _views(connection, lake, plan, only)


def bounds(runtime: Runtime, process: str = _AS_MUCH_AS) -> Bounds:
    """Settings of a database: the memory it may hold inside a process of the process table, and its threads."""
    threads = {} if runtime.threads is None else {"threads": runtime.threads}
    return {"memory_limit": f"{of_database(runtime.memory, process)}B", **threads}


def scan(lake: Lake, table: str, *, version: int | None = None) -> str:
    """A stored table as SQL, as of a commit if one is given."""
    path = lake.path(table).replace("'", "''")
    return f"delta_scan('{path}')" if version is None else f"delta_scan('{path}', version => {version})"


class _Stored:
    """What the stored tables say of themselves, each opened once."""

    def __init__(self, lake: Lake, plan: Plan) -> None:
        self._lake = lake
        self._plan = plan
        self._columns: dict[str, pa.Schema] = {}
        self._watermarks: dict[str, int | None] = {}

    def view(self, name: str) -> str:
        """The query behind a view of the plan."""
        table = stored_behind(self._plan, name)
        if table not in self._columns:
            there = self._lake.exists(table)
            self._columns[table] = self._lake.open(table).schema if there else pa.schema([])
        watermark = self._watermark(self._plan.aggregate(name[4:]).stream) if name.startswith("agg.") else None
        return view_sql(self._plan, name, scan(self._lake, table), present=self._columns[table], watermark=watermark)

    def _watermark(self, stream: str) -> int | None:
        if stream not in self._watermarks:
            table = self._plan.stream(stream).table
            there = self._lake.exists(table)
            self._watermarks[stream] = (
                self._lake.open(table).transaction(transactions.watermark(stream)) if there else None
            )
        return self._watermarks[stream]


def _views(connection: duckdb.DuckDBPyConnection, lake: Lake, plan: Plan, only: Collection[str] | None) -> None:
    stored = _Stored(lake, plan)
    planned = view_names(plan)
    known = {name.lower(): name for name in planned}
    wanted = None if only is None else {name.lower() for name in only}
    if wanted is None or not wanted <= known.keys():
        known |= {name.lower(): name for name in lake.tables() if name.lower() not in known}
    for name in (view for lowered, view in known.items() if wanted is None or lowered in wanted):
        text = stored.view(name) if name in planned else f"select * from {scan(lake, name)}"  # noqa: S608 - a path of ours
        parts = name.split(".", 1)
        try:
            if len(parts) == 2:
                connection.execute(f"create schema if not exists {quoted(parts[0])}")
            connection.execute(f"create or replace view {'.'.join(map(quoted, parts))} as {text}")
        except duckdb.Error as error:
            raise Unavailable(f"{name} cannot be read: {cleaned(error)}") from error


def _mistake(lake: Lake, plan: Plan, error: duckdb.Error) -> str:
    text = cleaned(error)
    if _MISSING not in text:
        return text
    name = text.split(_MISSING, 1)[1].split(" ", 1)[0].strip('"')
    return f"there is no table `{name}`; {nearest(name, {*view_names(plan), *lake.tables()})}"


def _reader(lake: Lake, bounds: Bounds) -> duckdb.DuckDBPyConnection:
    """A database that reads nothing but the lake, shared by all queries of the process.

    Loading the extension takes 0.2 to 0.7 s, a query of a small table 8 ms.
    """
    key = (os.getpid(), lake.root, *sorted(lake.options.items()), *sorted(bounds.items()))
    with _opening:
        if key not in _readers:
            connection = _database(bounds)
            load_extensions(connection)
            _open_store(connection, lake)
            folder = lake.root.replace("'", "''")
            connection.execute(f"set allowed_directories = ['{folder}/']")
            connection.execute("set enable_external_access = false")
            connection.execute("set lock_configuration = true")
            _readers[key] = connection
        return _readers[key]


@contextmanager
def _own_catalog(base: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor with a catalog of its own, where no other query renews the views under its feet."""
    name = f"query_{next(_serial)}"
    with base.cursor() as cursor:
        cursor.execute(f"attach ':memory:' as {name}")
        cursor.execute(f"use {name}")
        try:
            yield cursor
        finally:
            cursor.execute("use memory")
            cursor.execute(f"detach {name}")


def _database(bounds: Bounds) -> duckdb.DuckDBPyConnection:
    spill = Path(tempfile.gettempdir()) / f"tusk-spill-{os.getpid()}"
    return duckdb.connect(":memory:", config={**_SETTINGS, **bounds, "temp_directory": str(spill)})


def _open_store(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Let DuckDB into the object store of the lake, by the options that delta-rs goes by."""
    if "://" not in lake.root:
        return
    load_extensions(connection, ("httpfs",))
    endpoint = lake.options.get("AWS_ENDPOINT_URL", "")
    values = {
        "key_id": lake.options.get("AWS_ACCESS_KEY_ID"),
        "secret": lake.options.get("AWS_SECRET_ACCESS_KEY"),
        "session_token": lake.options.get("AWS_SESSION_TOKEN"),
        "region": lake.options.get("AWS_REGION"),
        "endpoint": endpoint.partition("://")[2],
    }
    parts = ["type s3", *(f"{name} '{value.replace(chr(39), chr(39) * 2)}'" for name, value in values.items() if value)]
    if endpoint:
        parts += [f"use_ssl {str(endpoint.startswith('https')).lower()}", "url_style 'path'"]
    connection.execute(f"create or replace secret lake ({', '.join(parts)})")
