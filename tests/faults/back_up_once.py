"""A process that backs a platform up once, so many minutes from now: what the fault tests kill while it copies."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tusk_platform.jobs.ingest import Until
from tusk_platform.runtime.backups import back_up_due
from tusk_platform.runtime.platform import open_platform


def main(config: str, minutes: str) -> None:
    """Say the manifest, and how many files were copied."""
    platform = open_platform(Path(config))
    platform.clock = lambda: time.time_ns() // 1000 + int(minutes) * 60_000_000
    report = back_up_due(platform, Until(once=True), command="tests")
    assert report is not None
    sys.stdout.write(f"{report.manifest} {report.files_copied}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
