"""A day in minutes: what a platform that runs for long holds must not grow with time."""

from __future__ import annotations

import gc
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import psutil

from benchmarks import shop
from benchmarks.history import refresh_one
from benchmarks.report import Row, figures
from tusk_platform.jobs.ingest import Until, ingest
from tusk_platform.jobs.maintain import maintain
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.memory import trim

ABOUT: Final = (
    "A day in fast-forward: every minute of it a batch of 500 events is ingested, every two minutes the aggregate is "
    "refreshed by dbt and every table maintained, under a clock that is put forward. What the process and the lake "
    "hold at the end of the day beside what they held after its first quarter. Rows and bytes grow with the day; the "
    "number of files, memory and open handles must not. Files that compaction has replaced stay an hour of the wall "
    "clock, longer than this takes, and are not counted."
)
_MINUTES: Final = 1_440
_EVENTS: Final = 500


@dataclass(frozen=True, slots=True)
class _Held:
    """What is held at one time: data files that the tables consist of, entries of their logs, MB, open files."""

    files: int
    entries: int
    memory: float
    handles: int


def run(*, quick: bool) -> list[Row]:
    """Four rows: the end of the day over its first quarter."""
    minutes = 120 if quick else _MINUTES
    with tempfile.TemporaryDirectory() as folder:
        platform = shop.opened(Path(folder), shop.config())
        try:
            _minutes(platform, 0, minutes // 4)
            early = _held(platform)
            _minutes(platform, minutes // 4, minutes)
            late = _held(platform)
        finally:
            platform.close()
    return [
        Row(what, now, unit, f"after a quarter: {figures(before)}", now / before, goal)
        for what, now, before, unit, goal in (
            ("data files", late.files, early.files, "", 1.5),
            ("entries of the tables' logs", late.entries, early.entries, "", 1.5),
            ("memory of the process", late.memory, early.memory, "MB", 1.1),
            ("open handles", late.handles, early.handles, "", 1.0),
        )
    ]


def _minutes(platform: Platform, first: int, after: int) -> None:
    for minute in range(first, after):
        _minute(platform, minute)
        if minute % 2:
            refresh_one(platform, platform.plan.aggregates[0].name)
            now = shop.BEGIN + (minute + 1) * shop.BATCH_SPAN
            for table in platform.lake.tables():
                maintain(platform.plan, table, platform.lake, clock=partial(int, now))


def _minute(platform: Platform, minute: int) -> None:
    start = shop.BEGIN + minute * shop.BATCH_SPAN
    report = ingest(
        platform.plan.stream(shop.ORDERS),
        platform.plan.aggregates,
        shop.MemorySource(shop.events(_EVENTS, first=minute * _EVENTS, start=start), first=minute * _EVENTS),
        platform.lake,
        clock=partial(int, start + shop.BATCH_SPAN),
        until=Until(once=True),
    )
    assert report.batches == 1, report


def _held(platform: Platform) -> _Held:
    gc.collect()
    trim(platform.plan.runtime.memory)
    tables = [platform.lake.open(table) for table in platform.lake.tables()]
    logs = [Path(platform.lake.path(table.name), "_delta_log") for table in tables]
    process = psutil.Process()
    return _Held(
        files=sum(len(table.files()) for table in tables),
        entries=sum(len(list(log.glob("*.json"))) for log in logs),
        memory=process.memory_info().rss / 1e6,
        handles=process.num_fds(),
    )
