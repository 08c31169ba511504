"""The embedded durable log as a source: stand-in of kafka, mqtt, http and database streams without a connection.

Until somebody publishes, a stream that allows it also reads made-up events, as a partition of their own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from itertools import islice
from typing import Any, Final

from tusk_platform.adapters.log_reader import PARTITION, LogReader
from tusk_platform.core.demo import Generator
from tusk_platform.plan.nodes import DEMO_PARTITION, Stream
from tusk_platform.ports import Batch, Budget, Chunk, Position, SourceContext
from tusk_platform.sections.block import Block
from tusk_platform.storage.log import EventLog
from tusk_platform.units import HOUR, SECOND

# How often a waiting reader looks whether something came: events are shown within seconds, so this adds nothing.
_LOOK_EVERY: Final = 0.05
_APPENDED_AT_ONCE: Final = 5_000


class LogOptions(Block):
    """A ``log`` stream has no keys of its own."""


class LogSource:
    """Partition ``0`` is the log, partition ``demo`` the made-up events of a stream nobody has published to."""

    def __init__(self, stream: Stream, log: EventLog, now: Callable[[], int], history: int) -> None:
        self._reader = LogReader(stream.name, log)
        self._log = log
        self._demo = Generator(stream) if stream.demo else None
        self._now = now
        self._history = history
        self._ended = False

    def partitions(self) -> tuple[str, ...]:
        """The log, and the made-up events as long as the log never held one."""
        return (PARTITION, DEMO_PARTITION) if self._shows_demo() else (PARTITION,)

    def read(self, position: Position, budget: Budget) -> Batch:
        """Events in the order in which they were published."""
        deadline = time.monotonic() + budget.seconds
        while True:
            batch = (
                self._take_demo(position, budget.rows)
                if self._shows_demo()
                else self._reader.take(position, budget.rows)
            )
            left = deadline - time.monotonic()
            # A reader who wants all there is must not wait for more once the end is reached.
            reached, self._ended = bool(batch.at_end) and not self._ended, bool(batch.at_end)
            if batch.chunks or left <= 0 or reached:
                return batch
            time.sleep(min(left, _LOOK_EVERY))

    def acknowledge(self, position: Position) -> None:
        """The log keeps events by age, whoever has read them."""

    def lag(self, position: Position) -> int | None:
        """Events published and not yet read."""
        if self._shows_demo() and position.get(DEMO_PARTITION, 0) < self._now() // SECOND * SECOND:
            return None  # events are made up when they are read
        return self._reader.lag(position)

    def whole(self) -> bool:
        """Whether the log has forgotten nothing."""
        return self._log.start() == 0

    def close(self) -> None:
        """Let go of the log; the next use opens it again."""
        self._log.close()

    def _shows_demo(self) -> bool:
        if self._demo is not None and self._log.end() > 0:
            # Nothing is ever made up again once somebody has published.
            self._demo = None
        return self._demo is not None

    def _take_demo(self, position: Position, rows: int) -> Batch:
        assert self._demo is not None  # noqa: S101 - _shows_demo was asked
        now = self._now()
        start = max(position.get(DEMO_PARTITION, 0), (now - self._history) // SECOND * SECOND)
        found = self._demo.between(start, now, rows)
        ended = {PARTITION, *([DEMO_PARTITION] if found.next_offset >= now // SECOND * SECOND else [])}
        chunk = Chunk(DEMO_PARTITION, found.offsets, found.next_offset, found.payloads, arrivals=found.offsets)
        return Batch((chunk,) if found.offsets else (), frozenset(ended))


def publish(stream: Stream, context: SourceContext, events: Iterable[bytes]) -> None:
    """Append events to the stream's log; they are durable on return."""
    left = iter(events)
    with closing(EventLog(context.log_folder, stream.name)) as log:
        while group := list(islice(left, _APPENDED_AT_ONCE)):
            log.append(group, producer="publish")


class LogAdapter:
    """``source = "log"``, and what stands in where a connection is missing."""

    name: str = "log"
    connection: str | None = None
    stand_in: str | None = None
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    publish = staticmethod(publish)

    def __init__(self, now: Callable[[], int] = lambda: time.time_ns() // 1000, demo_history: int = 2 * HOUR) -> None:
        self.now = now
        self.demo_history = demo_history

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return LogOptions.model_validate(values).model_dump(mode="json")

    def open(self, stream: Stream, context: SourceContext) -> LogSource:
        """A reader of the stream's log; the file is made on first use."""
        return LogSource(stream, EventLog(context.log_folder, stream.name), self.now, self.demo_history)


adapter = LogAdapter()
