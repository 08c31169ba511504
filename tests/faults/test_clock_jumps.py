"""The wall clock is put forward and back while events come: nothing waits for it, and no watermark goes back."""

from __future__ import annotations

import json

import pytest

from tests.fakes.source import ScriptedSource
from tests.fakes.streams import a_stream
from tusk_platform.core.watermark import Clocks, Progress
from tusk_platform.jobs.ingest import IngestReport, Until, ingest
from tusk_platform.ports import Batch, Budget, Position
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.units import DAY, HOUR, MINUTE, SECOND

NOW = 1_800_000_000 * SECOND


class Clock:
    """A wall clock that a test sets; waiting takes its time."""

    def __init__(self) -> None:
        self.now = NOW
        self.waited = 0.0

    def __call__(self) -> int:
        self.now += SECOND // 100
        return self.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.waited += seconds
        self.now += round(seconds * SECOND)


class Jumping(ScriptedSource):
    """A source during whose reads the clock is set to another time."""

    def __init__(self, clock: Clock, jumps: list[int]) -> None:
        super().__init__("0")
        self._clock = clock
        self._jumps = jumps
        self.number = 0

    def read(self, position: Position, budget: Budget) -> Batch:
        """Ten more events, and another time."""
        self.append([event(self.number + n) for n in range(10)])
        self.number += 10
        if self._jumps:
            self._clock.now += self._jumps.pop(0)
        return super().read(position, budget)


def event(number: int) -> bytes:
    """A numbered event, a second after the one before it."""
    at = (NOW - DAY + number * SECOND) // SECOND
    return json.dumps({"event_id": str(number), "timestamp": at, "user_id": "u"}).encode()


def taken(home: Home, jumps: list[int], seconds: int) -> tuple[IngestReport, Clock, int]:
    """What a call of so many seconds brings in while the clock jumps; the clock, and how many events were read."""
    clock = Clock()
    source = Jumping(clock, jumps)
    until = Until(deadline=NOW + seconds * SECOND)
    report = ingest(a_stream(), (), source, Lake(home.lake), clock=clock, until=until, sleep=clock.wait)
    return report, clock, source.number


@pytest.mark.parametrize("jump", [-HOUR, -DAY, HOUR, DAY])
def test_call_ends_in_its_time_though_the_clock_jumps(home: Home, jump: int) -> None:
    report, clock, read = taken(home, [0, 0, jump], seconds=20)

    assert clock.now - NOW - jump < 21 * SECOND
    assert report.rows + report.quarantined == read
    assert report.position == {"0": read}


def test_commits_do_not_wait_for_a_clock_that_was_put_back(home: Home) -> None:
    """A commit comes each second, so a call of twenty makes about twenty of them."""
    undisturbed, _, _ = taken(Home(home.root / "a"), [], seconds=20)
    report, _, read = taken(Home(home.root / "b"), [0, -HOUR, 0, -HOUR], seconds=20)

    assert undisturbed.batches - report.batches <= 2
    assert report.rows + report.quarantined == read


def test_watermark_stays_where_it_was_when_the_clock_is_put_back(home: Home) -> None:
    report, _, read = taken(home, [0, -DAY], seconds=5)

    assert report.watermark == NOW - DAY + (read - 1) * SECOND


def test_partition_is_idle_though_it_was_active_in_a_future_that_did_not_come() -> None:
    clocks = Clocks({"0": Progress(10, NOW + DAY, at_end=True), "1": Progress(90, NOW)}, watermark=10)
    back = clocks.with_read({"1"}, {"1": 95}, {"0"}, NOW)
    later = back.with_read({"1"}, {"1": 99}, {"0"}, NOW + MINUTE)

    assert back.with_watermark(NOW, MINUTE).watermark == 10
    assert later.with_watermark(NOW + MINUTE, MINUTE).watermark == 99
