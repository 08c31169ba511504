"""What it costs to compute an aggregate from all of raw."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks import shop
from benchmarks.history import refresh_one
from benchmarks.report import Row, figures
from benchmarks.timing import in_turn
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.duck import connect
from tusk_platform.storage.memory import of_database

ABOUT: Final = (
    "An aggregate of five minutes by country (sum, average, distinct) computed from all of raw by dbt, table written, "
    "beside a query by hand in DuckDB over the same files: good rows, of repeated events the first, grouped, into a "
    "table in memory. Both with the same memory and threads. Best of the rounds."
)
GOAL: Final = 1.2
_BY_HAND: Final = """
    create or replace table by_hand as
    with good as (select * from delta_scan('{path}') where _status = 'ok'),
    once as (
        select * from good
        qualify row_number() over (partition by event_id order by _batch, _offset) = 1
    )
    select
        time_bucket(interval '5 minutes', _event_time) as window_start, country, count(*) as event_count,
        sum(amount) as revenue, avg(duration) as avg_duration, count(distinct user_id) as buyers
    from once
    where _watermark is null or time_bucket(interval '5 minutes', _event_time) + interval '5 minutes' > _watermark
    group by all
"""


def run(*, quick: bool) -> list[Row]:
    """One row."""
    count, rounds = (200_000, 1) if quick else (5_000_000, 3)
    with tempfile.TemporaryDirectory() as folder:
        platform = shop.opened(Path(folder), shop.config())
        shop.History(platform).grow(count)
        name = platform.plan.aggregates[0].name
        by_hand = _by_hand(platform)
        try:
            refresh_one(platform, name)
            ours, theirs = in_turn(lambda: refresh_one(platform, name, full=True), by_hand, rounds)
        finally:
            platform.close()
    peer = f"by hand: {figures(min(theirs))} s"
    return [Row(f"{figures(count)} events from scratch", min(ours), "s", peer, min(ours) / min(theirs), GOAL)]


def _by_hand(platform: Platform) -> Callable[[], object]:
    connection = connect(platform.lake, platform.plan)
    connection.execute(f"set memory_limit = '{of_database(platform.plan.runtime.memory, 'code')}B'")
    statement = _BY_HAND.format(path=platform.lake.path(f"raw.{shop.ORDERS}"))
    return lambda: connection.execute(statement)
