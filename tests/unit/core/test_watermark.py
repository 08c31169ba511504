from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from tusk_platform.core.watermark import Clocks, Progress, advanced
from tusk_platform.plan.nodes import END_OF_TIME

TIMEOUT = 60
PARTITIONS = ("a", "b", "c")


@dataclass
class Plain:
    """The rule as it is written: all reads are kept, and everything is looked up in them again each time."""

    reads: list[tuple[int, dict[str, list[int]], set[str]]] = field(default_factory=list)
    watermark: int | None = None

    def read(self, now: int, times: dict[str, list[int]], at_end: set[str]) -> None:
        self.reads.append((now, times, at_end))
        active = [p for p in PARTITIONS if not (self.caught_up(p) and now - self.last_record(p) >= TIMEOUT)]
        newest = [max((t for _, ts, _ in self.reads for t in ts.get(p, ())), default=None) for p in active]
        known = [t for t in newest if t is not None]
        if known and len(known) == len(newest):
            self.watermark = max(min(known), self.watermark if self.watermark is not None else min(known))

    def last_record(self, partition: str) -> int:
        return max((now for now, times, _ in self.reads if times.get(partition)), default=0)

    def caught_up(self, partition: str) -> bool:
        for _, times, at_end in reversed(self.reads):
            if partition in at_end:
                return True
            if times.get(partition):
                return False
        return False


READS = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.dictionaries(st.sampled_from(PARTITIONS), st.lists(st.integers(0, 500), min_size=1, max_size=3)),
        st.sets(st.sampled_from(PARTITIONS)),
    ),
    max_size=25,
)


@settings(max_examples=200, deadline=None)
@given(READS)
def test_watermark_is_what_the_plain_rule_says(reads: list[tuple[int, dict[str, list[int]], set[str]]]) -> None:
    plain, clocks, now = Plain(), Clocks().with_partitions(PARTITIONS, 0), 0
    for step, times, at_end in reads:
        now += step
        plain.read(now, times, at_end)
        before = clocks.watermark
        newest = {p: max(ts) for p, ts in times.items()}
        clocks = clocks.with_read(times, newest, at_end, now).with_watermark(now, TIMEOUT)

        assert clocks.watermark == plain.watermark
        assert before is None or (clocks.watermark is not None and clocks.watermark >= before)


def clocks(watermark: int | None = None, **partitions: tuple[int | None, int, bool]) -> Clocks:
    return Clocks({name: Progress(*known) for name, known in partitions.items()}, watermark)


def test_partition_without_any_event_holds_the_watermark() -> None:
    known = clocks(40, a=(70, 0, False), b=(None, 0, True))

    assert advanced(known, 59, TIMEOUT) == 40
    assert advanced(known, 60, TIMEOUT) == 70


def test_silent_partition_that_lags_is_not_idle() -> None:
    assert advanced(clocks(10, a=(70, 1_000, False), b=(20, 0, False)), 1_000, TIMEOUT) == 20


def test_all_idle_keeps_the_watermark() -> None:
    assert advanced(clocks(10, a=(70, 0, True), b=(20, 0, True)), 1_000, TIMEOUT) == 10


def test_idle_partition_returns_and_takes_nothing_back() -> None:
    known = clocks(None, a=(30, 100, False), b=(1, 0, True)).with_watermark(100, TIMEOUT)
    returned = known.with_read(["b"], {"b": 5}, [], 101).with_watermark(101, TIMEOUT)

    assert (known.watermark, returned.watermark) == (30, 30)


def test_partition_new_after_a_restart_counts_as_active_from_now() -> None:
    known = clocks(10, a=(70, 0, False)).with_partitions(["a", "b"], 500)

    assert known.partitions["b"] == Progress(None, 500)
    assert advanced(known, 500, TIMEOUT) == 10


def test_only_the_named_partitions_count_when_some_are_named() -> None:
    assert clocks(None, a=(70, 0, False), b=(None, 0, False)).with_watermark(0, TIMEOUT, {"a"}).watermark == 70


def test_replay_ends_time_when_all_is_read() -> None:
    reading = clocks(None, a=(70, 0, True), b=(20, 0, False)).with_end()
    over = reading.with_read([], {}, ["b"], 0).with_end()

    assert (reading.watermark, over.watermark) == (None, END_OF_TIME)
