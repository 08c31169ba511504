"""A warehouse over tables in memory, for tests of what serving asks: same answers as the lake, without files."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import duckdb

from tests.fakes.lake import FakeLake
from tusk_platform.core import transactions
from tusk_platform.plan.nodes import Aggregate, Plan, Stream
from tusk_platform.serving.clean_rows import clean_rows
from tusk_platform.serving.recent import Recent
from tusk_platform.serving.timeline import StreamState


class FakeWarehouse:
    """The tables of a FakeLake; events of the last ``span`` are followed in memory, all are where it is None."""

    def __init__(self, plan: Plan, lake: FakeLake, *, span: int | None = None, most_rows: int = 1_000_000) -> None:
        self.plan = plan
        lake.connection.execute("create schema if not exists recent")
        self.recent = {s.name: Recent(lake.connection, s, span or 2**50, most_rows) for s in plan.streams}
        self.follows = span is not None
        self.lake = lake
        self.asked: list[str] = []
        self.watermarks: dict[str, int | None] = {}
        self.generations: dict[str, int] = {}

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """Where the tables are."""
        return self.lake.connection

    def rows(self, sql: str, *, table: str | None = None) -> list[tuple[Any, ...]]:
        """Rows of a query, whose text is remembered."""
        self.asked.append(sql)
        del table
        return self.connection.execute(sql).fetchall()

    def state(self, stream: Stream) -> StreamState:
        """What the newest commit of raw says."""
        batch = self.lake.versions[stream.table].get(transactions.batch(stream.name))
        return StreamState(batch, self.generations.get(stream.name, 0), self.watermarks.get(stream.name))

    def seen(self, aggregate: Aggregate) -> tuple[int | None, int]:
        """What the aggregate's table says of itself."""
        versions = self.lake.versions.get(aggregate.table, {})
        generation = versions.get(transactions.refreshed_generation(aggregate.name), 0)
        return versions.get(transactions.refreshed(aggregate.name)), generation

    def events(self, stream: Stream, start: int, end: int) -> str:
        """The clean rows of a span."""
        recent = self._followed(stream)
        if recent is not None and recent.floor is not None and start >= recent.floor:
            return recent.rows(start, end)
        return clean_rows(stream, start, end)

    def touched(self, stream: Stream, batch: int) -> int | None:
        """The least event time of newer rows."""
        if recent := self._followed(stream):
            return recent.touched(batch)
        return self._one(
            f"select epoch_us(min(_event_time)) from {stream.table} where _status = 'ok' and _batch > {batch}"
        )

    def held(self, stream: Stream) -> int | None:
        """From when on events are in memory."""
        recent = self._followed(stream)
        return recent.floor if recent else None

    def newest(self, stream: Stream) -> int | None:
        """The greatest event time."""
        return self._one(f"select epoch_us(max(_event_time)) from {stream.table} where _status = 'ok'")

    def stamp(
        self, streams: frozenset[str], aggregates: frozenset[str], queries: frozenset[str] = frozenset()
    ) -> Hashable:
        """The commits so far, of whatever table."""
        del streams, aggregates, queries
        return self.lake.commits

    def _followed(self, stream: Stream) -> Recent | None:
        state = self.state(stream)
        if not self.follows or state.batch is None:
            return None
        recent = self.recent[stream.name]
        # The fake's rows have no day of ingestion.
        view = f"select * replace (date '9999-01-01' as _ingested_date) from {stream.table}"
        recent.follow(view, batch=state.batch, generation=state.generation, newest=self.newest(stream))
        return recent

    def _one(self, sql: str) -> int | None:
        found = self.connection.execute(sql).fetchone()
        return found[0] if found else None
