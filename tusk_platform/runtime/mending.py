"""What is done to rows that were read before, at a person's word: lease, ports and job put together."""

from __future__ import annotations

from tusk_platform.jobs.replay import ReplayReport, What, replay
from tusk_platform.plan.nodes import Stream
from tusk_platform.runtime.applied import require_applied
from tusk_platform.runtime.duties import PATIENCE_SECONDS
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.lease import hold
from tusk_platform.storage.raw_rows import Came


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
