"""What the benchmarks sell: a config, its events, a source in memory, and a history as ingest would have left it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.compile import compile_text
from tusk_platform.core import transactions
from tusk_platform.core.decode import decode
from tusk_platform.core.schema import TIMESTAMP
from tusk_platform.jobs.maintain import maintain
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Batch, Budget, Chunk, Position
from tusk_platform.runtime.platform import Platform, open_platform
from tusk_platform.units import MINUTE

ORDERS: Final = "orders"
COUNTRIES: Final = ("DE", "FR", "GB", "IN", "NO", "US")
# Early on a day, so that sixteen hours of history lie in one partition, the worst case.
BEGIN: Final = int(datetime(2026, 1, 5, 0, 30, tzinfo=UTC).timestamp()) * 1_000_000
BATCH: Final = 10_000
# A history has a batch a minute: the hour in which repeated events are looked for is the smaller part of a million.
BATCH_SPAN: Final = MINUTE
_DEVICES: Final = ("desktop", "mobile", "tablet")
_KINDS: Final = ("view", "click", "buy")
_MAINTAIN_EVERY: Final = 120
_CONFIG: Final = """
real_time_analytics = {
    data_streams = {
        %(stream)s = {
            source = "kafka"
            topic = "%(stream)s"
            demo = false
            event_time = "at"
            schema = {
                event_id = "string", at = "timestamp", user_id = "integer", event_type = "string", country = "string"
                device_type = "string", duration = "double", amount = "decimal"
            }
        }
    }
}
real_time_aggregations = {
%(aggregates)s
}
data_quality_config = {
    validation_rules = {
        required_fields = ["user_id", "event_type", "at"]
        data_types = { user_id = "integer", amount = "decimal" }
        value_ranges = { amount = { min = 0, max = 10000 }, duration = { min = 0, max = 86400 } }
        streams = ["%(stream)s"]
    }
}
"""
_AGGREGATE: Final = """
    %(name)s = {
        dimensions = ["%(dimension)s"]
        metrics = { revenue = "sum", avg_duration = "avg", buyers = { function = "distinct", column = "user_id" } }
        window = "5 minutes"
        update_frequency = "1 second"
    }
"""
_DIMENSIONS: Final = ("country", "device_type", "event_type")


def config(aggregates: int = 1) -> str:
    """A stream of eight columns with seven rules, and so many aggregates of five minutes."""
    names = [f"orders_{i}" for i in range(aggregates)]
    written = [_AGGREGATE % {"name": n, "dimension": _DIMENSIONS[i % 3]} for i, n in enumerate(names)]
    return _CONFIG % {"stream": ORDERS, "aggregates": "".join(written)}


def stream(**changes: Any) -> Stream:  # noqa: ANN401 - any field of a stream
    """The stream alone, without a platform."""
    return replace(compile_text(config(), "platform.tsk").plan.stream(ORDERS), **changes)


def opened(folder: Path, text: str) -> Platform:
    """The platform of a config, its state beside it."""
    path = folder / "platform.tsk"
    path.write_text(text)
    return open_platform(path)


def events(count: int, *, first: int = 0, start: int = BEGIN, span: int = BATCH_SPAN) -> list[bytes]:
    """Events evenly spread over a span of time, as JSON; one in two hundred breaks a rule."""
    chance = random.Random(first)
    return [
        orjson.dumps(
            {
                "event_id": f"e{first + i}",
                "at": datetime.fromtimestamp((start + i * span // count) / 1_000_000, UTC),
                "user_id": chance.randrange(5_000),
                "event_type": chance.choice(_KINDS),
                "country": chance.choice(COUNTRIES),
                "device_type": chance.choice(_DEVICES),
                "duration": round(chance.expovariate(0.02), 3),
                "amount": -1 if i % 200 == 7 else chance.randrange(100, 1_000_000) / 100,
            }
        )
        for i in range(count)
    ]


class MemorySource:
    """One partition of a replayable log that costs nothing to read; its first record has offset ``first``."""

    def __init__(self, payloads: Sequence[bytes], *, first: int = 0) -> None:
        self._payloads = payloads
        self._first = first

    def partitions(self) -> tuple[str, ...]:
        """The one there is."""
        return ("0",)

    def read(self, position: Position, budget: Budget) -> Batch:
        """The next records, at once."""
        at = position.get("0", self._first) - self._first
        found = list(self._payloads[at : at + budget.rows])
        offsets = list(range(self._first + at, self._first + at + len(found)))
        ended = frozenset({"0"} if at + len(found) >= len(self._payloads) else ())
        chunk = Chunk("0", offsets, self._first + at + len(found), payloads=found)
        return Batch((chunk,) if found else (), ended)

    def acknowledge(self, position: Position) -> None:
        """Nothing is forgotten."""

    def lag(self, position: Position) -> int | None:
        """Records not read yet."""
        return self._first + len(self._payloads) - position.get("0", self._first)

    def close(self) -> None:
        """There is nothing to let go of."""


class History:
    """The past of one stream, written commit by commit in the form that ingest leaves, much faster than by ingest.

    Each commit is a batch of other events of the next minute, out of order within it. Now and then the table is
    maintained, as a running platform does it.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stream = platform.plan.stream(ORDERS)
        self._random = np.random.default_rng(7)
        payloads = events(BATCH)
        chunk = Chunk("0", list(range(BATCH)), BATCH, payloads=payloads)
        self._rows = decode(self._stream, Batch((chunk,)), BEGIN + BATCH_SPAN).rows
        self.batches = 0

    @property
    def now(self) -> int:
        """When the last batch has come."""
        return BEGIN + self.batches * BATCH_SPAN

    @property
    def rows(self) -> int:
        """Events so far."""
        return self.batches * BATCH

    def next_events(self) -> MemorySource:
        """The next batch as a source; what reads it is told of by ``note``."""
        first = self.rows
        return MemorySource(events(BATCH, first=first, start=self.now), first=first)

    def note(self, batches: int = 1) -> None:
        """So many batches were read by somebody else."""
        self.batches += batches

    def grow(self, rows: int) -> None:
        """Write batches until there are so many events, maintain, and leave the table as maintenance leaves it."""
        handle = self._platform.lake.open(self._stream.table)
        name = self._stream.name
        while self.rows < rows:
            number = self.batches + 1
            now = self.now + BATCH_SPAN
            versions = {
                transactions.position(name, "0"): number * BATCH,
                transactions.newest(name, "0"): now,
                transactions.activity(name, "0"): now,
                transactions.watermark(name): now,
                transactions.batch(name): number,
            }
            handle.append(self._batch(number, now), versions)
            self.batches = number
            if number % _MAINTAIN_EVERY == 0:
                self._maintain()
        self._maintain()

    def _batch(self, number: int, now: int) -> pa.Table:
        order = self._random.permutation(BATCH)
        shift = pa.scalar(self.now - BEGIN, pa.int64())
        offsets = pa.array(np.arange(self.rows, self.rows + BATCH))
        at = pc.add(self._rows["_event_time"].cast(pa.int64()), shift).cast(TIMESTAMP)
        changed = {
            "event_id": pc.binary_join_element_wise("e", offsets.cast(pa.string()), ""),
            "at": at,
            "_event_time": at,
            "_ingested_at": pa.repeat(pa.scalar(now, TIMESTAMP), BATCH),
            "_batch": pa.repeat(pa.scalar(number, pa.int64()), BATCH),
            "_watermark": pa.repeat(pa.scalar(self.now, TIMESTAMP), BATCH),
        }
        rows = _with(self._rows, changed).take(pa.array(order))
        return _with(rows, {"_offset": offsets})

    def _maintain(self) -> None:
        maintain(self._platform.plan, self._stream.table, self._platform.lake, clock=lambda: self.now)


def _with(rows: pa.Table, columns: dict[str, pa.Array]) -> pa.Table:
    for name, values in columns.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), values)
    return rows


def grouped(payloads: Sequence[bytes], sizes: Iterable[int]) -> list[Sequence[bytes]]:
    """The payloads in batches of these sizes."""
    found, start = [], 0
    for size in sizes:
        found.append(payloads[start : start + size])
        start += size
    return found
