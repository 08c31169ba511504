"""What the lake says of the tables that a change of plan is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition, query_definition
from tusk_platform.core.history import first_whole
from tusk_platform.core.schema import raw_schema
from tusk_platform.core.stored import newest_holders
from tusk_platform.core.views import quoted
from tusk_platform.plan.difference import Node
from tusk_platform.plan.impact import TABLES, Facts, Span
from tusk_platform.plan.nodes import DEMO_PARTITION, Aggregate, Plan, Query, Stream
from tusk_platform.storage.duck import query
from tusk_platform.storage.lake import Handle, Lake
from tusk_platform.storage.reach import oldest_event


def facts_of(lake: Lake, plan: Plan, nodes: Sequence[Node], kept: Iterable[str] = ()) -> dict[str, Facts]:
    """Table -> what the lake says of it, for the tables of a plan and those that a change leaves behind."""
    found: dict[str, Facts] = {}
    for stream in plan.streams:
        if lake.exists(stream.table):
            found[stream.table] = _stream(lake, plan, stream)
    for aggregate in plan.aggregates:
        if lake.exists(aggregate.table):
            found[aggregate.table] = _aggregate(lake, plan, aggregate)
    for asked in plan.queries:
        if lake.exists(asked.table):
            found[asked.table] = _query(lake, plan, asked)
    renamed = {f"agg.{n.was}": n.name for n in nodes if n.kind == "aggregates" and n.was}
    left = [
        f"{TABLES[n.kind]}.{n.was or n.name}" for n in nodes if n.kind in TABLES and n.what in {"dropped", "renamed"}
    ]
    for table in {*left, *kept}:
        if table not in found and lake.exists(table):
            found[table] = _left(lake, plan, table, renamed.get(table))
    return found


def _stream(lake: Lake, plan: Plan, stream: Stream) -> Facts:
    raw = lake.open(stream.table)
    row = _row(lake, plan, _events(stream.table))
    holders = newest_holders(raw.schema)
    position = raw.transaction(transactions.position(stream.name, "0"))
    return Facts(
        all=_span(row),
        size=_size(raw),
        read=bool(row["read"] or position),
        retyped=tuple(f.name for f in raw_schema(stream) if f.name in holders and holders[f.name].type != f.type),
    )


def _aggregate(lake: Lake, plan: Plan, aggregate: Aggregate) -> Facts:
    table, name = lake.open(aggregate.table), aggregate.name
    facts = Facts(
        all=_span(_row(lake, plan, _windows(aggregate.table))),
        size=_size(table),
        current=table.transaction(transactions.definition(name)) == definition(plan, aggregate),
    )
    after = _whole_after(lake, plan, aggregate, table) if facts.all.rows and not facts.current else None
    if after is None:
        return facts
    whole = first_whole(aggregate, plan.runtime.timezone, after)
    older = _span(_row(lake, plan, _windows(aggregate.table, f"epoch_us(window_start) < {whole}")))
    return replace(facts, older=older, whole_from=whole)


def _query(lake: Lake, plan: Plan, asked: Query) -> Facts:
    table = lake.open(asked.table)
    files = tuple(table.files())
    return Facts(
        all=Span(sum(f.rows for f in files)),
        size=sum(f.size for f in files),
        current=table.transaction(transactions.definition(asked.name)) == query_definition(plan, asked),
    )


def _whole_after(lake: Lake, plan: Plan, aggregate: Aggregate, table: Handle) -> int | None:
    """The time after which raw holds every event; None: it holds all that ever counted here."""
    name, stream = aggregate.name, plan.stream(aggregate.stream)
    if not lake.exists(stream.table):
        return None
    raw = lake.open(stream.table)
    generation = raw.transaction(transactions.generation(stream.name)) or 0
    if table.transaction(transactions.refreshed_generation(name)) != generation:
        return None  # rows were taken out of raw, and are to go from here too
    trimmed = raw.transaction(transactions.trimmed(stream.name))
    if trimmed is not None:
        return trimmed
    # Whatever took them: a window that ended before the oldest event had some.
    oldest = oldest_event(raw)
    gone = "true" if oldest is None else f"epoch_us(window_end) <= {oldest}"
    if not _row(lake, plan, _windows(aggregate.table, gone))["rows"]:
        return None
    last: int = _row(lake, plan, _windows(aggregate.table))["last"]
    return last if oldest is None else oldest


def _left(lake: Lake, plan: Plan, table: str, renamed: str | None) -> Facts:
    handle = lake.open(table)
    schema, _, name = table.partition(".")
    sql = _windows(table) if schema == "agg" else _events(table) if schema == "raw" else _rows(table)
    facts = Facts(all=_span(_row(lake, plan, sql)), size=_size(handle))
    if renamed is None:
        return facts
    same = definition(plan, replace(plan.aggregate(renamed), name=name))
    return replace(facts, under=renamed) if handle.transaction(transactions.definition(name)) == same else facts


def _rows(table: str, also: str = "") -> str:
    schema, _, name = table.partition(".")
    return f"select count(*) as rows{also} from {schema}.{quoted(name)}"  # noqa: S608 - the name of a table


def _events(table: str) -> str:
    read = f"count(*) filter (where _partition is distinct from '{DEMO_PARTITION}')"
    return _rows(table, f", epoch_us(min(_event_time)) as first, epoch_us(max(_event_time)) as last, {read} as read")


def _windows(table: str, where: str = "true") -> str:
    windows = "count(distinct (window_start, window_end)) as windows"
    times = "epoch_us(min(window_start)) as first, epoch_us(max(window_end)) as last"
    return _rows(table, f", {windows}, {times}") + f" where {where}"


def _row(lake: Lake, plan: Plan, sql: str) -> dict[str, Any]:
    row: dict[str, Any] = query(lake, plan, sql).to_pylist()[0]
    return row


def _span(row: dict[str, Any]) -> Span:
    return Span(row["rows"], row.get("windows") or 0, row.get("first"), row.get("last"))


def _size(table: Handle) -> int:
    return sum(f.size for f in table.files())
