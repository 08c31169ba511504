"""Reading the embedded log by offset: what all sources share whose events come to rest there first."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, Protocol

from tusk_platform.errors import Refused
from tusk_platform.ports import Batch, Budget, Chunk, Position
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.log import EventLog, Record

PARTITION: Final = "0"

_logger = logging.getLogger(__name__)


class LogReader:
    """The events of one log in the order in which they were accepted, as partition ``0``."""

    def __init__(self, stream: str, log: EventLog, chunk: Callable[[list[Record], int], Chunk] | None = None) -> None:
        self.log = log
        self._stream = stream
        self._chunk = chunk or _plain
        self._gap = -1

    def take(self, position: Position, rows: int) -> Batch:
        """What is there now from a position on; Refused where the log ends before it."""
        wanted = position.get(PARTITION, 0)
        records = self.log.read(wanted, rows)
        end = self.log.end()
        if wanted > end:
            raise Refused(
                f"the log of `{self._stream}` ends at {end} but was already read up to {wanted}: it was deleted "
                f"or restored from an older copy. Bring the newer log back, or read the source as a stream of another "
                f"name, which begins anew; what `{self._stream}` got so far stays in the lake"
            )
        self._mind_the_gap(wanted, records[0][0] if records else end)
        next_offset = records[-1][0] + 1 if records else end
        ended = frozenset({PARTITION} if next_offset >= end else ())
        return Batch((self._chunk(records, next_offset),) if records else (), ended)

    def lag(self, position: Position) -> int:
        """Events in the log and not yet read."""
        return max(0, self.log.end() - max(position.get(PARTITION, 0), self.log.start()))

    def _mind_the_gap(self, wanted: int, first: int) -> None:
        """Say once how many events were removed before they were read; a reader from the beginning misses none."""
        if 0 < wanted < first and wanted != self._gap:
            self._gap = wanted
            _logger.warning(
                "stream %s: %d events of the log were removed by age before they were read; going on from offset %d",
                self._stream,
                first - wanted,
                first,
            )


def _plain(records: list[Record], next_offset: int) -> Chunk:
    offsets, arrivals, payloads = (list(column) for column in zip(*records, strict=True))
    return Chunk(PARTITION, offsets, next_offset, payloads, arrivals=arrivals)


class LogHistory:
    """What a log still holds, for who reads it a second time: the log and its receiver take no notice."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader

    def partitions(self) -> tuple[str, ...]:
        """The one of the log."""
        return (PARTITION,)

    def read(self, position: Position, budget: Budget) -> Batch:
        """Events of the log, without waiting."""
        return self._reader.take(position, budget.rows)

    def acknowledge(self, position: Position) -> None:
        """Nobody is told."""

    def lag(self, position: Position) -> int | None:
        """Events in the log and not yet read."""
        return self._reader.lag(position)

    def whole(self) -> bool:
        """Whether the log has forgotten nothing."""
        return self._reader.log.start() == 0

    def close(self) -> None:
        """Let go of the log."""
        self._reader.log.close()


class Receiver(Protocol):
    """Brings what is outside into the log, each once, and only then tells those outside that it is safe."""

    def receive(self, seconds: float) -> bool:
        """Append what comes within the time; whether all that is outside now is in the log.

        Returns as soon as something came. Unavailable where nobody answers: what was appended before stays.
        """
        ...

    def committed(self, offset: int) -> None:
        """The lake holds everything before an offset of the log; a hint, may be lost."""
        ...

    def behind(self) -> int | None:
        """Events outside that are not in the log, where that is known."""
        ...

    def close(self) -> None:
        """Let go of the connection; the next use makes it again."""
        ...


class ReceivedSource:
    """What a receiver brings, read from the log like any other.

    The receiver is asked only where the log is read to its end. So a lake that cannot keep up stops it, and whoever is
    outside keeps what it has not told us yet.
    """

    def __init__(self, reader: LogReader, receiver: Receiver) -> None:
        self._reader = reader
        self._receiver = receiver
        self._begun = False

    def partitions(self) -> tuple[str, ...]:
        """The one of the log."""
        return (PARTITION,)

    def read(self, position: Position, budget: Budget) -> Batch:
        """Events of the log, and where it ends those that the receiver brings within the time."""
        deadline = time.monotonic() + budget.seconds
        if not self._begun:
            # Whoever opens a source begins where the lake stands.
            self._begun = True
            self._receiver.committed(position.get(PARTITION, 0))
        while True:
            batch = self._reader.take(position, budget.rows)
            if not batch.at_end:
                return batch
            if batch.chunks:
                return Batch(batch.chunks)  # what is outside shows at the next read
            caught_up = self._receiver.receive(max(0.0, deadline - time.monotonic()))
            reach("after_receive")
            batch = self._reader.take(position, budget.rows)
            if batch.chunks or caught_up or time.monotonic() >= deadline:
                return batch if caught_up else Batch(batch.chunks)

    def acknowledge(self, position: Position) -> None:
        """Tell the receiver how far the lake holds its log."""
        self._receiver.committed(position.get(PARTITION, 0))

    def lag(self, position: Position) -> int | None:
        """Events in the log and outside that were not read yet."""
        outside = self._receiver.behind()
        return None if outside is None else self._reader.lag(position) + outside

    def close(self) -> None:
        """Let go of the connection and of the log."""
        self._receiver.close()
        self._reader.log.close()
