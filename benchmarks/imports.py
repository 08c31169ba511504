"""What a command and a code location cost before they do anything."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.report import Row, figures
from benchmarks.timing import in_turn, median_ratio

ABOUT: Final = (
    "New processes, in turn with a peer that imports what none could do without. *Code location*: `import "
    "tusk_platform.definitions` and all definitions of this repository's `platform.tsk`. *Check*: `tusk check` of the "
    "same file, all problems found. The ratio is the median of the pairs' ratios; the seconds are medians."
)
CONFIG: Final = Path(__file__).parents[1] / "platform.tsk"
_DEFINITIONS: Final = (
    "import sys, tusk_platform.definitions; from tusk_platform.orchestration.build import build_definitions; "
    "build_definitions(sys.argv[1]).get_repository_def().load_all_definitions()"
)


def run(*, quick: bool) -> list[Row]:
    """Code location over dagster alone, `tusk check` over its two libraries."""
    rounds = 2 if quick else 5
    python = (sys.executable, "-c")
    tusk = str(Path(sys.executable).parent / "tusk")
    return [
        _row("code location of platform.tsk", (*python, _DEFINITIONS, str(CONFIG)), "import dagster", rounds, goal=2),
        _row("tusk check platform.tsk", (tusk, "check", str(CONFIG)), "import pydantic, pyarrow", rounds, goal=4),
    ]


def _row(what: str, command: Sequence[str], peer: str, rounds: int, *, goal: float) -> Row:
    def ours() -> None:
        _called(command)

    def theirs() -> None:
        _called((sys.executable, "-c", peer))

    in_turn(ours, theirs, 1)  # the first time reads the files from disk
    mine, other = in_turn(ours, theirs, rounds)
    words = f"`{peer}`: {figures(statistics.median(other))} s"
    return Row(what, statistics.median(mine), "s", words, median_ratio(mine, other), goal)


def _called(command: Sequence[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - began
