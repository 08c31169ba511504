"""What pages are computed from: the lake's tables, opened once and followed, and recent events in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime
from typing import Any, Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition
from tusk_platform.core.views import view_sql
from tusk_platform.errors import Unavailable
from tusk_platform.generate.metric_sql import quoted
from tusk_platform.plan.nodes import DEMO_PARTITION, END_OF_TIME, NO_WATERMARK, Aggregate, Plan, Stream
from tusk_platform.serving.buckets import instant
from tusk_platform.serving.clean_rows import clean_rows
from tusk_platform.serving.lookback import lookback
from tusk_platform.serving.recent import MOST_ROWS, Recent
from tusk_platform.serving.timeline import StreamState
from tusk_platform.storage.duck import create_views, load_extensions, scan
from tusk_platform.storage.failures import STORE_ERRORS, explained
from tusk_platform.storage.lake import Handle, Lake
from tusk_platform.units import DAY

# The partition of the embedded log; the others are of sources of their own.
_LOG_PARTITION: Final = "0"
_MOST_ANSWERS: Final = 512
_MEMORY: Final = "1GB"


class LakeWarehouse:
    """One DuckDB connection and one handle a table, shared by all pages; safe to use from many threads.

    ``stamp`` looks for new commits; until the next one all answers are of the commits found.
    """

    def __init__(self, plan: Plan, lake: Lake, *, most_recent: int = MOST_ROWS, memory_limit: str = _MEMORY) -> None:
        self._plan = plan
        self._lake = lake
        self._lock = threading.RLock()
        self._handles: dict[str, Handle] = {}
        self._views: dict[str, str] = {}
        self._answers: OrderedDict[Hashable, list[tuple[Any, ...]]] = OrderedDict()
        settings = {
            "autoinstall_known_extensions": "false",
            "python_enable_replacements": "false",
            "memory_limit": memory_limit,
        }
        self._connection = duckdb.connect(":memory:", config=settings)
        load_extensions(self._connection)
        self._connection.execute("create schema raw")
        self._connection.execute("create schema agg")
        create_views(self._connection, lake, plan, only=())
        self._recent = {
            s.name: Recent(self._connection, s, span, most_recent)
            for s in plan.streams
            if (span := lookback(plan, s)) is not None
        }

    def close(self) -> None:
        """Let go of memory and files."""
        with self._lock:
            self._connection.close()

    def stamp(self, streams: frozenset[str], aggregates: frozenset[str]) -> Hashable:
        """Look for new commits; equal to the last stamp where there are none."""
        with self._lock:
            # Aggregates first: an aggregate that is behind raw is completed from the events, one ahead cannot be.
            tables = [*sorted(self._plan.aggregate(a).table for a in aggregates),
                      *sorted(self._plan.stream(s).table for s in streams)]  # fmt: skip
            versions = tuple((t, self._look(t)) for t in tables)
            for name in sorted(streams):
                self._follow(self._plan.stream(name))
            return versions

    def rows(self, sql: str, *, table: str | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query; one about a single ``table`` is not asked twice of the same commit."""
        with self._lock:
            key = (sql, self._version(table)) if table else None
            if key is not None and key in self._answers:
                self._answers.move_to_end(key)
                return self._answers[key]
            if table:
                self._view(table)
            try:
                found = self._connection.execute(sql).fetchall()
            except duckdb.Error as error:
                raise Unavailable(f"a query did not get through: {str(error).splitlines()[0]}") from error
            if key is not None:
                self._answers[key] = found
                while len(self._answers) > _MOST_ANSWERS:
                    self._answers.popitem(last=False)
            return found

    def state(self, stream: Stream) -> StreamState:
        """Where the stream stands, as of the last look."""
        with self._lock:
            handle = self._handle(stream.table)
            if handle is None:
                return StreamState()
            watermark = handle.transaction(transactions.watermark(stream.name))
            demo = handle.transaction(transactions.position(stream.name, DEMO_PARTITION))
            return StreamState(
                batch=handle.transaction(transactions.batch(stream.name)),
                generation=handle.transaction(transactions.generation(stream.name)) or 0,
                watermark=None if watermark == NO_WATERMARK else watermark,
                demo=demo is not None and demo < END_OF_TIME,
            )

    def seen(self, aggregate: Aggregate) -> tuple[int | None, int]:
        """The last raw batch the aggregate holds and its generation; no batch where it was defined differently."""
        with self._lock:
            handle = self._handle(aggregate.table)
            if handle is None:
                return None, 0
            generation = handle.transaction(transactions.refreshed_generation(aggregate.name)) or 0
            if handle.transaction(transactions.definition(aggregate.name)) != definition(self._plan, aggregate):
                return None, generation
            return handle.transaction(transactions.refreshed(aggregate.name)), generation

    def events(self, stream: Stream, start: int, end: int) -> str:
        """The clean rows of a span of event time: from memory where it is held, else from the lake."""
        with self._lock:
            recent = self._recent.get(stream.name)
            if recent is not None and recent.floor is not None and start >= recent.floor:
                return recent.rows(start, end)
            self._view(stream.table)
            return clean_rows(stream, start, end)

    def touched(self, stream: Stream, batch: int) -> int | None:
        """The least event time of good rows newer than a batch, or less."""
        with self._lock:
            recent = self._recent.get(stream.name)
            if recent is not None and recent.floor is not None:
                return recent.touched(batch)
            self._view(stream.table)
            sql = f"select epoch_us(min(_event_time)) from {_relation(stream.table)} where _status = 'ok' and _batch > {batch}"
            least = self.rows(sql, table=stream.table)[0][0]
            return None if least is None else int(least)

    def newest(self, stream: Stream) -> int | None:
        """The greatest event time of good rows; to the millisecond where no page reads the stream's events."""
        with self._lock:
            recent = self._recent.get(stream.name)
            if recent is not None and recent.newest is not None:
                return recent.newest
            return self._newest_stored(stream.table)

    def counts(self, stream: Stream) -> tuple[int, int]:
        """Good and quarantined events, from the table's log alone."""
        with self._lock:
            self._look(stream.table)
            files = self._files(stream.table)
            if files is None:
                return 0, 0
            rows = zip(files["partition._status"].to_pylist(), files["num_records"].to_pylist(), strict=True)
            counted = {"ok": 0, "quarantined": 0}
            for status, count in rows:
                counted[status] = counted.get(status, 0) + (count or 0)
            return counted["ok"], counted["quarantined"]

    def position(self, stream: Stream) -> int:
        """The next offset of the embedded log that ingest will read."""
        with self._lock:
            self._look(stream.table)
            handle = self._handle(stream.table)
            return (handle.transaction(transactions.position(stream.name, _LOG_PARTITION)) if handle else None) or 0

    def _look(self, table: str) -> int:
        """The table's newest version; -1 where there is no such table."""
        handle = self._handles.get(table)
        if handle is None:
            return self._version(table)
        try:
            before = handle.version
            handle.delta.update_incremental()
            if handle.version != before:
                self._handles[table] = self._lake.open(table) if handle.version < before else handle
                handle.forget()
        except STORE_ERRORS:
            # Too old for the log, or the table was made anew.
            del self._handles[table]
        return self._version(table)

    def _version(self, table: str | None) -> int:
        handle = self._handle(table) if table else None
        return handle.version if handle else -1

    def _handle(self, table: str) -> Handle | None:
        if table not in self._handles and self._lake.exists(table):
            self._handles[table] = self._lake.open(table)
        return self._handles.get(table)

    def _follow(self, stream: Stream) -> None:
        recent, state = self._recent.get(stream.name), self.state(stream)
        if recent is None or state.batch is None:
            return
        try:
            recent.follow(
                self._raw(stream), batch=state.batch, generation=state.generation, newest=self._newest_stored(stream.table)
            )
        except duckdb.Error as error:
            raise Unavailable(f"events of {stream.name} cannot be read: {str(error).splitlines()[0]}") from error

    def _raw(self, stream: Stream) -> str:
        handle = self._handle(stream.table)
        present = handle.schema.names if handle else ()
        return view_sql(self._plan, stream.table, scan(self._lake, stream.table), present=present)

    def _view(self, table: str) -> None:
        """Make the view of a table, or renew it where its columns or its span are others now."""
        schema, _, name = table.partition(".")
        if schema == "raw":
            text = self._raw(self._plan.stream(name))
        else:
            handle = self._handle(table)
            stored = scan(self._lake, table)
            since = self._since(self._plan.aggregate(name))
            # Partitions are days of window_start: without this filter every day ever kept would be opened.
            stored = f"(select * from {stored} where _window_date >= ({since})::date)" if since and handle else stored
            text = view_sql(self._plan, table, stored, present=handle.schema.names if handle else ())
        if self._views.get(table) != text:
            self._connection.execute(f"create or replace view {_relation(table)} as {text}")
            self._views[table] = text

    def _since(self, aggregate: Aggregate) -> str | None:
        stream = self._plan.stream(aggregate.stream)
        span, newest = lookback(self._plan, stream, aggregate), self._newest_stored(stream.table)
        if span is None or newest is None:
            return None
        return instant((newest - span) // DAY * DAY)

    def _newest_stored(self, table: str) -> int | None:
        files = self._files(table)
        if files is None or "max._event_time" not in files.column_names:
            return None
        good = files.filter(pc.equal(files["partition._status"], "ok"))
        newest: datetime | None = pc.max(good["max._event_time"]).as_py() if good.num_rows else None
        return None if newest is None else int(pa.scalar(newest, pa.timestamp("us", "UTC")).value)

    def _files(self, table: str) -> pa.Table | None:
        handle = self._handle(table)
        if handle is None:
            return None
        with explained(f"reading the log of {table}"):
            return pa.table(handle.delta.get_add_actions(flatten=True))


def _relation(table: str) -> str:
    return ".".join(quoted(part) for part in table.split(".", 1))
