"""What became of every event: lost, doubled, invented, or read again after it was said to be read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.e2e.test_million_events import Event
from tests.faults.feeds import Place
from tusk_platform.core import transactions
from tusk_platform.storage.lake import Lake

STREAM = "orders"
TABLE = "raw.orders"


class Row(NamedTuple):
    """One row of raw: where its event was, the batch that brought it, and what it says."""

    place: Place
    batch: int
    ok: bool
    id: str | None
    payload: bytes | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Events produced and rows stored, and the places where the two differ.

    ``phantom``: rows of events that nobody produced, or that say something else. ``backwards``: a later batch with an
    earlier event, or a later commit with an earlier position.
    """

    produced: int
    good: int
    quarantined: int
    lost: tuple[Place, ...]
    doubled: tuple[Place, ...]
    phantom: tuple[Place, ...]
    backwards: tuple[str, ...]

    @property
    def fine(self) -> bool:
        """Each event is there once and nothing else is."""
        wrong = self.lost or self.doubled or self.phantom or self.backwards
        return not wrong and self.good + self.quarantined == self.produced

    def __str__(self) -> str:
        return (
            f"{self.produced} produced, {self.good} good, {self.quarantined} quarantined; lost {self.lost[:5]}, "
            f"doubled {self.doubled[:5]}, phantom {self.phantom[:5]}, backwards {self.backwards[:5]}"
        )


def judge(produced: Mapping[Place, Event], rows: Iterable[Row], positions: Iterable[tuple[str, int]]) -> Verdict:
    """Compare what was produced with what is stored; ``positions`` are partition and offset in order of commits."""
    stored = sorted(rows, key=lambda r: (r.place[0], r.batch, r.place[1]))
    times = Counter(row.place for row in stored)
    good = sum(row.ok for row in stored)
    return Verdict(
        produced=len(produced),
        good=good,
        quarantined=len(stored) - good,
        lost=tuple(place for place in produced if place not in times),
        doubled=tuple(place for place, count in times.items() if count > 1),
        phantom=tuple(row.place for row in stored if not _is(row, produced.get(row.place))),
        backwards=(*_rows_backwards(stored), *_positions_backwards(positions)),
    )


def _is(row: Row, event: Event | None) -> bool:
    """Whether a row says what was produced at its place."""
    if event is None or row.ok == event.broken:
        return False
    return row.id == event.id if row.ok else row.payload == event.payload


def _rows_backwards(stored: Iterable[Row]) -> Iterable[str]:
    newest: dict[str, int] = {}
    for (partition, offset), batch, *_ in stored:
        if offset < newest.get(partition, offset):
            yield f"batch {batch} holds offset {offset} of partition {partition} after {newest[partition]}"
        newest[partition] = max(offset, newest.get(partition, offset))


def _positions_backwards(positions: Iterable[tuple[str, int]]) -> Iterable[str]:
    before: dict[str, int] = {}
    for partition, position in positions:
        if position < before.get(partition, position):
            yield f"position of partition {partition} from {before[partition]} to {position}"
        before[partition] = position


def rows_of(lake: Lake) -> list[Row]:
    """All rows of the stream's raw table."""
    columns = ("_partition", "_offset", "_batch", "_status", "event_id", "_payload")
    table = lake.open(TABLE).delta.to_pyarrow_table(columns=list(columns))
    partitions, offsets, batches, states, ids, payloads = (table.column(c).to_pylist() for c in columns)
    return [
        Row(place, batch, status == "ok", id_, payload)
        for place, batch, status, id_, payload in zip(
            zip(partitions, offsets, strict=True), batches, states, ids, payloads, strict=True
        )
    ]


def positions_of(lake: Lake) -> list[tuple[str, int]]:
    """Every position that a commit has set, in the order of commits, as far back as the table's log reaches."""
    prefix = transactions.position(STREAM, "")
    found = []
    for entry in sorted(Path(lake.path(TABLE), "_delta_log").glob("*.json")):
        for line in entry.read_text().splitlines():
            set_ = json.loads(line).get("txn", {})
            partition = set_.get("appId", "").removeprefix(prefix)
            if partition.isdigit():
                found.append((partition, set_["version"]))
    return found
