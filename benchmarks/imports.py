"""What a command and a code location cost before they do anything."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.report import Row, figures
from benchmarks.timing import in_turn, median_ratio

ABOUT: Final = (
    "New processes, in turn with a peer that imports what none could do without; compiled modules are there already. "
    "*Code location*: `import tusk_platform.definitions` and all definitions of this repository's `platform.tsk`. "
    "*Check*: `tusk check` of the same file, all problems found. The ratio is the median of the pairs' ratios; the "
    "seconds are medians."
)
CONFIG: Final = Path(__file__).parents[1] / "platform.tsk"
_DEFINITIONS: Final = (
    "import sys, tusk_platform.definitions; from tusk_platform.orchestration.build import build_definitions; "
    "build_definitions(sys.argv[1]).get_repository_def().load_all_definitions()"
)


def run(*, quick: bool) -> list[Row]:
    """Code location over dagster alone, `tusk check` over its two libraries."""
    rounds = 2 if quick else 7
    tusk = str(Path(sys.executable).parent / "tusk")
    with tempfile.TemporaryDirectory() as folder:
        # Compiled modules are kept, as on any machine where a command runs a second time, whatever this one is set to.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        pairs = _Pairs(environment, rounds)
        location = (sys.executable, "-c", _DEFINITIONS, str(CONFIG))
        return [
            pairs.row("code location of platform.tsk", location, "import dagster", goal=2),
            pairs.row("tusk check platform.tsk", (tusk, "check", str(CONFIG)), "import pydantic, pyarrow", goal=4),
        ]


@dataclass(frozen=True, slots=True)
class _Pairs:
    environment: Mapping[str, str]
    rounds: int

    def row(self, what: str, command: Sequence[str], peer: str, *, goal: float) -> Row:
        """A command against a program that only imports."""

        def ours() -> None:
            self._called(command)

        def theirs() -> None:
            self._called((sys.executable, "-c", peer))

        in_turn(ours, theirs, 1)  # the first time reads the files from disk and compiles them
        mine, other = in_turn(ours, theirs, self.rounds)
        words = f"`{peer}`: {figures(statistics.median(other))} s"
        return Row(what, statistics.median(mine), "s", words, median_ratio(mine, other), goal)

    def _called(self, command: Sequence[str]) -> None:
        subprocess.run(command, env=self.environment, check=True, capture_output=True, stdin=subprocess.DEVNULL)
