"""What happened in the lake since somebody last looked: read from the tables, so that no lost tick loses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tusk_platform.core import transactions
from tusk_platform.plan.nodes import Aggregate, Plan, Query, Stream
from tusk_platform.storage.duck import query
from tusk_platform.storage.lake import Lake


@dataclass(frozen=True, slots=True)
class StreamNews:
    """Rows of one stream committed after a batch, up to ``through_batch``; seconds of latency are event to commit."""

    through_batch: int
    rows: int
    quarantined: int
    median_latency: float | None
    newest_event_time: str | None
    positions: dict[str, int]


@dataclass(frozen=True, slots=True)
class AggregateNews:
    """Rows of one aggregate that are new or changed since a refresh, up to raw batch ``through_batch``."""

    through_batch: int
    rows: int
    total: int
    newest_window: str | None


def last_batch(lake: Lake, stream: Stream) -> int:
    """Number of the last batch in raw; 0 before the first."""
    return lake.open(stream.table).transaction(transactions.batch(stream.name)) or 0


def last_refresh(lake: Lake, aggregate: Aggregate) -> int:
    """The last raw batch an aggregate contains; 0 before the first refresh."""
    return lake.open(aggregate.table).transaction(transactions.refreshed(aggregate.name)) or 0


def stream_news(lake: Lake, plan: Plan, stream: Stream, since: int) -> StreamNews | None:
    """What came into a stream after batch ``since``; None where nothing did."""
    through = last_batch(lake, stream)
    if through <= since:
        return None
    sql = f"""
        select count(*) filter (_status = 'ok') as rows, count(*) filter (_status <> 'ok') as quarantined,
               median(epoch_us(_ingested_at) - epoch_us(_event_time)) filter (_status = 'ok') / 1e6 as latency,
               max(_event_time) filter (_status = 'ok') as newest
        from raw."{stream.name}" where _batch > {since} and _batch <= {through}"""  # noqa: S608 - names and integers of the plan
    row = _first(lake, plan, sql)
    sql = f"""
        select _partition as name, max(_offset) + 1 as next from raw."{stream.name}"
        where _batch > {since} and _batch <= {through} group by 1 order by 1"""  # noqa: S608 - names and integers of the plan
    positions = {str(r["name"]): int(r["next"]) for r in query(lake, plan, sql).to_pylist()}
    newest = row["newest"].isoformat() if row["newest"] else None
    return StreamNews(through, row["rows"], row["quarantined"], row["latency"], newest, positions)


def aggregate_news(lake: Lake, plan: Plan, aggregate: Aggregate, since: int, after: int) -> AggregateNews | None:
    """What changed in an aggregate since it held batch ``since``, reported at ``after`` (microseconds UTC)."""
    through = last_refresh(lake, aggregate)
    if through <= since:
        return None
    sql = f"""
        select count(*) filter (epoch_us(updated_at) > {after}) as rows, count(*) as total, max(window_start) as newest
        from agg."{aggregate.name}" """  # noqa: S608 - names and integers of the plan
    row = _first(lake, plan, sql)
    newest = row["newest"].isoformat() if row["newest"] else None
    return AggregateNews(through, row["rows"], row["total"], newest)


@dataclass(frozen=True, slots=True)
class QueryNews:
    """A query's result as of its last refresh, microseconds UTC."""

    refreshed_at: int
    rows: int


def query_news(lake: Lake, query: Query, since: int) -> QueryNews | None:
    """The result of a query, where it was computed anew after ``since``."""
    if not lake.exists(query.table):
        return None
    table = lake.open(query.table)
    at = table.transaction(transactions.refreshed_at(query.name)) or 0
    return QueryNews(at, sum(f.rows for f in table.files())) if at > since else None


def _first(lake: Lake, plan: Plan, sql: str) -> dict[str, Any]:
    found: dict[str, Any] = query(lake, plan, sql).to_pylist()[0]
    return found
