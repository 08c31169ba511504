"""Does a long history make the newest batch slower?"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks import shop
from benchmarks.report import Row, figures
from benchmarks.timing import median_ratio, seconds
from tusk_platform.jobs.ingest import Until, ingest
from tusk_platform.runtime.platform import Platform

ABOUT: Final = (
    "One batch of 10,000 events through `jobs.ingest`, then one refresh of an aggregate of five minutes through dbt, "
    "on a stream of one batch a minute that is 100 batches old and on the same stream five thousand batches old. The "
    "history was written batch by batch and maintained every 120 of them; all of it was ingested on one day and so is "
    "in one partition. Repeated events are looked for within an hour, which is less than either history. Flat is the "
    "goal. Medians."
)
GOAL: Final = 1.1


def run(*, quick: bool) -> list[Row]:
    """Ingest and refresh, each at the longer history over the shorter, round by round in turn."""
    short, long = (200_000, 400_000) if quick else (1_000_000, 50_000_000)
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        # dbt keeps its connection for one project in a process, so each history has a process of its own.
        few, many = [
            stack.enter_context(ProcessPoolExecutor(1, spawn, _open, (str(Path(folder) / str(rows)), rows)))
            for rows in (short, long)
        ]
        for warming in [pool.submit(_round) for pool in (few, many)]:
            warming.result()  # parses the project, and computes all windows
        found = [(few.submit(_round).result(), many.submit(_round).result()) for _ in range(3 if quick else 21)]
    return [
        _row(
            f"{what} at {figures(long)} events",
            [m[i] for _, m in found],
            f"at {figures(short)}",
            [f[i] for f, _ in found],
        )
        for i, what in enumerate(("ingest a batch", "refresh an aggregate"))
    ]


def _row(what: str, high: Sequence[float], where: str, low: Sequence[float]) -> Row:
    peer = f"{where}: {figures(statistics.median(low) * 1000)} ms"
    return Row(what, statistics.median(high) * 1000, "ms", peer, median_ratio(high, low), GOAL)


class _Grown:
    """What a process of this benchmark holds: the platform, and its stream after so many events."""

    def __init__(self, folder: Path, rows: int) -> None:
        folder.mkdir()
        self.platform = shop.opened(folder, shop.config())
        self.history = shop.History(self.platform)
        self.history.grow(rows)


_grown: list[_Grown] = []


def _open(folder: str, rows: int) -> None:
    _grown.append(_Grown(Path(folder), rows))


def _round() -> tuple[float, float]:
    """Seconds of an ingest call and of the refresh after it."""
    [grown] = _grown
    name = grown.platform.plan.aggregates[0].name
    source = grown.history.next_events()
    return (
        seconds(lambda: take_batch(grown.platform, grown.history, source)),
        seconds(lambda: refresh_one(grown.platform, name)),
    )


def refresh_one(platform: Platform, aggregate: str, *, full: bool = False) -> None:
    """Refresh an aggregate by dbt."""
    [result] = platform.engine().refresh([aggregate], full=full)
    assert result.error is None, result


def take_batch(platform: Platform, history: shop.History, source: shop.MemorySource) -> None:
    """Ingest the next batch of a history, its ``next_events``."""
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
