"""What came of all the rounds of one kind of fault, and the page that shows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from tests.faults.scene import ROOT
from tests.faults.verdict import Verdict

RESULTS = ROOT / "benchmarks" / "results" / "faults.md"
_TOP = """\
# Faults

`make faults`: processes are killed with SIGKILL and started again as they were. Then every event that the source holds
is looked for in raw by its partition and offset.

{cpus} CPUs, {memory:.0f} GiB of memory, {day:%Y-%m-%d}.

| source | killed at | kills | events | lost | doubled | phantom | position back | restarts by hand |
|---|---|--:|--:|--:|--:|--:|--:|--:|
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """So many kills at one place; ``by_hand`` are those after which starting again was not enough."""

    source: str
    killed_at: str
    kills: int
    by_hand: int
    verdict: Verdict

    def __str__(self) -> str:
        found = self.verdict
        wrong = (len(places) for places in (found.lost, found.doubled, found.phantom, found.backwards))
        cells = (self.source, self.killed_at, self.kills, found.produced, *wrong, self.by_hand)
        return f"| {' | '.join(map(str, cells))} |"


Record = Callable[[Outcome], None]


def page(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a table, and the machine they are of."""
    top = _TOP.format(cpus=os.cpu_count(), memory=psutil.virtual_memory().total / 2**30, day=datetime.now(UTC))
    return top + "".join(f"{o}\n" for o in sorted(outcomes, key=lambda o: (o.source, o.killed_at)))
