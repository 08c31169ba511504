"""Does a long history make the newest batch slower?"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import shop
from benchmarks.report import Row, figures
from benchmarks.timing import seconds
from tusk_platform.jobs.ingest import Until, ingest
from tusk_platform.runtime.platform import Platform

ABOUT: Final = (
    "One batch of 10,000 events through `jobs.ingest`, then one refresh of an aggregate of five minutes through dbt, on a "
    "stream of one batch a minute that is 100 batches old and on the same stream a thousand batches old. The history was "
    "written batch by batch and maintained every 120 of them; all of it is of one day and so in one partition. Repeated "
    "events are looked for within an hour, which is less than either history. Flat is the goal: what is slower than 1.5 "
    "times would grow for ever. Medians."
)
GOAL: Final = 1.5


def run(*, quick: bool) -> list[Row]:
    """Ingest and refresh, each at the longer history over the shorter."""
    short, long = (200_000, 400_000) if quick else (1_000_000, 10_000_000)
    with tempfile.TemporaryDirectory() as folder:
        platform = shop.opened(Path(folder), shop.config())
        history = shop.History(platform)
        try:
            few = _measured(platform, history, short, rounds=3 if quick else 9)
            many = _measured(platform, history, long, rounds=3 if quick else 9)
        finally:
            platform.close()
    return [
        _row(f"{what} at {figures(long)} events", high, f"at {figures(short)} events", low)
        for what, high, low in (("ingest a batch", many[0], few[0]), ("refresh an aggregate", many[1], few[1]))
    ]


def _row(what: str, high: float, where: str, low: float) -> Row:
    return Row(what, high * 1000, "ms", f"{where}: {figures(low * 1000)} ms", high / low, GOAL)


def _measured(platform: Platform, history: shop.History, rows: int, *, rounds: int) -> tuple[float, float]:
    """Median seconds of an ingest call and of a refresh after it, once the history has so many events."""
    history.grow(rows)
    aggregate = platform.plan.aggregates[0].name
    ingested, refreshed = [], []
    for number in range(rounds + 1):
        first = seconds(lambda: take_batch(platform, history))
        results = []
        second = seconds(lambda: results.extend(platform.engine().refresh([aggregate])))
        assert [r.error for r in results] == [None], results
        if number:  # the first refresh parses the project and computes all that was written since the last one
            ingested.append(first)
            refreshed.append(second)
    return statistics.median(ingested), statistics.median(refreshed)


def take_batch(platform: Platform, history: shop.History) -> None:
    """Ingest the next batch of a history."""
    source = history.next_events()
    now = history.now + shop.BATCH_SPAN
    report = ingest(
        platform.plan.stream(shop.ORDERS),
        platform.plan.aggregates,
        source,
        platform.lake,
        clock=lambda: now,
        until=Until(once=True),
    )
    assert (report.batches, report.rows + report.quarantined) == (1, shop.BATCH), report
    history.note()
