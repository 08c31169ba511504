"""All benchmarks, or those named: ``python -m benchmarks [NAME...] [--quick]``.

A whole run writes benchmarks/results/README.md, anything else only prints. Exit 1 where a benchmark broke; a goal that
is missed stands in the page.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Final

from benchmarks import machine
from benchmarks.report import page
from benchmarks.running import separately

# The most sensitive to what else the machine does come first.
NAMES: Final = (
    "ingest", "exactly_once", "history", "freshness", "imports", "config_size", "border", "refresh", "scratch",
    "storage", "soak", "lake_commits",
)  # fmt: skip
PAGE: Final = Path(__file__).parent / "results" / "README.md"


def main(arguments: list[str]) -> int:
    """Run and print; 1 where something broke."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all where none is given")
    parser.add_argument("--quick", action="store_true", help="a smoke form with few events")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    for name in [n for n in os.environ if n.startswith(("TUSK_", "DAGSTER_"))]:
        del os.environ[name]
    described = machine.described()
    results = [separately(name, quick=options.quick) for name in NAMES if name in options.names or not options.names]
    if not options.names and not options.quick:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(results, described) + "\n", encoding="utf-8")
        print(f"written: {PAGE}")
    return 1 if any(r.error for r in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
