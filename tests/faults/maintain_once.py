"""A process that looks after every table of a config once: what the fault tests kill while it compacts."""

from __future__ import annotations

import sys
from pathlib import Path

from tusk_platform.runtime.duties import maintain_all
from tusk_platform.runtime.platform import open_platform


def main(config: str) -> None:
    """Say of every table how many files it had and has."""
    for report in maintain_all(open_platform(Path(config)), command="tests").tables:
        sys.stdout.write(f"{report.table} {report.files_before} {report.files_after}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
