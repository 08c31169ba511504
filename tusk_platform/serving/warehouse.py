"""What pages are computed from: the lake's tables, opened once and followed, and recent events in memory."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Hashable
from typing import Any, Final

import duckdb

from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition
from tusk_platform.core.views import quoted, view_sql
from tusk_platform.errors import Unavailable
from tusk_platform.plan.nodes import DEMO_PARTITION, END_OF_TIME, NO_WATERMARK, Aggregate, Plan, Stream
from tusk_platform.serving.buckets import instant
from tusk_platform.serving.clean_rows import clean_rows
from tusk_platform.serving.followed import Followed
from tusk_platform.serving.kept import CacheFacts, KeptAnswers
from tusk_platform.serving.lookback import lookback
from tusk_platform.serving.recent import MOST_ROWS, Recent
from tusk_platform.serving.timeline import StreamState
from tusk_platform.storage.duck import bounds, create_views, load_extensions, scan
from tusk_platform.storage.lake import Lake
from tusk_platform.units import DAY

# The partition of the embedded log; the others are of sources of their own.
_LOG_PARTITION: Final = "0"
# In the process table.
_PROCESS: Final = "serving"
_names: Final = itertools.count()


class LakeWarehouse:
    """One DuckDB connection and one handle a table, shared by all pages; safe to use from many threads.

    ``stamp`` looks for new commits; until the next one all answers are of the commits found.
    """

    def __init__(self, plan: Plan, lake: Lake, *, most_recent: int = MOST_ROWS) -> None:
        self._plan = plan
        self._lake = lake
        self._lock = threading.RLock()
        self._tables: dict[str, Followed] = {}
        self._views: dict[str, str] = {}
        self._answers = KeptAnswers(plan.runtime.cache)
        self._definitions = {a.name: definition(plan, a) for a in plan.aggregates}
        self._catalog = f"pages_{next(_names)}"
        self._connection = _database(tuple(bounds(plan.runtime, _PROCESS).items())).cursor()
        self._connection.execute(f"attach ':memory:' as {self._catalog}")
        self._connection.execute(f"use {self._catalog}")
        create_views(self._connection, lake, plan, only=())
        for schema in ("raw", "agg", "query", "recent"):
            self._connection.execute(f"create schema {schema}")
        self._recent = {
            s.name: Recent(self._connection, s, span, most_recent)
            for s in plan.streams
            if (span := lookback(plan, s)) is not None
        }

    def close(self) -> None:
        """Let go of memory and files."""
        with self._lock:
            self._connection.execute(f"use memory; detach {self._catalog}")
            self._connection.close()

    def stamp(
        self, streams: frozenset[str], aggregates: frozenset[str], queries: frozenset[str] = frozenset()
    ) -> Hashable:
        """Look for new commits; equal to the last stamp where there are none."""
        with self._lock:
            # Raw first: an aggregate may be ahead of the events taken in here, but what is behind is completed by them.
            names = [self._plan.stream(s).table for s in sorted(streams)]
            names += [self._plan.aggregate(a).table for a in sorted(aggregates)]
            names += [self._plan.query(q).table for q in sorted(queries)]
            versions = tuple((name, self._table(name).look()) for name in names)
            for name in sorted(streams):
                self._follow(self._plan.stream(name))
            return versions

    def rows(self, sql: str, *, table: str | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query; one about a single ``table`` is not asked twice of the same commit."""
        with self._lock:
            key = (sql, self._table(table).version) if table else None
            if key is not None and (known := self._answers.get(key)) is not None:
                return known
            if table:
                self._show(table)
            try:
                found = self._connection.execute(sql).fetchall()
            except duckdb.Error as error:
                raise Unavailable(f"a query did not get through: {_first_line(error)}") from error
            if key is not None:
                self._answers.keep(key, found)
            return found

    def cache(self) -> CacheFacts:
        """How well the cache of answers does."""
        with self._lock:
            return self._answers.facts()

    def trim(self) -> None:
        """Let go of answers that are too old."""
        with self._lock:
            self._answers.trim()

    def state(self, stream: Stream) -> StreamState:
        """Where the stream stands, as of the last look."""
        with self._lock:
            raw = self._table(stream.table)
            watermark = raw.transaction(transactions.watermark(stream.name))
            demo = raw.transaction(transactions.position(stream.name, DEMO_PARTITION))
            return StreamState(
                batch=raw.transaction(transactions.batch(stream.name)),
                generation=raw.transaction(transactions.generation(stream.name)) or 0,
                watermark=None if watermark == NO_WATERMARK else watermark,
                demo=demo is not None and demo < END_OF_TIME,
            )

    def seen(self, aggregate: Aggregate) -> tuple[int | None, int]:
        """The last raw batch the aggregate holds and its generation; no batch where it was defined differently."""
        with self._lock:
            table = self._table(aggregate.table)
            generation = table.transaction(transactions.refreshed_generation(aggregate.name)) or 0
            if table.transaction(transactions.definition(aggregate.name)) != self._definitions[aggregate.name]:
                return None, generation
            return table.transaction(transactions.refreshed(aggregate.name)), generation

    def events(self, stream: Stream, start: int, end: int) -> str:
        """The clean rows of a span of event time: from memory where it is held, else from the lake."""
        with self._lock:
            recent = self._recent.get(stream.name)
            if recent is not None and recent.floor is not None and start >= recent.floor:
                return recent.rows(start, end)
            self._show(stream.table)
            return clean_rows(stream, start, end)

    def touched(self, stream: Stream, batch: int) -> int | None:
        """The least event time of good rows newer than a batch, or less."""
        with self._lock:
            recent = self._recent.get(stream.name)
            return recent.touched(batch) if recent is not None else None

    def held(self, stream: Stream) -> int | None:
        """The event time from which on the stream's events are in memory; None where none are."""
        with self._lock:
            recent = self._recent.get(stream.name)
            return recent.floor if recent is not None else None

    def newest(self, stream: Stream) -> int | None:
        """The greatest event time of good rows; to the millisecond where no page reads the stream's events."""
        with self._lock:
            recent = self._recent.get(stream.name)
            return self._newest_stored(stream) if recent is None or recent.newest is None else recent.newest

    def counts(self, stream: Stream) -> tuple[int, int]:
        """Good and quarantined events as of the last look, from the table's log alone."""
        with self._lock:
            counted = self._table(stream.table).counts("_status")
            return counted.get("ok", 0), counted.get("quarantined", 0)

    def position(self, stream: Stream) -> int:
        """The next offset of the embedded log that ingest will read."""
        with self._lock:
            self._table(stream.table).look()
            return self._table(stream.table).transaction(transactions.position(stream.name, _LOG_PARTITION)) or 0

    def _table(self, name: str) -> Followed:
        if name not in self._tables:
            self._tables[name] = Followed(self._lake, name)
            self._tables[name].look()
        return self._tables[name]

    def _follow(self, stream: Stream) -> None:
        recent, state = self._recent.get(stream.name), self.state(stream)
        if recent is None or state.batch is None:
            return
        try:
            recent.follow(
                self._raw(stream),
                batch=state.batch,
                generation=state.generation,
                newest=self._newest_stored(stream),
            )
        except duckdb.Error as error:
            raise Unavailable(f"events of {stream.name} cannot be read: {_first_line(error)}") from error

    def _raw(self, stream: Stream) -> str:
        present = self._table(stream.table).columns
        return view_sql(self._plan, stream.table, scan(self._lake, stream.table), present=present)

    def _show(self, table: str) -> None:
        """Make the view of a table, or renew it where its columns or its span are others now."""
        schema, _, name = table.partition(".")
        if schema == "raw":
            text = self._raw(self._plan.stream(name))
        elif schema == "query":
            stored = scan(self._lake, table)
            text = view_sql(self._plan, table, stored, present=self._table(table).columns)
        else:
            stored, since = scan(self._lake, table), self._since(self._plan.aggregate(name))
            if since:
                # Partitions are days of window_start: without this every day ever kept would be opened.
                stored = f"(select * from {stored} where _window_date >= ({since})::date)"
            text = view_sql(self._plan, table, stored, present=self._table(table).columns)
        if self._views.get(table) != text:
            self._connection.execute(f"create or replace view {schema}.{quoted(name)} as {text}")
            self._views[table] = text

    def _since(self, aggregate: Aggregate) -> str | None:
        stream = self._plan.stream(aggregate.stream)
        span, newest = lookback(self._plan, stream, aggregate), self._newest_stored(stream)
        return None if span is None or newest is None else instant((newest - span) // DAY * DAY)

    def _newest_stored(self, stream: Stream) -> int | None:
        return self._table(stream.table).greatest("_event_time", among=("_status", "ok"))


@functools.cache
def _database(bounded: tuple[tuple[str, str | int], ...]) -> duckdb.DuckDBPyConnection:
    """One database a process, because loading the extensions takes a fifth of a second; a catalog each warehouse."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "python_enable_replacements": "false",
        **dict(bounded),
    }
    connection = duckdb.connect(":memory:", config=settings)
    load_extensions(connection)
    return connection


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
