"""Keeping a table small and quick while others write and read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tusk_platform.core import transactions
from tusk_platform.jobs.validate import QUALITY_TABLE
from tusk_platform.plan.nodes import Plan
from tusk_platform.storage.compaction import FEWEST, TARGET, compact
from tusk_platform.storage.duck import query
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.reach import newest_event
from tusk_platform.storage.upkeep import checkpoint, trim_log, vacuum
from tusk_platform.units import DAY, HOUR

_RAW: Final = "raw."
# Ten verdicts a minute make 13 million rows a year that no page looks back to.
QUALITY_KEPT: Final = 30 * DAY


@dataclass(frozen=True, slots=True)
class MaintainReport:
    """What was done for one table: files before and after, rows past retention, files and log entries deleted.

    ``error`` is why it could not be looked after.
    """

    table: str
    files_before: int
    files_after: int
    bytes_rewritten: int = 0
    rows_expired: int = 0
    files_deleted: int = 0
    log_entries_deleted: int = 0
    version: int = 0
    error: str | None = None


def maintain(
    plan: Plan,
    table: str,
    lake: Lake,
    *,
    clock: Callable[[], int],
    target: int = TARGET,
    fewest: int = FEWEST,
    keep_unused: int = HOUR,
) -> MaintainReport:
    """Apply retention, merge small files, shorten the log, and delete files that nobody has referred to for an hour.

    Safe at any time and from several processes: whoever writes or reads the table goes on.
    """
    expired = (_expire_quality if table == QUALITY_TABLE else _expire)(plan, table, lake, clock())
    merged = compact(lake, table, target=target, fewest=fewest)
    handle = lake.open(table)
    checkpoint(handle)
    return MaintainReport(
        table=table,
        files_before=merged.before,
        files_after=merged.after,
        bytes_rewritten=merged.rewritten,
        rows_expired=expired,
        files_deleted=vacuum(handle, older_than=keep_unused),
        log_entries_deleted=trim_log(handle),
        version=handle.version,
    )


def _expire(plan: Plan, table: str, lake: Lake, now: int) -> int:
    """Remove rows of a stream, good and quarantined, that came in before its retention; the number removed.

    Whole days, so that no file is rewritten. By the day of arrival and not of the event: what was replayed from long
    ago is as new as anything else.
    """
    stream = next((s for s in plan.streams if s.table == table), None)
    if stream is None or stream.retention is None or not table.startswith(_RAW):
        return 0
    first = datetime.fromtimestamp((now - stream.retention) // DAY * DAY / 1_000_000, UTC).date()
    handle = lake.open(table)
    old = [f for f in handle.files() if (day := dict(f.partition).get("_ingested_date")) is not None and day < first]
    if old:
        app = transactions.trimmed(stream.name)
        gone = newest_event(handle, {f.path for f in old}, otherwise=now - stream.retention + stream.max_future)
        known = [t for t in (gone, handle.transaction(app)) if t is not None]
        handle.delete(f"_ingested_date < '{first.isoformat()}'", {app: max(known)} if known else {})
    return sum(f.rows for f in old)


def _expire_quality(plan: Plan, table: str, lake: Lake, now: int) -> int:
    """Remove verdicts that are too old, but never a stream's newest; the number removed. Once a day."""
    limit = (now - QUALITY_KEPT) // DAY * DAY
    handle = lake.open(table)
    if (handle.transaction(transactions.expired()) or 0) >= limit:
        return 0
    newest = query(lake, plan, f"select stream, max(through_batch) as batch from {table} group by all").to_pylist()  # noqa: S608 - ours
    kept = [f"(stream = '{_quoted(r['stream'])}' and through_batch = {r['batch']:d})" for r in newest]
    before = datetime.fromtimestamp(limit / 1_000_000, UTC).isoformat()
    rows = sum(f.rows for f in handle.files())
    old = f"validated_at < '{before}' and not ({' or '.join(kept) or 'false'})"
    handle.delete(old, {transactions.expired(): limit})
    return max(0, rows - sum(f.rows for f in handle.files()))


def _quoted(text: str) -> str:
    return text.replace("'", "''")
