"""What is counted about the quality of rows: the rules every stream has, and verdicts of two judges put together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tusk_platform.ports import ExpectationResult

# Rules every stream has beside its own. A quarantined row that broke no row rule counts for one of the last two.
COLUMNS: Final = "columns"
EVENT_TIME: Final = "event time"
READABLE: Final = "readable"

# So many events without a column that a metric is computed from are a mistake, no chance.
ENOUGH_EVENTS: Final = 10_000
CARRIED: Final = "carried"

# How a disagreement between the border and the suite begins, in `detail`.
DISAGREE: Final = "disagreement"


def suite_name(stream: str) -> str:
    """Name of a stream's suite: a stream may hold characters that a suite, being a file, may not.

    >>> suite_name("sensor/temperature")
    'sensor_temperature'
    """
    return re.sub(r"[^A-Za-z0-9_-]", "_", stream)


def reason_name(reason: str) -> str:
    """The rule that a quarantined row's reason names.

    >>> reason_name("range:amount: -5")
    'range:amount'
    """
    return reason.split(": ", 1)[0]


def slices(batches: Sequence[tuple[int, int]], limit: int) -> Iterator[tuple[int, int]]:
    """First and last batch of each slice: batches (number, rows) in order, cut where ``limit`` rows are passed.

    A batch is never cut, so a slice may be one batch of more rows.

    >>> list(slices([(1, 60), (2, 30), (3, 20), (9, 500)], 100))
    [(1, 2), (3, 3), (9, 9)]
    """
    first, rows = None, 0
    last = 0
    for batch, count in batches:
        if first is not None and rows + count > limit:
            yield first, last
            first, rows = None, 0
        first, last, rows = batch if first is None else first, batch, rows + count
    if first is not None:
        yield first, last


def settle(
    results: Sequence[ExpectationResult], accepted: int, quarantined: Mapping[str, int]
) -> tuple[ExpectationResult, ...]:
    """Results over accepted rows, with the quarantined rows (reason's name -> rows) added where they belong.

    Each quarantined row counts once: for the rule it broke, else for the event time, else as not readable. The suite
    holds what the border let through to the same rules, so an accepted row that fails is a disagreement.
    """
    rules = {r.rule for r in results}
    shares: dict[str, dict[str, int]] = {}
    for name, rows in quarantined.items():
        rule = name if name in rules else EVENT_TIME if name.startswith(EVENT_TIME) else READABLE
        shares.setdefault(rule, {})[name] = rows
    total = accepted + sum(quarantined.values())
    return tuple(_settled(r, accepted, total, shares.get(r.rule, {})) for r in results)


def carried(result: ExpectationResult, earlier: int, enough: int = ENOUGH_EVENTS) -> ExpectationResult:
    """The verdict on a column that something computes with and that no event had so far, ``earlier`` ones included.

    It fails once ``enough`` events came without it: then a metric would be 0 for ever, in silence.
    """
    seen = earlier + result.evaluated
    failed = seen >= enough
    return replace(
        result,
        success=not failed,
        unexpected=result.evaluated if failed else 0,
        detail=f"none of {seen} events carried it",
    )


def _settled(result: ExpectationResult, accepted: int, total: int, reasons: Mapping[str, int]) -> ExpectationResult:
    judged = result.success or not accepted  # there is nothing to hold against no rows
    kept_out = sum(reasons.values())
    unexpected = result.unexpected + kept_out
    details = []
    if kept_out:
        by_name = ", ".join(f"{rows} {name}" for name, rows in sorted(reasons.items()))
        details.append(f"quarantined: {kept_out if set(reasons) == {result.rule} else by_name}")
    if not judged:
        found = result.detail or f"{result.unexpected} of {result.evaluated} accepted rows"
        details.append(found if result.source else f"{DISAGREE}: {found}")
    within = unexpected <= (1 - result.mostly) * total + 1e-9
    # A suite that failed without counting a row failed as a whole: no share makes up for that.
    return replace(
        result,
        success=within and (judged or result.unexpected > 0),
        evaluated=total,
        unexpected=unexpected,
        detail="; ".join(details),
    )
