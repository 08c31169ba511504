"""The macros and the refresh over tables in memory: everything of the DuckDB engine but dbt and the files."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from tests.fakes.lake import FakeLake, FakeTable, relation
from tests.oracle.engine import Event, Key, Row
from tests.oracle.macros import compiled
from tusk_platform.core import transactions
from tusk_platform.core.schema import raw_schema
from tusk_platform.plan.nodes import Aggregate, Plan, Stream
from tusk_platform.storage.aggregate_table import RESULT, Done, advance, begin, commit, moment

_COMPILED: dict[str, dict[str, str]] = {}


def compiled_once(plan: Plan) -> dict[str, str]:
    """The compiled models of a plan, rendered once a test run."""
    key = repr(plan)
    if key not in _COMPILED:
        _COMPILED[key] = compiled(plan)
    return _COMPILED[key]


def raw_rows(stream: Stream, events: Iterable[Event]) -> pa.Table:
    """Events as rows of the raw table."""
    schema = raw_schema(stream)
    lineage = [
        {
            "_event_time": e.time,
            "_status": "ok" if e.ok else "quarantined",
            "_partition": e.partition,
            "_offset": e.offset,
            "_batch": e.batch,
            "_watermark": e.watermark,
            "_ingested_at": e.time,
            "_ingested_date": moment(e.time).date(),
            "_op": e.op,
            "_key": e.key,
            stream.event_time: e.time,
            **e.values,
        }
        for e in events
    ]
    columns = [pa.array([r.get(f.name) for r in lineage], _plain(f.type)).cast(f.type) for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_timestamp(kind) else kind


class QuickEngine:
    """Raw tables filled by hand, aggregates refreshed by the project's own SQL."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.connection = duckdb.connect(":memory:", config={"threads": 1})
        self.connection.execute("set timezone = 'UTC'")
        self.lake = FakeLake(self.connection)
        self.sql = compiled_once(plan)
        for stream in plan.streams:
            self.lake.create(stream.table, raw_schema(stream))

    def add(self, stream: Stream, events: list[Event], batch: int) -> None:
        """One batch of raw."""
        self.lake.open(stream.table).append(raw_rows(stream, events), {transactions.batch(stream.name): batch})

    def refresh(self, name: str, *, now: int = 0, full: bool = False) -> Done | None:
        """One refresh of one aggregate, step by step as the materialization does it."""
        aggregate = self.plan.aggregate(name)
        cursor = self.connection
        begun = begin(self.lake, self.plan, aggregate, full=full)
        if begun is None:
            return None
        begun = advance(cursor, begun, self.sql[name], all_rows)
        if begun.since is not None:
            cursor.execute(f"create or replace temp table {RESULT} as ({self.sql[name]})")
        return commit(cursor, begun, now=now)

    def rows(self, name: str) -> dict[Key, Row]:
        """What the aggregate's table holds, keyed as the oracle keys it; ``updated_at`` in microseconds."""
        aggregate = self.plan.aggregate(name)
        sql = f"""
            select * exclude (_window_date) replace (
                epoch_us(window_start) as window_start, epoch_us(window_end) as window_end,
                epoch_us(updated_at) as updated_at
            ) from {relation(aggregate.table)}"""
        return keyed(aggregate, self.connection.execute(sql).to_arrow_table())

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()


def keyed(aggregate: Aggregate, table: pa.Table) -> dict[Key, Row]:
    """Rows of an aggregate as the oracle gives them; no key may come twice."""
    found: dict[Key, Row] = {}
    for row in table.to_pylist():
        key = (row.pop("window_start"), row.pop("window_end"), tuple(row.pop(d) for d in aggregate.dimensions))
        assert key not in found, f"two rows of {key}"
        found[key] = row
    return found


def all_rows(table: FakeTable, wanted: object) -> str:
    """A table in memory as SQL; no row of it needs to be left out."""
    del wanted
    return relation(table.name)
