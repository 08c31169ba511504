"""What Dagster's own retention leaves: events of ticks that belong to no run."""

from __future__ import annotations

import time
from typing import Final

import dagster as dg

KEEP_SECONDS: Final = 7 * 86_400
_AT_ONCE: Final = 5_000


def forget_old_events(instance: dg.DagsterInstance, keep_seconds: int = KEEP_SECONDS) -> int:
    """Delete run-less materializations older than a week, some thousands at a time, never an asset's newest one."""
    # With these modules come sqlalchemy and alembic: a second that loading the definitions need not take.
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable  # noqa: PLC0415
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage  # noqa: PLC0415
    from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage  # noqa: PLC0415
    from sqlalchemy import delete, func, select  # noqa: PLC0415

    storage = instance.event_log_storage
    storage = getattr(storage, "_storage", storage)
    if not isinstance(storage, SqlEventLogStorage):
        return 0
    table = SqlEventLogStorageTable
    limit = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(time.time() - keep_seconds))
    newest = (
        select(func.max(table.c.id)).where(table.c.run_id == "").group_by(table.c.asset_key, table.c.dagster_event_type)
    )
    old = (
        select(table.c.id)
        .where(table.c.run_id == "", table.c.timestamp < limit, table.c.id.not_in(newest))
        .limit(_AT_ONCE)
    )
    with storage.index_connection() as connection:
        ids = [row[0] for row in connection.execute(old)]
        if ids:
            connection.execute(delete(table).where(table.c.id.in_(ids)))
    if isinstance(storage, SqliteEventLogStorage):
        # SQLite has them a second time, in a file of their own that is only read by run.
        copies = select(table.c.id).where(table.c.run_id == "", table.c.timestamp < limit).limit(_AT_ONCE)
        with storage.run_connection("") as connection:
            connection.execute(delete(table).where(table.c.id.in_(copies)))
    return len(ids)
