"""A source in memory that does what its test says: an honest replayable log that keeps the rules of every source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tusk_platform.errors import Unavailable
from tusk_platform.ports import Batch, Budget, Chunk, Position


@dataclass(slots=True)
class _Partition:
    offsets: list[int] = field(default_factory=list)
    payloads: list[bytes | None] = field(default_factory=list)
    arrivals: list[int | None] = field(default_factory=list)
    end: int = 0


class ScriptedSource:
    """Records that the test puts in with ``append``; partitions are known from the start or made by the first append.

    ``acknowledged`` is the last position the reader reported, ``reads`` counts reads, ``closed`` says whether it was
    let go. Reading never waits, whatever the budget's seconds.
    """

    def __init__(self, *partitions: str) -> None:
        self._partitions = {name: _Partition() for name in partitions or ("0",)}
        self._failures: list[str] = []
        self.acknowledged: dict[str, int] = {}
        self.reads = 0
        self.closed = False

    def append(
        self,
        payloads: Iterable[bytes | None],
        *,
        partition: str = "0",
        arrivals: Iterable[int] | None = None,
        gap: int = 0,
    ) -> int:
        """Add records at the end, ``gap`` unused offsets before them (transaction markers); the offset after them."""
        log = self._partitions.setdefault(partition, _Partition())
        added = list(payloads)
        log.end += gap
        log.offsets += range(log.end, log.end + len(added))
        log.payloads += added
        log.arrivals += list(arrivals) if arrivals is not None else [None] * len(added)
        log.end += len(added)
        return log.end

    def fail(self, message: str = "the scripted source does not answer", *, times: int = 1) -> None:
        """The next reads raise Unavailable."""
        self._failures += [message] * times

    def partitions(self) -> tuple[str, ...]:
        """All partitions, also those without records."""
        return tuple(sorted(self._partitions))

    def read(self, position: Position, budget: Budget) -> Batch:
        """Records from ``position`` on, partition by partition, at most ``budget.rows`` of them."""
        self.reads += 1
        if self._failures:
            raise Unavailable(self._failures.pop(0))
        left = budget.rows
        chunks: list[Chunk] = []
        at_end: set[str] = set()
        for name in self.partitions():
            log = self._partitions[name]
            start = position.get(name, 0)
            records = [i for i, offset in enumerate(log.offsets) if offset >= start]
            taken = records[:left]
            left -= len(taken)
            if len(taken) == len(records):
                at_end.add(name)
            if taken:
                chunks.append(_chunk(name, log, taken, whole=len(taken) == len(records)))
        return Batch(tuple(chunks), frozenset(at_end))

    def acknowledge(self, position: Position) -> None:
        """Keeps what it was told."""
        self.acknowledged = dict(position)

    def lag(self, position: Position) -> int | None:
        """Records behind the end."""
        return sum(
            sum(offset >= position.get(name, 0) for offset in log.offsets) for name, log in self._partitions.items()
        )

    def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True


def _chunk(name: str, log: _Partition, taken: Sequence[int], *, whole: bool) -> Chunk:
    arrivals = [a for i in taken if (a := log.arrivals[i]) is not None]
    return Chunk(
        partition=name,
        offsets=[log.offsets[i] for i in taken],
        next_offset=log.end if whole else log.offsets[taken[-1]] + 1,
        payloads=[log.payloads[i] for i in taken],
        arrivals=arrivals if len(arrivals) == len(taken) else None,
    )
