"""Where widgets stand: rows that are full, the room that is left over going to those that gain from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tusk_platform.plan.nodes import WidgetType

MOST_COLUMNS: Final = 12
# Who takes spare cells first, and how many cells are sensible at most while others in the row can still grow.
_APPETITE: Final[dict[WidgetType, int]] = {
    "line_chart": 0, "table": 1, "bar_chart": 2, "alert_panel": 3, "gauge": 4, "counter": 5,
}  # fmt: skip


def spans(types: Sequence[WidgetType], columns: int, rows: int) -> list[int]:
    """How many columns each widget takes, in order, so that every row of the grid is full.

    >>> spans(["counter", "line_chart", "gauge", "alert_panel"], 3, 2)
    [1, 2, 1, 2]
    """
    columns = max(1, min(columns, MOST_COLUMNS))
    count = len(types)
    if not count:
        return []
    needed = -(-count // columns)
    lines = max(needed, min(rows, count))
    taken: list[int] = []
    for line in range(lines):
        first, last = line * count // lines, (line + 1) * count // lines
        taken += _fill(types[first:last], columns)
    return taken


def _fill(types: Sequence[WidgetType], columns: int) -> list[int]:
    widths = [1] * len(types)
    for _ in range(columns - len(types)):
        # The hungriest grows, but nobody to more than three times its neighbour.
        order = sorted(range(len(types)), key=lambda i: (widths[i] >= 3 * min(widths), _APPETITE[types[i]], widths[i]))
        widths[order[0]] += 1
    return widths
