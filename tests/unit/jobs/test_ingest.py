from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.source import ScriptedSource
from tests.fakes.streams import a_stream, an_aggregate
from tusk_platform.core import transactions
from tusk_platform.errors import Unavailable
from tusk_platform.jobs.ingest import Committed, IngestReport, Until, ingest
from tusk_platform.plan.nodes import END_OF_TIME, NO_WATERMARK, Aggregate, Stream
from tusk_platform.plan.profile import Runtime
from tusk_platform.ports import Batch, Budget, Position
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.units import MINUTE, SECOND

NOW = 1_704_110_400 * SECOND
ONCE = Until(once=True)
RETIRED = 2**62


class Clock:
    """A wall clock that goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += max(1, round(seconds * SECOND))


class Bench:
    """One stream, its source and its lake, and what can be asked about them."""

    def __init__(self, home: Home, stream: Stream | None = None) -> None:
        self.stream = stream or a_stream()
        self.source = ScriptedSource("0")
        self.lake = Lake(home.lake)
        self.clock = Clock()
        self.aggregates: tuple[Aggregate, ...] = (an_aggregate(),)

    def ingest(self, until: Until = ONCE, **more: Any) -> IngestReport:  # noqa: ANN401 - the job's own options
        more = {"source": self.source, "lake": self.lake, "sleep": self.clock.sleep, "clock": self.clock, **more}
        return ingest(self.stream, self.aggregates, until=until, **more)

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of all rows, in the order in which they were committed."""
        table = DeltaTable(self.lake.path(self.stream.table)).to_pyarrow_table()
        ordered = table.sort_by([("_batch", "ascending"), ("_partition", "ascending"), ("_offset", "ascending")])
        return list(zip(*(ordered.column(c).to_pylist() for c in columns), strict=True))

    def stored(self, app: str) -> int | None:
        """What the lake has under a transaction id."""
        return self.lake.open(self.stream.table).transaction(app)


@pytest.fixture
def bench(home: Home) -> Bench:
    return Bench(home)


def event(number: int, at: int = NOW, **more: object) -> bytes:
    values: Mapping[str, object] = {"timestamp": at, "event_id": f"e{number}", "user_id": number, "amount": 1, **more}
    return json.dumps(values).encode()


def micros(value: Any) -> int | None:  # noqa: ANN401 - a datetime, or None
    return None if value is None else round(value.timestamp() * SECOND)


def test_good_and_bad_events_arrive_in_one_commit(bench: Bench) -> None:
    bench.source.append([event(1), b"junk", event(2, amount=-1)])
    report = bench.ingest()

    assert report == IngestReport(
        "orders", rows=1, quarantined=2, batches=1, position={"0": 3}, watermark=NOW, lag=0, late=0, duplicates=0
    )
    assert bench.rows("_batch", "_offset", "_status", "event_id") == [
        (1, 0, "ok", "e1"), (1, 1, "quarantined", None), (1, 2, "quarantined", "e2"),
    ]  # fmt: skip
    assert bench.source.acknowledged == {"0": 3}
    assert {a: bench.stored(a) for a in ("orders/0", "orders/0/time", "orders/watermark", "orders/batch")} == {
        "orders/0": 3, "orders/0/time": NOW, "orders/watermark": NOW, "orders/batch": 1,
    }  # fmt: skip


def test_second_call_reads_only_what_is_new(bench: Bench) -> None:
    bench.source.append([event(1)])
    bench.ingest()
    idle = bench.ingest()
    bench.source.append([event(2)])
    report = bench.ingest()

    assert (idle.rows, idle.batches, idle.position) == (0, 0, {"0": 1})
    assert (report.rows, report.batches) == (1, 1)
    assert bench.rows("_batch", "event_id") == [(1, "e1"), (2, "e2")]


def test_nothing_new_makes_no_commit(bench: Bench) -> None:
    bench.source.append([event(1)])
    bench.ingest()
    before = bench.lake.open("raw.orders").version
    bench.ingest()

    assert bench.lake.open("raw.orders").version == before


def test_position_moves_on_without_any_event(bench: Bench) -> None:
    bench.source.append([event(1)])
    bench.ingest()
    bench.source.append([], gap=5)
    bench.source.append([event(2)], gap=5)
    report = bench.ingest()

    assert report.position == {"0": 12}
    assert bench.rows("_offset") == [(0,), (11,)]


class Crash(BaseException):
    """The end of a process, as far as one process can have several."""


class CrashingSource(ScriptedSource):
    """Dies at some of its reads (nothing of the batch is committed) and acknowledgements (all of it is)."""

    def __init__(self, *partitions: str, reads: set[int], acknowledgements: set[int]) -> None:
        super().__init__(*partitions)
        self.deadly = {"read": reads, "acknowledge": acknowledgements}
        self.calls = {"read": 0, "acknowledge": 0}

    def count(self, call: str) -> None:
        self.calls[call] += 1
        if self.calls[call] in self.deadly[call]:
            raise Crash

    def read(self, position: Position, budget: Budget) -> Batch:
        self.count("read")
        return super().read(position, budget)

    def acknowledge(self, position: Position) -> None:
        self.count("acknowledge")
        super().acknowledge(position)


PAYLOADS = st.integers(0, 99).map(event) | st.sampled_from([b"junk", b"", b"[]", event(1, user_id="x"), event(2, at=1)])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    published=st.lists(st.tuples(st.sampled_from("012"), st.lists(PAYLOADS, max_size=6)), min_size=1, max_size=5),
    reads=st.sets(st.integers(1, 12)),
    acknowledgements=st.sets(st.integers(1, 6)),
    rows=st.integers(1, 9),
)
def test_every_event_is_there_once_whatever_dies_when(
    tmp_path_factory: pytest.TempPathFactory,
    published: list[tuple[str, list[bytes]]],
    reads: set[int],
    acknowledgements: set[int],
    rows: int,
) -> None:
    bench = Bench(Home(tmp_path_factory.mktemp("home")))
    bench.source = CrashingSource("0", "1", "2", reads=reads, acknowledgements=acknowledgements)
    produced: list[tuple[str, int, bytes]] = []
    for partition, payloads in published:
        end = bench.source.append(payloads, partition=partition)
        produced += [(partition, end - len(payloads) + i, p) for i, p in enumerate(payloads)]
        until_done(bench, Runtime(batch_rows=rows, commit_interval=0))

    found = bench.rows("_partition", "_offset", "_status", "event_id", "_payload")
    assert sorted(r[:2] for r in found) == sorted(p[:2] for p in produced)
    sent = {(partition, offset): payload for partition, offset, payload in produced}
    for partition, offset, status, event_id, payload in found:
        was = sent[partition, offset]
        assert payload == was if status != "ok" else json.loads(was)["event_id"] == event_id


def until_done(bench: Bench, runtime: Runtime) -> None:
    """Start again after every crash, as a supervisor does."""
    while True:
        try:
            bench.ingest(runtime=runtime)
        except Crash:
            continue
        return


def test_second_writer_in_between_doubles_nothing(bench: Bench) -> None:
    bench.source.append([event(n) for n in range(6)])
    rival = Bench.__new__(Bench)
    rival.__dict__.update(bench.__dict__)
    one_each = Runtime(batch_rows=1, commit_interval=0)

    def interfere(committed: Committed) -> None:
        if committed.batch in {1, 3}:
            rival.ingest(Until(deadline=bench.clock()), runtime=one_each)

    report = bench.ingest(runtime=one_each, on_batch=interfere)

    assert bench.rows("_batch", "event_id") == [(n + 1, f"e{n}") for n in range(6)]
    assert report.rows == 4


def test_rows_carry_the_watermark_at_which_their_batch_began(home: Home) -> None:
    bench = Bench(home)
    bench.source = ScriptedSource("0", "1")
    for zero, one in ((10, 5), (20, 8), (1, 2)):
        for partition, seconds in (("0", zero), ("1", one)):
            bench.source.append([event(zero, NOW + seconds * SECOND)], partition=partition)
        bench.ingest()

    carried = [(batch, micros(watermark)) for batch, watermark in bench.rows("_batch", "_watermark")]
    assert carried == [(1, None)] * 2 + [(2, NOW + 5 * SECOND)] * 2 + [(3, NOW + 8 * SECOND)] * 2
    assert bench.stored("orders/watermark") == NOW + 8 * SECOND


def test_silent_partition_lets_the_watermark_go_on_across_restarts(home: Home) -> None:
    bench = Bench(home)
    bench.source = ScriptedSource("0", "1")
    bench.source.append([event(1, NOW)])
    bench.ingest()
    bench.clock.now += MINUTE - 1
    bench.source.append([event(2, NOW + SECOND)])
    held = bench.ingest().watermark
    bench.clock.now += 1
    passed = bench.ingest()

    assert held is None
    assert (passed.watermark, passed.batches, bench.stored("orders/watermark")) == (NOW + SECOND, 0, NOW + SECOND)


def test_late_rows_are_those_that_no_aggregate_takes(bench: Bench) -> None:
    bench.aggregates = (an_aggregate(), an_aggregate(lateness=MINUTE, name="patient"))
    bench.source.append([event(1, NOW + 5 * MINUTE)])
    bench.ingest()
    bench.source.append(
        [event(2, NOW), event(3, NOW + 3 * MINUTE), event(4, NOW + 4 * MINUTE), event(5, NOW, amount=-1)]
    )
    report = bench.ingest()

    assert (report.rows, report.quarantined, report.late) == (3, 1, 2)


def test_replay_rows_always_count_and_end_time(home: Home) -> None:
    bench = Bench(home, a_stream(replay=True))
    bench.source.append([event(1, NOW), event(2, NOW - 9 * MINUTE)])
    first = bench.ingest()
    bench.source.append([event(3, NOW - 99 * MINUTE)])
    second = bench.ingest()

    assert (first.watermark, second.watermark, second.late) == (END_OF_TIME, END_OF_TIME, 0)
    assert bench.rows("_watermark") == [(None,)] * 3


def demo_bench(home: Home) -> Bench:
    """A stream that shows generated events, two of which it has."""
    bench = Bench(home, a_stream(demo=True))
    bench.source = ScriptedSource("0", "demo")
    bench.source.append([event(1, NOW), event(2, NOW)], partition="demo")
    return bench


def test_first_real_event_removes_the_generated_ones(home: Home) -> None:
    bench = demo_bench(home)
    demo = bench.ingest()
    bench.source.append([event(7, NOW - MINUTE)])
    bench.source.append([event(3, NOW)], partition="demo")
    real = bench.ingest()

    assert (demo.rows, demo.watermark, demo.position) == (2, NOW, {"demo": 2})
    assert bench.rows("_partition", "event_id", "_watermark") == [("0", "e7", None)]
    assert (real.rows, real.watermark, real.position) == (1, NOW - MINUTE, {"0": 1})
    assert (bench.stored("orders/generation"), bench.stored("orders/demo")) == (1, RETIRED)


def test_generated_events_never_come_back(home: Home) -> None:
    bench = demo_bench(home)
    bench.source.append([event(7)])
    bench.ingest()
    bench.source.append([event(3, NOW)], partition="demo")
    again = bench.ingest()

    assert (again.rows, bench.stored("orders/generation"), bench.stored("orders/demo")) == (0, None, RETIRED)
    assert bench.rows("event_id") == [("e7",)]


def test_death_between_removal_and_first_real_commit_loses_nothing(home: Home) -> None:
    bench = demo_bench(home)
    bench.ingest()
    bench.source.append([event(7, NOW - MINUTE)])
    handle = bench.lake.open("raw.orders")
    handle.delete(
        "_partition = 'demo'",
        {
            transactions.generation("orders"): 1,
            transactions.watermark("orders"): NO_WATERMARK,
            transactions.position("orders", "demo"): RETIRED,
        },
    )
    report = bench.ingest()

    assert (report.rows, report.watermark, bench.stored("orders/generation")) == (1, NOW - MINUTE, 1)
    assert bench.rows("_partition", "_watermark") == [("0", None)]


def test_source_that_comes_back_in_time_is_waited_for(bench: Bench) -> None:
    bench.source.append([event(1)])
    bench.source.fail(times=4)
    report = bench.ingest()

    assert report.rows == 1
    assert NOW < bench.clock.now < NOW + 30 * SECOND


def test_source_that_stays_away_is_reported_and_what_was_read_is_kept(bench: Bench) -> None:
    bench.source.append([event(1)])
    with pytest.raises(Unavailable, match=r"stream `orders`: gone; 1 batches were committed before, nothing is lost"):
        bench.ingest(Until(deadline=NOW + 5 * SECOND), on_batch=lambda _: bench.source.fail("gone", times=10_000))

    assert bench.rows("event_id") == [("e1",)]
    assert bench.clock.now == NOW + 5 * SECOND


class FlakyLake(Lake):
    """A lake whose store fails at some openings."""

    failing = 0

    def open(self, table: str) -> Any:  # noqa: ANN401 - as the lake's own
        if self.failing:
            self.failing -= 1
            raise Unavailable("the store does not answer")
        return super().open(table)


def test_lake_that_fails_for_a_while_loses_nothing(home: Home) -> None:
    bench = Bench(home)
    lake = FlakyLake(home.lake)
    bench.source.append([event(1), event(2)])
    lake.failing = 3
    report = bench.ingest(lake=lake)

    assert (report.rows, len(bench.rows("event_id"))) == (2, 2)


def test_stop_signal_ends_after_the_batch_in_hand(bench: Bench) -> None:
    bench.source.append([event(n) for n in range(5)])
    done: list[Committed] = []
    report = bench.ingest(
        Until(stopping=lambda: bool(done)), on_batch=done.append, runtime=Runtime(batch_rows=2, commit_interval=0)
    )

    assert (report.rows, report.lag, [d.rows for d in done]) == (2, 3, [2])


def test_polls_of_one_interval_are_one_commit(bench: Bench) -> None:
    bench.source.append([event(n) for n in range(50)])
    report = bench.ingest(Until(deadline=NOW + 3 * SECOND), runtime=Runtime(batch_rows=10))

    assert (report.rows, report.batches) == (50, 1)


def test_duplicates_are_counted_once_over_all_batches(bench: Bench) -> None:
    asked: list[tuple[int, int]] = []

    def count(first: int, last: int) -> int:
        asked.append((first, last))
        return 7

    bench.source.append([event(n) for n in range(3)])
    report = bench.ingest(runtime=Runtime(batch_rows=1, commit_interval=0), duplicates=count)

    assert (report.duplicates, asked) == (7, [(1, 3)])


def test_derived_columns_are_computed_on_the_way(home: Home) -> None:
    stream = a_stream(expressions={"event_id": "user_id + 1"})
    bench = Bench(home, stream)
    bench.source.append([event(1)])

    def derive(table: pa.Table) -> pa.Table:
        ids = [str(u + 1) for u in table.column("user_id").to_pylist()]
        return pa.table({"event_id": ids, "_failed": pa.nulls(len(ids), pa.string())})

    bench.ingest(derive=derive)

    assert bench.rows("event_id") == [("2",)]
