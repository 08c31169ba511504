"""The platform's recurring work as one call each: lease, ports and job put together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from tusk_platform.core import transactions
from tusk_platform.errors import TuskError, Unavailable
from tusk_platform.jobs.ingest import IngestReport, Until, ingest
from tusk_platform.jobs.maintain import MaintainReport, maintain
from tusk_platform.jobs.refresh import refresh
from tusk_platform.jobs.repeated import count_repeated
from tusk_platform.jobs.validate import ValidateReport, validate
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import RefreshResult
from tusk_platform.runtime.applied import require_applied
from tusk_platform.runtime.images import bring_back_images
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.lease import hold
from tusk_platform.storage.log import LOG_PARTITION, EventLog, log_file
from tusk_platform.storage.memory import trim
from tusk_platform.storage.state_files import read_state, write_state
from tusk_platform.units import DAY, SECOND

# For work that a person asked for. Longer than a tick: whoever holds a lease has let go by then.
PATIENCE_SECONDS: Final = 60.0
_EVER: Final = Until()


def within(platform: Platform, seconds: float, *, once: bool = False) -> Until:
    """Until the seconds are over, the platform is being stopped or, ``once``, all is read."""
    deadline = platform.clock() + round(seconds * SECOND)
    return Until(once=once, deadline=deadline, stopping=platform.home.stopping.exists)


def ingest_stream(platform: Platform, stream: Stream, until: Until, *, command: str) -> IngestReport:
    """Micro-batches of one stream under its lease; Held when another has it."""
    with hold(platform.home.leases, f"ingest-{stream.name}", command=command):
        require_applied(platform.plan, stream, platform.home)
        runtime = platform.plan.runtime
        if not platform.reads(stream):
            bring_back_images(platform, stream)
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


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What one call looked after, the tables whose turn comes with the next, and what went wrong, a line each."""

    tables: tuple[MaintainReport, ...] = ()
    left: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def maintain_all(platform: Platform, until: Until = _EVER, *, command: str) -> Upkeep:
    """Compact, expire and vacuum tables, and drop from embedded logs what is in the lake and past its time.

    Those come first that were not looked after for longest, so that each has its turn however little time there is. One
    that fails keeps no other from its turn.
    """
    with hold(platform.home.leases, "maintain", command=command):
        errors = [e for stream in platform.plan.streams if (e := _trim_log(platform, stream))]
        turns = _turns(platform)
        waiting = sorted(platform.lake.tables(), key=lambda table: (turns.get(table, 0), table))
        turns = {table: turns.get(table, 0) for table in waiting}
        done: list[MaintainReport] = []
        while waiting and not (done and _over(platform, until)):
            table = waiting.pop(0)
            turns[table] = platform.clock()
            # Before its turn: one that takes the process down with it comes last the next time.
            with suppress(Unavailable):
                write_state(platform.home.maintained, turns)
            done.append(_maintained(platform, table))
        return Upkeep(tuple(done), tuple(waiting), (*errors, *(f"{r.table}: {r.error}" for r in done if r.error)))


def _maintained(platform: Platform, table: str) -> MaintainReport:
    try:
        return maintain(platform.plan, table, platform.lake, clock=platform.clock)
    except Exception as error:  # noqa: BLE001 - the border of one table: the others must have their turn
        return MaintainReport(table, 0, 0, error=(str(error) or type(error).__name__).splitlines()[0])


def _turns(platform: Platform) -> dict[str, int]:
    """Table -> when it was last looked after; nothing where that is not known."""
    try:
        return dict(read_state(platform.home.maintained) or {})
    except (Unavailable, ValueError, TypeError):
        return {}


def _over(platform: Platform, until: Until) -> bool:
    return until.stopping() or (until.deadline is not None and platform.clock() >= until.deadline)


def _trim_log(platform: Platform, stream: Stream) -> str | None:
    """Drop from a stream's log what is in the lake and past its time; why not, where that failed."""
    if not log_file(platform.home.log, stream.name).exists():
        return None
    try:
        read = platform.lake.open(stream.table).transaction(transactions.position(stream.name, LOG_PARTITION))
        if read is not None:
            with closing(EventLog(platform.home.log, stream.name)) as log:
                kept = stream.topic_retention or stream.retention or DAY
                log.trim(platform.clock() - kept, through=read)
    except TuskError as error:
        return str(error)
    return None
