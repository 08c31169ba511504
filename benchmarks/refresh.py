"""What a refresh takes once dbt is warm, and how much of that is dbt."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import shop
from benchmarks.history import take_batch
from benchmarks.report import Row, figures
from tests.oracle.macros import compiled
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.aggregate_table import RESULT, advance, begin, commit
from tusk_platform.storage.duck import connect
from tusk_platform.storage.snapshot import rows_sql

ABOUT: Final = (
    "Aggregates of five minutes, each time after a batch of 10,000 events, on a stream of two hours. The engine calls "
    "dbt in its own process, its manifest kept; the peer runs the same compiled SQL, reads and commits the same table "
    "by the same functions with as many threads, without dbt. The last two rows are the difference: what a refresh "
    "pays for being a dbt run. Medians."
)
GOAL: Final = 3.0


def run(*, quick: bool) -> list[Row]:
    """Seconds for one and for five aggregates, and the part of it that is dbt's."""
    with tempfile.TemporaryDirectory() as folder:
        platform = shop.opened(Path(folder), shop.config(aggregates=5))
        history = shop.History(platform)
        history.grow(200_000 if quick else 1_200_000)
        try:
            found = [(count, *_measured(platform, history, count, 2 if quick else 7)) for count in (1, 5)]
        finally:
            platform.close()
    seconds = [
        Row(_words("refresh of", n), ours, "s", f"the same without dbt: {figures(bare)} s", ours / bare, GOAL)
        for n, ours, bare in found
    ]
    shares = [
        Row(
            _words("dbt's own part for", n), 100 * max(0.0, 1 - bare / ours), "%", f"{figures((ours - bare) * 1000)} ms"
        )
        for n, ours, bare in found
    ]
    return seconds + shares


def _words(what: str, count: int) -> str:
    return f"{what} {count} aggregate{'' if count == 1 else 's'}"


def _measured(platform: Platform, history: shop.History, count: int, rounds: int) -> tuple[float, float]:
    names = [a.name for a in platform.plan.aggregates[:count]]
    direct = _Direct(platform, names)

    def by_dbt() -> float:
        take_batch(platform, history, history.next_events())
        began = time.perf_counter()
        results = platform.engine().refresh(names)
        took = time.perf_counter() - began
        assert [r.error for r in results] == [None] * count, results
        return took

    def without() -> float:
        take_batch(platform, history, history.next_events())
        began = time.perf_counter()
        direct.refresh()
        return time.perf_counter() - began

    by_dbt(), without()
    ours, bare = zip(*[(by_dbt(), without()) for _ in range(rounds)], strict=True)
    return statistics.median(ours), statistics.median(bare)


class _Direct:
    """The steps of the materialization `lake`, one aggregate a thread."""

    def __init__(self, platform: Platform, names: Sequence[str]) -> None:
        self._platform = platform
        self._names = names
        self._sql = compiled(platform.plan)
        self._connection = connect(platform.lake, platform.plan)
        self._threads = max(1, min(platform.plan.runtime.parallelism, 4))

    def refresh(self) -> None:
        """All of them."""
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(self._one, self._names))

    def _one(self, name: str) -> None:
        lake, plan = self._platform.lake, self._platform.plan
        aggregate = plan.aggregate(name)
        with self._connection.cursor() as cursor:
            begun = begin(lake, plan, aggregate)
            assert begun is not None
            begun = advance(cursor, begun, self._sql[name], partial(rows_sql, lake))
            assert begun.since is not None
            cursor.execute(f"create or replace temp table {RESULT} as ({self._sql[name]})")
            commit(cursor, begun, now=time.time_ns() // 1000)
