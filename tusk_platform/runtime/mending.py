"""What is done to rows that were read before, at a person's word: lease, ports and job put together."""

from __future__ import annotations

from dataclasses import dataclass

from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.jobs.backfill import Fetched, Recomputed, Span, fetch, recompute
from tusk_platform.jobs.replay import ReplayReport, What, replay
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Passing, Receiving, source_adapter
from tusk_platform.runtime.applied import require_applied
from tusk_platform.runtime.duties import PATIENCE_SECONDS
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.lease import hold
from tusk_platform.storage.raw_rows import Came


@dataclass(frozen=True, slots=True)
class BackfillReport:
    """What a backfill did: what reading the source again brought, if it was, and what became of the windows."""

    stream: str
    span: Span
    fetched: Fetched | None
    windows: tuple[Recomputed, ...]


def replay_stream(
    platform: Platform, stream: Stream, *, what: What, came: Came, dry_run: bool, command: str
) -> ReplayReport:
    """Rows of a stream that do not count made to count, under its lease; Held when another keeps that for a minute."""
    with hold(platform.home.leases, f"ingest-{stream.name}", command=command, patience=PATIENCE_SECONDS):
        require_applied(platform.plan, stream, platform.home)
        return replay(
            platform.plan,
            stream,
            platform.lake,
            what=what,
            came=came,
            clock=platform.clock,
            derive=platform.deriver(stream),
            dry_run=dry_run,
        )


def backfill_stream(
    platform: Platform, stream: Stream, span: Span, *, from_source: bool, command: str
) -> BackfillReport:
    """The windows of a span computed again, those that raw holds whole; ``from_source``: what raw lacks is read first.

    Killed at any point, the next call does what is left: what was added is not added again.
    """
    if span.since >= span.until:
        raise UsageError("the end of the span is not after its beginning")
    fetched = _fetched(platform, stream, span, command) if from_source else None
    aggregates = platform.plan.aggregates_of(stream.name)
    with hold(platform.home.leases, f"refresh-{stream.name}", command=command, patience=PATIENCE_SECONDS):
        require_applied(platform.plan, stream, platform.home)
        engine = platform.engine()
        failed = [f"{r.table}: {r.error}" for r in engine.refresh([a.name for a in aggregates]) if r.error]
        if failed:
            raise Unavailable("; ".join(failed))
        windows = tuple(
            recompute(platform.plan, a, engine, platform.lake, span, fetched=fetched is not None and fetched.whole)
            for a in aggregates
        )
    return BackfillReport(stream.name, span, fetched, windows)


def _fetched(platform: Platform, stream: Stream, span: Span, command: str) -> Fetched:
    adapter = source_adapter(stream.adapter)
    if isinstance(adapter, Passing):
        raise UsageError(f"`{stream.name}` cannot be read again: {adapter.passing}; without --from-source its windows "
                         "are computed from what the lake holds")  # fmt: skip
    with hold(platform.home.leases, f"ingest-{stream.name}", command=command, patience=PATIENCE_SECONDS):
        require_applied(platform.plan, stream, platform.home)
        # One of its own: everyday ingest goes on where its own stands.
        opening = adapter.history if isinstance(adapter, Receiving) else adapter.open
        source = opening(stream, platform.context(stream))
        try:
            return fetch(
                platform.plan,
                stream,
                source,
                platform.lake,
                span,
                clock=platform.clock,
                derive=platform.deriver(stream),
            )
        finally:
            source.close()
