"""Windows that cannot be computed again: kept, emptied or removed before the others are, and moved to another name."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition
from tusk_platform.core.schema import aggregate_schema
from tusk_platform.plan.nodes import Aggregate, Plan
from tusk_platform.storage.aggregate_table import create, moment
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.lake import Handle, Lake


def keep_older(
    lake: Lake, plan: Plan, aggregate: Aggregate, before: int, *, empty: Collection[str] = (), remove: bool = False
) -> None:
    """Let the next refresh by this definition leave the windows that start before a time as they are; one commit.

    With these metrics of theirs emptied, or with all of them removed.
    """
    table = lake.open(aggregate.table)
    start = moment(before)
    versions = {
        transactions.kept(aggregate.name): before,
        transactions.kept_for(aggregate.name): definition(plan, aggregate),
    }
    older = f"_window_date <= '{start.date()}' and window_start < '{start.isoformat(timespec='microseconds')}'"
    reach("in_migration")
    if remove:
        table.delete(older, versions)
    elif empty:
        table.replace(_emptied(table, before, empty), older, versions)
    else:
        table.append(table.schema.empty_table(), versions)


def move(lake: Lake, plan: Plan, was: str, aggregate: Aggregate) -> None:
    """All rows of another aggregate's table, which has the same definition, into this one's, in one commit."""
    old, name = lake.open(f"agg.{was}"), aggregate.name
    create(lake, plan, aggregate)
    said = {
        transactions.refreshed(name): old.transaction(transactions.refreshed(was)),
        transactions.refreshed_generation(name): old.transaction(transactions.refreshed_generation(was)),
        transactions.refreshed_at(name): old.transaction(transactions.refreshed_at(was)),
        transactions.definition(name): definition(plan, aggregate),
    }
    if old.transaction(transactions.kept_for(was)) == old.transaction(transactions.definition(was)):
        said[transactions.kept(name)] = old.transaction(transactions.kept(was))
        said[transactions.kept_for(name)] = definition(plan, aggregate)
    names = aggregate_schema(aggregate, plan.stream(aggregate.stream)).names
    rows = _rows(old).select([n for n in names if n in old.schema.names])
    reach("in_migration")
    lake.open(aggregate.table).append(rows, {app: version for app, version in said.items() if version is not None})


def _rows(table: Handle) -> pa.Table:
    return pa.table(table.delta.to_pyarrow_table(filesystem=table.folder.files))


def _emptied(table: Handle, before: int, metrics: Collection[str]) -> pa.Table:
    rows = _rows(table)
    rows = rows.filter(pc.less(rows["window_start"].cast(pa.int64()), before))
    for name in metrics:
        at = rows.schema.get_field_index(name)
        if at >= 0:
            rows = rows.set_column(at, rows.schema.field(at), pa.nulls(rows.num_rows, rows.schema.field(at).type))
    return rows
