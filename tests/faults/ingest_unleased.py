"""A process that reads `orders` without asking for its lease, and lets another one come in between on purpose."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from tusk_platform.errors import Conflict
from tusk_platform.jobs.ingest import Until, ingest
from tusk_platform.runtime.platform import open_platform
from tusk_platform.storage.lake import Handle, Lake


class Rival(Handle):
    """Waits for its parent before the first commit, and counts those that another writer was too quick for."""

    commits = 0
    conflicts = 0

    def append(self, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        """As every handle, but not before the parent says so."""
        if not Rival.commits:
            sys.stdout.write("about to commit\n")
            sys.stdout.flush()
            sys.stdin.readline()
        Rival.commits += 1
        try:
            super().append(rows, transactions)
        except Conflict:
            Rival.conflicts += 1
            raise


class Contested(Lake):
    """A lake whose handles are rivals."""

    def open(self, table: str) -> Handle:
        """A rival."""
        return Rival(table, self.path(table), self.options, self.compression)


def main(config: str) -> None:
    """Read all there is and say what came of it."""
    platform = open_platform(Path(config))
    stream = platform.plan.stream("orders")
    report = ingest(
        stream,
        platform.plan.aggregates_of("orders"),
        platform.source(stream),
        Contested(platform.home.lake, compression=platform.lake.compression),
        clock=platform.clock,
        until=Until(once=True),
        runtime=platform.plan.runtime,
    )
    platform.close()
    sys.stdout.write(json.dumps({"stored": report.rows + report.quarantined, "conflicts": Rival.conflicts}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
