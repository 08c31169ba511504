"""Made-up events of a stream, for a first look without any source."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import Field

from tusk_platform.core.demo import Generator
from tusk_platform.plan.nodes import DEMO_PARTITION, Stream
from tusk_platform.ports import Batch, Budget, Chunk, Position, SourceContext
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import Duration
from tusk_platform.units import HOUR, SECOND


class DemoOptions(Block):
    """Keys of a ``demo`` stream."""

    rate: float = Field(default=3.0, gt=0, le=10_000, description="Events a second, over the day.", examples=[3])
    history: Duration = Field(default=2 * HOUR, description="How far back the first events lie.", examples=["2 hours"])
    seed: int = Field(default=1, ge=0, description="Another number makes other events.", examples=[1])


class DemoSource:
    """One partition whose offsets are microseconds of arrival. Like a topic it keeps events for ``history`` only."""

    def __init__(self, generator: Generator, history: int, now: Callable[[], int]) -> None:
        self._generator = generator
        self._history = history
        self._now = now

    def partitions(self) -> tuple[str, ...]:
        """The one partition there is."""
        return (DEMO_PARTITION,)

    def read(self, position: Position, budget: Budget) -> Batch:
        """Events that arrived before the current second began."""
        deadline = time.monotonic() + budget.seconds
        while True:
            now = self._now()
            start = max(position.get(DEMO_PARTITION, 0), (now - self._history) // SECOND * SECOND)
            found = self._generator.between(start, now, budget.rows)
            left = deadline - time.monotonic()
            if found.offsets or left <= 0:
                break
            time.sleep(min(left, (SECOND - now % SECOND) / SECOND))
        ended = found.next_offset >= now // SECOND * SECOND
        chunk = Chunk(DEMO_PARTITION, found.offsets, found.next_offset, found.payloads, arrivals=found.offsets)
        return Batch((chunk,) if found.offsets else (), frozenset({DEMO_PARTITION} if ended else ()))

    def acknowledge(self, position: Position) -> None:
        """Nobody to tell."""

    def lag(self, position: Position) -> int | None:
        """Nothing where the current second is reached; else unknown, since events are made when they are read."""
        return 0 if position.get(DEMO_PARTITION, 0) >= self._now() // SECOND * SECOND else None

    def close(self) -> None:
        """Nothing is held."""


class DemoAdapter:
    """``source = "demo"``."""

    name: str = "demo"
    passing: str = "its events are made up when they are read"
    connection: str | None = None
    stand_in: str | None = None
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    options = DemoOptions

    def __init__(self, now: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self.now = now

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return DemoOptions.model_validate(values).model_dump(mode="json")

    def open(self, stream: Stream, context: SourceContext) -> DemoSource:  # noqa: ARG002 - the contract's
        """A source that makes up the stream's events."""
        options = DemoOptions.model_construct(**stream.options)
        return DemoSource(Generator(stream, seed=options.seed, rate=options.rate), options.history, self.now)


adapter = DemoAdapter()
