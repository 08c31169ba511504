"""Does the ten-thousandth append to a table take longer than the hundredth, while maintenance runs beside it?

    python -m benchmarks.lake_commits --commits 20000

Prints one row of a Markdown table, and fails where appends at the end take more than twice as long as at the start.
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

import psutil
import pyarrow as pa

from benchmarks.report import Row, figures
from tusk_platform.core.schema import TIMESTAMP
from tusk_platform.jobs.maintain import maintain
from tusk_platform.plan.nodes import Plan
from tusk_platform.storage.lake import Lake

ABOUT: Final = (
    "Appends of 100 rows with their position to one table of the lake, one after the other, while another process "
    "maintains the table every five seconds: the first twentieth after a warm-up against the last. Medians."
)
TABLE: Final = "raw.events"
LIMIT: Final = 2.0
COLUMNS: Final = (
    "commits",
    "append at the start, ms",
    "at the end, ms",
    "ratio",
    "ratio of CPU time",
    "99 % under, ms",
    "files",
    "log entries",
    "maintained",
    "memory at the start, MB",
    "at the end, MB",
)
_WARM_UP: Final = 100
_TEXTS: Final = 6


@dataclass(frozen=True, slots=True)
class Result:
    """What one run measured; times in milliseconds, memory in megabytes.

    ``work_ratio`` is of CPU time, which others on the same machine disturb less.
    """

    commits: int
    start: float
    end: float
    work_ratio: float
    high: float
    files: int
    log_entries: int
    maintained: int
    memory_start: int
    memory_end: int

    @property
    def ratio(self) -> float:
        """Append time at the end over that at the start."""
        return self.end / self.start

    def as_row(self) -> str:
        """One row of the table with the columns COLUMNS."""
        times = (
            f"{self.start:.1f}",
            f"{self.end:.1f}",
            f"{self.ratio:.2f}",
            f"{self.work_ratio:.2f}",
            f"{self.high:.1f}",
        )
        counts = (self.files, self.log_entries, self.maintained, self.memory_start, self.memory_end)
        values = (self.commits, *times, *counts)
        return f"| {' | '.join(map(str, values))} |"


def main(arguments: list[str]) -> int:
    """Run with the options given; 1 where appends slow down too much."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commits", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=100, help="rows of one commit")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between two maintenances")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), options.commits, rows=options.rows, pause=options.pause)
    print(f"| {' | '.join(COLUMNS)} |")
    print(f"|{'---:|' * len(COLUMNS)}")
    print(result.as_row())
    return 0 if result.ratio <= LIMIT else 1


def run(*, quick: bool) -> list[Row]:
    """The one row there is."""
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), 2_000 if quick else 20_000, pause=2.0 if quick else 5.0)
    before = f"the first ones: {figures(result.start)} ms"
    return [Row(f"append after {figures(result.commits)} commits", result.end, "ms", before, result.ratio, LIMIT)]


def measure(folder: Path, commits: int, *, rows: int = 100, pause: float = 5.0) -> Result:
    """Append so many commits to one table of a new lake while another process maintains it."""
    lake = Lake(folder)
    lake.create(
        TABLE, events(1, 0).schema, partition_by=("_status", "_ingested_date"), statistics=("_event_time", "_batch")
    )
    spawn = multiprocessing.get_context("spawn")
    stop, counted = spawn.Event(), spawn.Value("i", 0)
    keeper = spawn.Process(target=keep, args=(str(folder), pause, stop, counted))
    keeper.start()
    try:
        seconds, work, memory = append(lake, commits, rows)
    finally:
        stop.set()
        keeper.join()
    handle = lake.open(TABLE)
    assert keeper.exitcode == 0, "maintenance failed"
    assert sum(f.rows for f in handle.files()) == commits * rows, "rows were lost or doubled"
    assert handle.transaction("events/0") == commits * rows
    start, end = first_and_last(seconds)
    work_start, work_end = first_and_last(work)
    return Result(
        commits=commits,
        start=start * 1000,
        end=end * 1000,
        work_ratio=work_end / work_start,
        high=sorted(seconds)[len(seconds) * 99 // 100] * 1000,
        files=len(handle.files()),
        log_entries=len(list((Path(lake.path(TABLE)) / "_delta_log").iterdir())),
        maintained=counted.value,
        memory_start=memory[0],
        memory_end=memory[1],
    )


def first_and_last(values: list[float]) -> tuple[float, float]:
    """Medians of the first twentieth after the warm-up and of the last."""
    part = max(1, (len(values) - _WARM_UP) // 20)
    return statistics.median(values[_WARM_UP : _WARM_UP + part]), statistics.median(values[-part:])


def append(lake: Lake, commits: int, rows: int) -> tuple[list[float], list[float], tuple[int, int]]:
    """Seconds and CPU seconds of each append, and memory after the warm-up and at the end."""
    handle = lake.open(TABLE)
    process = psutil.Process()
    seconds: list[float] = []
    work: list[float] = []
    early = 0
    for number in range(1, commits + 1):
        batch = events(rows, number)
        began, worked = time.perf_counter(), time.process_time()
        handle.append(batch, {"events/0": number * rows, "events/watermark": number, "events/batch": number})
        seconds.append(time.perf_counter() - began)
        work.append(time.process_time() - worked)
        if number == _WARM_UP:
            early = process.memory_info().rss // 2**20
    return seconds, work, (early, process.memory_info().rss // 2**20)


def keep(folder: str, pause: float, stop: Event, counted: object) -> None:
    """Maintain the table again and again until told to stop."""
    lake = Lake(folder)
    plan = Plan("")
    while not stop.wait(pause):
        maintain(plan, TABLE, lake, clock=lambda: time.time_ns() // 1000)
        counted.value += 1  # type: ignore[attr-defined]  # a shared integer, whose type typeshed does not name


def events(rows: int, batch: int) -> pa.Table:
    """Rows of one batch: a few texts and numbers, and what every raw table has."""
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=batch)
    texts = {f"text_{c}": pa.array([f"value {(r * 7 + c) % 100}" for r in range(rows)]) for c in range(_TEXTS)}
    return pa.table(
        {
            **texts,
            "amount": pa.array([float(r) for r in range(rows)]),
            "_event_time": pa.array([at] * rows, TIMESTAMP),
            "_batch": pa.array([batch] * rows, pa.int64()),
            "_status": pa.array(["ok"] * rows),
            "_ingested_date": pa.array([at.date()] * rows, pa.date32()),
        }
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
