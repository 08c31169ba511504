"""A PostgreSQL database: how to connect, what is asked of its tables, and what its refusals mean in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, LiteralString

from tusk_platform.adapters.database_limits import ORDINARY, connected
from tusk_platform.adapters.database_values import SESSION, RowWriter, copied
from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.ports import SourceContext

if TYPE_CHECKING:
    import psycopg
    from psycopg import sql
    from psycopg.pq import abc

# Seconds: until a server must answer, and a statement must have done its work (a slot waits for open transactions).
_ANSWER: Final = 5
_STATEMENT: Final = 60
# Seconds that we wait for a statement that may take its time.
LONG: Final = _STATEMENT + 5.0
APPLICATION: Final = "tusk"
# So that a machine that is gone is noticed: seconds, the last in milliseconds.
_SIGNS_OF_LIFE: Final = {
    "keepalives": 1, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 20_000,
}  # fmt: skip
# What a server says that is up but does not take us just now.
_FOR_NOW: Final = re.compile(
    r"starting up|shutting down|recovery mode|not yet accepting|too many (clients|connections)"
    r"|remaining connection slots|connection limit|max_wal_senders|terminating connection",
    re.IGNORECASE,
)
_COLUMNS: Final = """
    select a.attname, a.atttypid::bigint, a.attgenerated <> ''
    from pg_attribute a where a.attrelid = %s and a.attnum > 0 and not a.attisdropped order by a.attnum
"""
_TABLE: Final = """
    select c.oid::bigint, n.nspname, c.relname, c.relkind::text, c.relreplident::text, c.relpersistence::text,
           case when c.reltuples > 0 then (pg_table_size(c.oid) / c.reltuples)::bigint else 10000 end
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = to_regclass(%s)
"""
_KEY: Final = """
    select a.attname from pg_index i
    cross join lateral unnest(i.indkey) with ordinality as k (attnum, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
    where i.indrelid = %s and i.indisprimary order by k.place
"""
_DOMAINS: Final = "select oid::bigint, typbasetype::bigint from pg_type where typtype = 'd'"


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it is now.

    ``columns`` are names with numbers of types, ``identity`` is its replica identity, ``row_size`` about the bytes of a
    row.
    """

    oid: int
    schema: str
    name: str
    kind: str
    identity: str
    row_size: int
    key: tuple[str, ...]
    columns: tuple[tuple[str, int], ...]
    generated: frozenset[str]
    domains: Mapping[int, int]

    @property
    def quoted(self) -> str:
        """Its name as SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def base_types(self, columns: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
        """The columns, domains as the types behind them."""
        return tuple((name, self._base(kind)) for name, kind in columns)

    def _base(self, kind: int) -> int:
        while kind in self.domains:
            kind = self.domains[kind]
        return kind


class Database:
    """One connection for questions, made on first use."""

    def __init__(self, context: SourceContext) -> None:
        self._context = context
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._limit = ORDINARY

    @property
    def address(self) -> str:
        """Host, port and database as the config gives them, without who we are."""
        return address(self._context)

    def rows(
        self, statement: LiteralString | sql.Composed, *values: object, limit: float | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows of a statement, in a transaction of its own; Unavailable or UsageError in plain words.

        ``limit``: seconds that an answer may take; not said: what is usual.
        """
        with self._asking(limit) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def row(
        self, statement: LiteralString | sql.Composed, *values: object, limit: float | None = None
    ) -> tuple[Any, ...]:
        """The only row of a statement."""
        [found] = self.rows(statement, *values, limit=limit)
        return found

    def copy(self, statement: sql.Composed) -> list[list[bytes | None]]:
        """The rows of a ``copy (...) to stdout``, values as the server writes them."""
        with self._asking(LONG) as connection, connection.cursor().copy(statement) as copy:
            return [copied(bytes(line)) for line in copy]

    def table(self, name: str) -> Table:
        """The table as it is now; UsageError where there is none, or none that can be followed."""
        parts = ".".join(quoted(part) for part in name.split("."))
        found = self.rows(_TABLE, parts) or self.rows(_TABLE, name)
        if not found:
            raise UsageError(
                f"there is no table `{name}` at {self.address}, or we may not see its schema: "
                f"`grant usage on schema ... to {self.user()}`"
            )
        oid, schema, table, kind, identity, persistence, row_size = found[0]
        if kind not in {"r", "p"} or persistence == "t":
            raise UsageError(f"`{name}` at {self.address} is not a table: views and the like have no primary key")
        columns = self.rows(_COLUMNS, oid)
        key = tuple(row[0] for row in self.rows(_KEY, oid))
        if not key:
            raise UsageError(
                f"table `{name}` at {self.address} has no primary key, and without one nobody can say which row "
                f"changed: `alter table {quoted(schema)}.{quoted(table)} add primary key (...)`"
            )
        return Table(
            oid, schema, table, kind, identity, row_size, key,
            columns=tuple((row[0], row[1]) for row in columns),
            generated=frozenset(row[0] for row in columns if row[2]),
            domains=dict(self.rows(_DOMAINS)),
        )  # fmt: skip

    def user(self) -> str:
        """Who we are there, as SQL."""
        return quoted(str(self.row("select current_user")[0]))

    def position(self) -> int:
        """Where the server's history is now, as a number: what is committed and safe is before it."""
        lsn = "case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_flush_lsn() end"
        return int(self.row(f"select ({lsn} - '0/0')::bigint")[0])

    def close(self) -> None:
        """Let go of the connection; the next use makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @contextmanager
    def _asking(self, limit: float | None) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        import psycopg

        self._limit = ORDINARY if limit is None else limit
        try:
            if self._connection is None:
                self._connection = connected(conninfo(self._context), lambda: self._limit)
            yield self._connection
        except psycopg.Error as error:
            problem = in_words(self._context, error)
            if isinstance(problem, Unavailable):
                self.close()
            raise problem from error


def quoted(name: str) -> str:
    """A name as SQL, in quotes only where it needs them."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else '"' + name.replace('"', '""') + '"'


def lsn_text(lsn: int) -> str:
    """A position as the server writes it.

    >>> lsn_text(23557904)
    '0/1677710'
    """
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_number(text: str) -> int:
    """A position as a number.

    >>> lsn_number("0/1677710")
    23557904
    """
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def writer(table: Table, columns: Sequence[tuple[str, int]] | None = None) -> RowWriter:
    """What writes the table's rows as JSON; ``columns`` are those of a time when the table had others."""
    return RowWriter(table.base_types(table.columns if columns is None else columns), table.key)


def conninfo(context: SourceContext, **more: str) -> str:
    """What to connect with; it may hold the password."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    said = {"user": context.connection.get("username"), "password": context.connection.get("password")}
    settings = {**SESSION} if "replication" in more else {**SESSION, "statement_timeout": f"{_STATEMENT}s"}
    encoding = settings.pop("client_encoding")
    try:
        given = conninfo_to_dict(_url(context))
        return make_conninfo(
            _url(context),
            **{name: value for name, value in said.items() if value},
            client_encoding=encoding,
            options=" ".join(f"-c {name}={value}" for name, value in settings.items()),
            connect_timeout=_ANSWER,
            application_name=APPLICATION,
            **{name: value for name, value in _SIGNS_OF_LIFE.items() if name not in given},
            **more,
        )
    except psycopg.ProgrammingError as error:
        # What the library says of it would show the password.
        raise UsageError("`connections.database`: `url` is not an address of PostgreSQL") from error


def address(context: SourceContext) -> str:
    """Host, port and database as the config gives them; it holds no secret."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(_url(context))
    except psycopg.ProgrammingError:
        return "an address that cannot be read"
    # A password with an unescaped @ in it is taken for a part of the host.
    host = str(parts.get("host", "localhost")).rpartition("@")[2]
    return f"{host}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


def _url(context: SourceContext) -> str:
    url = context.connection.get("url")
    if not url:
        raise Unavailable("`connections.database` has no value for `url`")
    return str(url)


def in_words(context: SourceContext, error: psycopg.Error) -> Unavailable | UsageError:
    """What to raise for what the library or the server says: try again later, or a mistake."""
    import psycopg

    at = f"PostgreSQL at {address(context)}"
    said = _first_line(context, error)
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return UsageError(f"{at} refuses: {said}. The guide lists what to grant")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return Unavailable(
            f"{at}: a statement took longer than {_STATEMENT} seconds. A new slot waits until every transaction that "
            f"was open has ended (`table pg_stat_activity` shows them); a cursor wants an index"
        )
    if error.sqlstate is not None and error.sqlstate[:2] not in {"08", "53", "57", "40", "55", "58", "XX"}:
        return UsageError(f"{at} refuses: {said}")
    if error.sqlstate is None and "FATAL" in str(error) and not _FOR_NOW.search(str(error)):
        return UsageError(f"{at} refuses: {said}")
    return Unavailable(f"{at} does not answer: {said}")


def gone(context: SourceContext, connection: abc.PGconn) -> Unavailable:
    """What to raise where a replication connection has ended."""
    said = _scrubbed(context, connection.get_error_message().strip().splitlines() or ["the connection was closed"])
    return Unavailable(f"PostgreSQL at {address(context)} does not answer: {said}")


def _first_line(context: SourceContext, error: psycopg.Error) -> str:
    said = error.diag.message_primary or str(error)
    # Of several addresses tried, and several lines, the last says what came of it.
    lines = [line for line in said.splitlines() if "failed" in line or "FATAL" in line] or said.splitlines()
    return _scrubbed(context, lines[-1:])


def _scrubbed(context: SourceContext, lines: Sequence[str]) -> str:
    said = lines[0].strip() if lines else "no reason given"
    said = re.sub(r"^.*?FATAL:\s*|^connection failed:\s*|^ERROR:\s*", "", said)
    for secret in _secrets(context):
        said = said.replace(secret, "***")
    return said.rstrip(".")


def _secrets(context: SourceContext) -> list[str]:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    found = [str(context.connection.get("password") or "")]
    with suppress(psycopg.ProgrammingError, Unavailable):
        parts = conninfo_to_dict(_url(context))
        found += [str(parts.get("password") or ""), "".join(str(parts.get("host") or "").rpartition("@")[:2])]
    return [secret for secret in found if secret]
