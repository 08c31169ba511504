"""The embedded durable log: one SQLite file a stream, appended to by many processes, read by offset."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tusk_platform.errors import Unavailable
from tusk_platform.storage.faultpoints import reach

Record = tuple[int, int, bytes]
# The partition that a log is to its stream.
LOG_PARTITION: Final = "0"
# What follows the stream in the names of logs that keep more than records: images of rows, what files are known by.
OF_CHANGES: Final = ".changes"
OF_FILES: Final = ".files"

# The next offset has a row of its own, so that offsets are never used again, not even after everything was trimmed.
_TABLES: Final = """
    create table if not exists event (
        id integer primary key, arrival integer not null, producer text not null, key text, payload blob not null
    );
    create unique index if not exists event_key on event (producer, key) where key is not null;
    create table if not exists next (id integer not null);
    insert into next select 0 where not exists (select * from next);
    create table if not exists mark (name text primary key, value text not null);
"""
_ADD: Final = """
    insert into event values (?, ?, ?, ?, ?) on conflict (producer, key) where key is not null do nothing
"""
_PATIENCE: Final = 30.0
_INCREMENTAL: Final = 2
_TRIMMED_AT_ONCE: Final = 10_000
# Enough to give back the pages of a trim without holding up those who append.
_PAGES_AT_ONCE: Final = 2_000
_LONGEST_WAL: Final = 64 * 1024 * 1024


def log_file(folder: Path, stream: str) -> Path:
    """The file that holds a stream's log; not there where it has none."""
    return folder / f"{quote(stream, safe='')}.db"


class Writing:
    """A log's file within a transaction; ``connection`` is for tables beside the log's own."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._at = time.time_ns() // 1000

    def append(self, payloads: Sequence[bytes]) -> None:
        """Add payloads at the end of the log."""
        end = self.end()
        rows = ((end + n, self._at, "", None, payload) for n, payload in enumerate(payloads))
        self.connection.executemany("insert into event values (?, ?, ?, ?, ?)", rows)
        self._move_end(end + len(payloads))

    def append_selected(self, select: str, values: Sequence[object] = ()) -> int:
        """Add the only column of a query's rows at the end of the log, in their order; how many there were."""
        end = self.end()
        numbered = f"select ? - 1 + row_number() over (), ?, '', null, * from ({select})"  # noqa: S608 - our own SQL
        added = self.connection.execute(f"insert into event {numbered}", (end, self._at, *values)).rowcount
        self._move_end(end + added)
        return added

    def mark(self, name: str, value: str) -> None:
        """Remember something under a name."""
        self.connection.execute("insert or replace into mark values (?, ?)", (name, value))

    def end(self) -> int:
        """Offset that the next record will have."""
        return int(self.connection.execute("select id from next").fetchone()[0])

    def _move_end(self, end: int) -> None:
        self.connection.execute("update next set id = ?", (end,))


class EventLog:
    """Events of one stream in the order in which they were accepted, with offsets from 0 on.

    Usable from several threads. A process that forks must open its own in the child.
    """

    def __init__(self, folder: Path, stream: str) -> None:
        self._stream = stream
        self._path = log_file(folder, stream)
        self._lock = threading.Lock()
        self._opened: sqlite3.Connection | None = None

    def append(
        self,
        payloads: Sequence[bytes],
        *,
        producer: str = "",
        keys: Sequence[str | None] | None = None,
        arrival: int | None = None,
        marks: Mapping[str, str] | None = None,
    ) -> tuple[int, int]:
        """First and next offset of what was appended: all or nothing, and on disk on return.

        A payload whose key the same producer has used before is left out, as long as the log still holds that one.
        ``arrival`` is microseconds UTC, now if not given. ``marks`` are remembered together with the payloads: where a
        receiver stands in what it receives from.
        """
        at = time.time_ns() // 1000 if arrival is None else arrival
        with self._connection() as connection, _transaction(connection):
            first = connection.execute("select id from next").fetchone()[0]
            following = first
            for payload, key in zip(payloads, keys or [None] * len(payloads), strict=True):
                added = connection.execute(
                    _ADD,
                    (following, at, producer, key, payload),
                )
                following += added.rowcount
            connection.execute("update next set id = ?", (following,))
            connection.executemany("insert or replace into mark values (?, ?)", list((marks or {}).items()))
            reach("in_publish")
        return first, following

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """A transaction of several steps, for who keeps tables of their own in the file: all of it or nothing.

        What is appended is in the log, and on disk, once the block was left.
        """
        with self._connection() as connection, _transaction(connection):
            yield Writing(connection)
            reach("in_publish")

    def read(self, offset: int, limit: int) -> list[Record]:
        """Up to so many records from an offset on: offset, arrival in microseconds UTC, payload."""
        with self._connection() as connection:
            found = connection.execute(
                "select id, arrival, payload from event where id >= ? order by id limit ?", (offset, limit)
            )
            return found.fetchall()

    def mark(self, name: str) -> str | None:
        """What was last remembered under a name."""
        with self._connection() as connection:
            row = connection.execute("select value from mark where name = ?", (name,)).fetchone()
            return None if row is None else str(row[0])

    def marks(self) -> dict[str, str]:
        """All that is remembered, by name."""
        with self._connection() as connection:
            return dict(connection.execute("select name, value from mark").fetchall())

    def start(self) -> int:
        """Offset of the oldest record still there; the end where there is none."""
        with self._connection() as connection:
            row = connection.execute("select coalesce((select min(id) from event), (select id from next))").fetchone()
            return int(row[0])

    def end(self) -> int:
        """Offset that the next record will have."""
        with self._connection() as connection:
            return int(connection.execute("select id from next").fetchone()[0])

    def trim(self, before: int, *, through: int | None = None) -> int:
        """Remove records that arrived before a time (microseconds UTC); the number removed.

        ``through``: only records with offsets below it, which is how one keeps what nobody has read yet.
        """
        removed = 0
        limit = self.end() if through is None else min(through, self.end())
        while True:
            with self._connection() as connection, _transaction(connection):
                # Arrivals hardly ever go back, and no record may go before one that came earlier.
                kept = connection.execute("select min(id) from event where arrival >= ?", (before,)).fetchone()[0]
                cut = limit if kept is None else min(limit, kept)
                found = connection.execute(
                    "delete from event where id in (select id from event where id < ? order by id limit ?)",
                    (cut, _TRIMMED_AT_ONCE),
                ).rowcount
            removed += found
            if found < _TRIMMED_AT_ONCE:
                break
        if removed:
            with self._connection() as connection:
                connection.execute(f"pragma incremental_vacuum({_PAGES_AT_ONCE})").fetchall()
        return removed

    def begin_at(self, offset: int, *, later_than: int) -> int:
        """Make sure that the next offset is not before one up to which a log of this name was read; what it is then.

        Records before it that arrived after a time (microseconds UTC) were never in that log: they move behind it.
        """
        with self._connection() as connection, _transaction(connection):
            new = "select min(id) from event where id < ? and arrival > ?"
            first = connection.execute(new, (offset, later_than)).fetchone()[0]
            if first is not None:
                # By way of numbers that nobody has, since each is unique at every moment.
                connection.execute("update event set id = -1 - id - ? where id >= ?", (offset - first, first))
                connection.execute("update event set id = -1 - id where id < 0")
                connection.execute("update next set id = id + ?", (offset - first,))
            connection.execute("update next set id = max(id, ?)", (offset,))
            return int(connection.execute("select id from next").fetchone()[0])

    def is_another(self, offset: int, *, later_than: int) -> bool:
        """Whether a record before an offset up to which a log of this name was read arrived only after a time."""
        with self._connection() as connection:
            found = connection.execute("select 1 from event where id < ? and arrival > ? limit 1", (offset, later_than))
            return found.fetchone() is not None

    def remove(self) -> None:
        """Delete the file; whoever else has it open must not be at work."""
        self.close()
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)

    def exists(self) -> bool:
        """Whether the file is there: any other question makes it."""
        return self._path.exists()

    def close(self) -> None:
        """Let go of the file; the next use opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._opened is None:
                    self._opened = self._open()
                yield self._opened
            except (sqlite3.Error, OSError) as error:
                raise Unavailable(f"the log of `{self._stream}` ({self._path}): {error}") from error

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            # Saying it again would write, and whoever only reads must be able to on a full disk.
            if connection.execute("pragma auto_vacuum").fetchone() != (_INCREMENTAL,):
                connection.execute(f"pragma auto_vacuum = {_INCREMENTAL}")
            connection.execute("pragma journal_mode = wal")
            # Each commit waits for the disk: what was acknowledged must survive a power cut.
            connection.execute("pragma synchronous = full")
            connection.execute(f"pragma journal_size_limit = {_LONGEST_WAL}")
            with _transaction(connection):
                for statement in _TABLES.split(";"):
                    connection.execute(statement)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction from its first statement on, so that two writers wait for each other instead of failing."""
    connection.execute("begin immediate")
    try:
        yield
        connection.execute("commit")
    except BaseException:
        # Where the disk is full SQLite has rolled back by itself, and saying so again would hide why.
        if connection.in_transaction:
            connection.execute("rollback")
        raise
