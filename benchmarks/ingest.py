"""How fast events become rows, against the least that anybody could do: decode and append."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa
from deltalake import write_deltalake

from benchmarks import shop
from benchmarks.report import Row, figures
from benchmarks.timing import in_turn
from tusk_platform.jobs.ingest import Committed, Until, ingest
from tusk_platform.plan.profile import Runtime
from tusk_platform.storage.lake import Lake

ABOUT: Final = (
    "Events of eight columns as JSON through `jobs.ingest` with seven row rules from a source in memory: decoded, "
    "typed, judged, stamped, committed with their position. The peer does `orjson.loads`, `pa.Table.from_pylist` and "
    "`write_deltalake` with the same events in the same batches: no types, no verdicts, no positions. A stream that "
    "has fallen behind is read in commits of 100,000 events, a stream of 10,000 events a second in commits of 10,000."
)
# Types, verdicts, positions and two waits for the disk may cost as much again as decoding and writing.
GOAL: Final = 0.5


def run(*, quick: bool) -> list[Row]:
    """One row for each size of commit."""
    payloads = shop.events(30_000 if quick else 300_000, span=30 * shop.BATCH_SPAN)
    rounds = 1 if quick else 3
    return [
        _row("backlog, commits of 100,000", payloads, Runtime(), rounds),
        _row("live, commits of 10,000", payloads, Runtime(commit_interval=0), rounds),
    ]


def _row(what: str, payloads: Sequence[bytes], runtime: Runtime, rounds: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        work = _Work(Path(folder), payloads, runtime)
        sizes = work.ours()
        batches = shop.grouped(payloads, sizes)
        ours, bare = in_turn(work.ours, lambda: work.bare(batches), rounds)
    mine, theirs = len(payloads) / min(ours), len(payloads) / min(bare)
    peer = f"bare decode and append: {figures(theirs)} events/s"
    return Row(what, mine, "events/s", peer, mine / theirs, GOAL, more=True)


class _Work:
    def __init__(self, folder: Path, payloads: Sequence[bytes], runtime: Runtime) -> None:
        self._folder = folder
        self._payloads = payloads
        self._runtime = runtime
        self._stream = shop.stream()
        self._calls = 0

    def ours(self) -> list[int]:
        """All events into a new lake; the sizes of the batches."""
        sizes: list[int] = []

        def note(done: Committed) -> None:
            sizes.append(done.rows + done.quarantined)

        report = ingest(
            self._stream,
            (),
            shop.MemorySource(self._payloads),
            Lake(self._new()),
            clock=lambda: shop.BEGIN + 60 * shop.BATCH_SPAN,
            until=Until(once=True),
            runtime=self._runtime,
            on_batch=note,
        )
        assert report.rows + report.quarantined == len(self._payloads), report
        assert report.quarantined == len(self._payloads) // 200, report
        return sizes

    def bare(self, batches: Sequence[Sequence[bytes]]) -> None:
        """The same events in the same batches into a new table."""
        path = self._new()
        for batch in batches:
            write_deltalake(path, pa.Table.from_pylist([orjson.loads(p) for p in batch]), mode="append")

    def _new(self) -> Path:
        self._calls += 1
        return self._folder / str(self._calls)
