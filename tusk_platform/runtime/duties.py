"""The platform's recurring work as one call each: lease, ports and job put together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from tusk_platform.core import transactions
from tusk_platform.errors import Unavailable
from tusk_platform.jobs.ingest import IngestReport, Until, ingest
from tusk_platform.jobs.maintain import MaintainReport, maintain
from tusk_platform.jobs.refresh import refresh
from tusk_platform.jobs.repeated import count_repeated
from tusk_platform.jobs.validate import ValidateReport, validate
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import RefreshResult
from tusk_platform.runtime.applied import require_applied
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.lease import hold
from tusk_platform.storage.log import EventLog
from tusk_platform.storage.memory import trim
from tusk_platform.units import SECOND

# The embedded log as a source, and its one partition.
LOG: Final = "log"
LOG_PARTITION: Final = "0"
# For work that a person asked for. Longer than a tick: whoever holds a lease has let go by then.
PATIENCE_SECONDS: Final = 60.0


def within(platform: Platform, seconds: float, *, once: bool = False) -> Until:
    """Until the seconds are over, the platform is being stopped or, ``once``, all is read."""
    deadline = platform.clock() + round(seconds * SECOND)
    return Until(once=once, deadline=deadline, stopping=platform.home.stopping.exists)


def ingest_stream(platform: Platform, stream: Stream, until: Until, *, command: str) -> IngestReport:
    """Micro-batches of one stream under its lease; Held when another has it."""
    with hold(platform.home.leases, f"ingest-{stream.name}", command=command):
        require_applied(platform.plan, stream, platform.home)
        runtime = platform.plan.runtime
        report = ingest(
            stream,
            platform.plan.aggregates_of(stream.name),
            platform.source(stream),
            platform.lake,
            clock=platform.clock,
            until=until,
            runtime=runtime,
            derive=platform.deriver(stream),
            on_batch=lambda _: trim(runtime.memory),
            duplicates=partial(count_repeated, platform.lake, platform.plan, stream) if until.once else None,
        )
    trim(runtime.memory)
    return report


def refresh_aggregates(platform: Platform, names: Sequence[str], *, command: str) -> tuple[RefreshResult, ...]:
    """The named aggregates and queries brought up to date, due or not; an error of one raises Unavailable."""
    results: list[RefreshResult] = []
    for stream in platform.plan.streams:
        own = [a.name for a in platform.plan.aggregates_of(stream.name) if a.name in names]
        own += [q.name for q in platform.plan.queries_of(stream.name) if q.name in names]
        if own:
            with hold(platform.home.leases, f"refresh-{stream.name}", command=command, patience=PATIENCE_SECONDS):
                require_applied(platform.plan, stream, platform.home)
                results += platform.engine().refresh(own)
    failed = [f"{r.table}: {r.error}" for r in results if r.error]
    if failed:
        raise Unavailable("; ".join(failed))
    return tuple(results)


def refresh_due(platform: Platform, stream: Stream, until: Until, *, command: str) -> int:
    """What is due of a stream, again and again until told to stop; the number of refreshes that wrote something."""
    with hold(platform.home.leases, f"refresh-{stream.name}", command=command):
        require_applied(platform.plan, stream, platform.home)
        report = refresh(platform.plan, stream, platform.engine(), platform.lake, clock=platform.clock, until=until)
    if report.errors:
        raise Unavailable("; ".join(report.errors))
    return report.refreshes


def validate_stream(platform: Platform, stream: Stream, *, command: str) -> ValidateReport:
    """The expectation suite over everything new in a stream."""
    with hold(platform.home.leases, f"validate-{stream.name}", command=command, patience=PATIENCE_SECONDS):
        return validate(platform.plan, stream, platform.quality(), platform.lake, clock=platform.clock)


def maintain_all(platform: Platform, *, command: str) -> tuple[MaintainReport, ...]:
    """Compact, expire and vacuum every table, and drop from the embedded log what is in the lake and past its time."""
    with hold(platform.home.leases, "maintain", command=command):
        for stream in platform.plan.streams:
            if stream.adapter == LOG:
                _trim_log(platform, stream)
        return tuple(
            maintain(platform.plan, table, platform.lake, clock=platform.clock) for table in platform.lake.tables()
        )


def _trim_log(platform: Platform, stream: Stream) -> None:
    kept = stream.topic_retention or stream.retention
    read = platform.lake.open(stream.table).transaction(transactions.position(stream.name, LOG_PARTITION))
    if kept is None or read is None:
        return
    log = EventLog(platform.home.log, stream.name)
    try:
        log.trim(platform.clock() - kept, through=read)
    finally:
        log.close()
