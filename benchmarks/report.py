"""What benchmarks found, and the page that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_HEAD: Final = "| what | number | unit | peer or limit | ratio | goal |\n|---|---:|---|---|---:|---:|"
_FIGURES: Final = 3
_READING: Final = """\
Speed is given as a ratio, because absolute numbers are the machine's: the platform and its peer ran in turn, in the
same run, over the same events. Where nothing of the kind exists to compare with, the other side is a limit that
follows from the design, and the row says which. A ratio in bold misses its goal. On a machine that others use too,
ratios of seconds stay comparable, seconds do not.

`python -m benchmarks NAME` runs one and prints it; `--quick` is a smoke form with few events, whose numbers mean
little."""


@dataclass(frozen=True, slots=True)
class Row:
    """One number, what it is held against, and the ratio of the two; ``goal`` bounds the ratio, None: no goal is set.

    ``peer`` says in words what the other side is, with its number. ``more``: a higher ratio is better.
    """

    what: str
    number: float
    unit: str
    peer: str = ""
    ratio: float | None = None
    goal: float | None = None
    more: bool = False

    @property
    def met(self) -> bool:
        """Whether the ratio keeps its goal; true where there is none."""
        if self.ratio is None or self.goal is None:
            return True
        return self.ratio >= self.goal if self.more else self.ratio <= self.goal

    def __str__(self) -> str:
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        goal = "" if self.goal is None else f"{'≥' if self.more else '≤'} {self.goal:g}"
        cells = (self.what, figures(self.number), self.unit, self.peer, ratio if self.met else f"**{ratio}**", goal)
        return f"| {' | '.join(cells)} |"


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark: its rows, or why it broke."""

    name: str
    about: str
    rows: tuple[Row, ...]
    seconds: float
    error: str = ""

    def __str__(self) -> str:
        found = f"It broke: {self.error}" if self.error else "\n".join([_HEAD, *map(str, self.rows)])
        return f"## {self.name}\n\n{self.about}\n\n{found}"


def figures(value: float) -> str:
    """A number with three figures that count, thousands apart.

    >>> figures(81234.5), figures(12.34), figures(0.01234)
    ('81,200', '12.3', '0.0123')
    """
    if not value:
        return "0"
    rounded = float(f"{value:.{_FIGURES}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.{_FIGURES}g}"


def page(results: Sequence[Result], machine: str) -> str:
    """The page of a whole run."""
    minutes = sum(r.seconds for r in results) / 60
    return "\n\n".join(
        [
            "# Benchmarks",
            f"Written by `make bench`; {minutes:.0f} minutes on {machine}",
            _READING,
            *map(str, results),
        ]
    )
