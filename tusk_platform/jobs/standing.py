"""Where a stream stands: what its raw table says was read, and what the next commit will say."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from tusk_platform.core import transactions
from tusk_platform.core.watermark import Clocks, Progress
from tusk_platform.plan.nodes import DEMO_PARTITION, END_OF_TIME, NO_WATERMARK, Stream
from tusk_platform.ports import Batch

# Position of the demo partition once somebody else has published: no generated event comes after it.
RETIRED: Final = 2**62


class Transactions(Protocol):
    """The part of a table's handle that is read here."""

    def transaction(self, app: str) -> int | None:
        """The last version committed under an id."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """Positions, event clocks and counters of one stream; ``stored`` are the transactions that the lake holds."""

    stream: Stream
    position: Mapping[str, int]
    clocks: Clocks
    batch: int = 0
    generation: int = 0
    stored: Mapping[str, int] = field(default_factory=dict)

    @property
    def partitions(self) -> frozenset[str]:
        """The partitions that count: all but a retired demo."""
        return frozenset(self.clocks.partitions)

    @property
    def watermark(self) -> int | None:
        """What rows of the next batch carry: nothing in a replay, whose rows count always."""
        return None if self.stream.replay else self.clocks.watermark

    @property
    def shows_demo(self) -> bool:
        """Whether generated events are, or may be, in the table and must go when a real one comes."""
        at = self.position.get(DEMO_PARTITION)
        return at != RETIRED and (self.stream.demo or at is not None)

    @property
    def demo_retired(self) -> bool:
        """Whether generated events were removed for good."""
        return self.position.get(DEMO_PARTITION) == RETIRED

    def counted(self, partitions: Collection[str]) -> frozenset[str]:
        """Those of a source's partitions that count."""
        return frozenset(partitions) - ({DEMO_PARTITION} if self.demo_retired else frozenset())

    def after(self, batch: Batch, position: Mapping[str, int], newest: Mapping[str, int], now: int) -> Standing:
        """Where the stream stands once this batch is committed."""
        brought = {c.partition for c in batch.chunks if c.offsets}
        clocks = self.clocks.with_read(brought, newest, batch.at_end, now)
        if self.stream.replay:
            clocks = clocks.with_end()
        else:
            # Real events start their own clock, so those who did not publish yet need not hold the demo's.
            only = {DEMO_PARTITION} & self.partitions if self.shows_demo else set()
            clocks = clocks.with_watermark(now, self.stream.idle_timeout, only or None)
        return replace(self, position=dict(position), clocks=clocks, batch=self.batch + bool(batch.rows))

    def without_demo(self) -> Standing:
        """With no generated events for good; where any were there, without a watermark, and aggregates start over."""
        any_there = DEMO_PARTITION in self.position
        kept = {n: p for n, p in self.clocks.partitions.items() if n != DEMO_PARTITION}
        return replace(
            self,
            position={**self.position, DEMO_PARTITION: RETIRED},
            clocks=Clocks(kept, None if any_there else self.clocks.watermark),
            generation=self.generation + any_there,
        )

    def transactions(self) -> dict[str, int]:
        """What differs from the lake, by transaction id."""
        name = self.stream.name
        now = {transactions.position(name, p): at for p, at in self.position.items()}
        for partition, progress in self.clocks.partitions.items():
            now[transactions.activity(name, partition)] = progress.active_at
            if progress.newest is not None:
                now[transactions.newest(name, partition)] = progress.newest
        if self.clocks.watermark is not None:
            now[transactions.watermark(name)] = self.clocks.watermark
        elif transactions.watermark(name) in self.stored:
            now[transactions.watermark(name)] = NO_WATERMARK
        if self.batch:
            now[transactions.batch(name)] = self.batch
        if self.generation:
            now[transactions.generation(name)] = self.generation
        return {app: version for app, version in now.items() if self.stored.get(app) != version}

    def committed(self) -> Standing:
        """The same, with all of it in the lake."""
        return replace(self, stored={**self.stored, **self.transactions()})


def read_standing(
    stream: Stream, handle: Transactions, partitions: Collection[str], now: int, known: Standing | None = None
) -> Standing:
    """Where the stream stands by the lake; of partitions ``known`` in this call, by that."""
    stored: dict[str, int] = dict(known.stored) if known else {}

    def read(app: str) -> int | None:
        if app not in stored and (version := handle.transaction(app)) is not None:
            stored[app] = version
        return stored.get(app)

    position = dict(known.position) if known else {}
    progress: dict[str, Progress] = {}
    for partition in {*partitions, DEMO_PARTITION}:
        at = position.get(partition, read(transactions.position(stream.name, partition)))
        if at is not None:
            position[partition] = at
        if partition in partitions and not (partition == DEMO_PARTITION and at == RETIRED):
            active = read(transactions.activity(stream.name, partition))
            progress[partition] = (known.clocks.partitions.get(partition) if known else None) or Progress(
                read(transactions.newest(stream.name, partition)), now if active is None else active
            )
    watermark = read(transactions.watermark(stream.name))
    if watermark == NO_WATERMARK or (watermark == END_OF_TIME and not stream.replay):
        watermark = None  # a replay that is a live stream from now on begins its clock anew
    return Standing(
        stream,
        position,
        Clocks(progress, watermark),
        batch=read(transactions.batch(stream.name)) or 0,
        generation=read(transactions.generation(stream.name)) or 0,
        stored=stored,
    )
