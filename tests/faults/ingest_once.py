"""A process that reads the log of `orders` once and says what it did: what the fault tests kill."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.fakes.streams import a_stream
from tusk_platform.jobs.ingest import Until, ingest
from tusk_platform.plan.profile import Runtime
from tusk_platform.ports import SourceContext, source_adapter
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake


def main(root: str, rows: str) -> None:
    """Ingest the log under a state folder in commits of so many rows."""
    home, stream = Home(Path(root)), a_stream()
    source = source_adapter("log").open(stream, SourceContext(log_folder=home.log))
    report = ingest(
        stream,
        (),
        source,
        Lake(home.lake),
        clock=lambda: time.time_ns() // 1000,
        until=Until(once=True),
        runtime=Runtime(batch_rows=int(rows), commit_interval=0),
    )
    sys.stdout.write(f"{report.rows} {report.quarantined}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
