"""Rows that did not count made to count: which, in how many commits, and what stays as it was."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes.source import ScriptedSource
from tests.fakes.streams import COLUMNS, RULES, a_stream, an_aggregate
from tusk_platform.core import transactions
from tusk_platform.core.schema import raw_schema
from tusk_platform.jobs.ingest import Until, ingest
from tusk_platform.jobs.replay import ReplayReport, replay
from tusk_platform.plan.nodes import Aggregate, Column, Plan, Session, Sliding, Tumbling
from tusk_platform.ports import Batch, Budget, Position
from tusk_platform.storage.duck import query
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.raw_rows import Came
from tusk_platform.units import DAY, MINUTE, SECOND

NOW = 1_704_110_400 * SECOND
LENIENT = tuple(r for r in RULES if r.kind != "range")


class Bench:
    """One stream with its plan, its source and its lake."""

    def __init__(self, home: Home) -> None:
        self.source = ScriptedSource("0", "1")
        self.lake = Lake(home.lake)
        self.now = NOW
        self.stream = a_stream(deduplicate=True)
        self.aggregates: tuple[Aggregate, ...] = (an_aggregate(),)

    @property
    def plan(self) -> Plan:
        return Plan("shop.tsk", streams=(self.stream,), aggregates=self.aggregates)

    def send(self, *payloads: bytes, partition: str = "0") -> None:
        self.source.append(payloads, partition=partition)
        ingest(
            self.stream, self.aggregates, self.source, self.lake, clock=lambda: self.now, until=Until(once=True)
        )  # fmt: skip
        self.now += SECOND

    def replay(self, **more: Any) -> ReplayReport:  # noqa: ANN401 - the job's own options
        return replay(self.plan, self.stream, self.lake, clock=lambda: self.now, **more)

    def rows(self, table: str = "raw.orders") -> list[tuple[Any, ...]]:
        """Batch, partition, offset, status and id of the rows of a view."""
        sql = f"select _batch, _partition, _offset, _status, event_id from {table} order by _partition, _offset"
        return [tuple(row.values()) for row in query(self.lake, self.plan, sql).to_pylist()]

    def commits(self) -> int:
        return self.lake.open("raw.orders").version


class Keyed(ScriptedSource):
    """Records with something beside each."""

    beside = ""

    def read(self, position: Position, budget: Budget) -> Batch:
        batch = super().read(position, budget)
        return Batch(tuple(replace(c, beside=[self.beside] * len(c.offsets)) for c in batch.chunks), batch.at_end)


@pytest.fixture
def bench(home: Home) -> Bench:
    return Bench(home)


def event(name: str, at: int = NOW, **more: object) -> bytes:
    return json.dumps({"timestamp": at, "event_id": name, "user_id": 1, "amount": 1, **more}).encode()


def test_rows_that_are_good_by_now_change_sides_in_one_commit(bench: Bench) -> None:
    bench.send(event("a"), event("b", amount=-1), b"junk", event("c", amount=-2))
    bench.send(event("d", amount=-3))
    before = bench.commits()
    bench.stream = a_stream(deduplicate=True, rules=LENIENT)
    report = bench.replay()

    assert report == ReplayReport(
        "orders", "quarantined", replayed=3, still_bad=1, reasons={"undecodable": 1}, batches=1
    )
    assert bench.commits() == before + 1
    assert bench.rows() == [
        (1, "0", 0, "ok", "a"), (3, "0", 1, "ok", "b"), (1, "0", 2, "quarantined", None), (3, "0", 3, "ok", "c"),
        (3, "0", 4, "ok", "d"),
    ]  # fmt: skip
    mended = query(bench.lake, bench.plan, "select * from raw.orders where _batch = 3 order by _offset").to_pylist()
    assert {(r["_watermark"], r["_reason"], r["_payload"], int(r["amount"])) for r in mended} == {
        (None, None, None, n) for n in (-1, -2, -3)
    }
    assert [r["_ingested_at"].timestamp() for r in mended] == [NOW / SECOND, NOW / SECOND, NOW / SECOND + 1]


def test_what_stood_beside_a_payload_stays_with_the_row(bench: Bench) -> None:
    beside = {"_key": "k", "_headers": {"trace": "t"}}
    bench.source = Keyed("0")
    bench.source.beside = json.dumps(beside)
    bench.send(event("b", amount=-1, more="x"))
    bench.stream = a_stream(deduplicate=True, rules=LENIENT)
    bench.replay()

    [row] = query(bench.lake, bench.plan, "select _extra from clean.orders").to_pylist()
    assert json.loads(row["_extra"]) == {"more": "x", **beside}


def test_second_replay_finds_only_what_is_still_bad(bench: Bench) -> None:
    bench.send(event("b", amount=-1), b"junk")
    bench.stream = a_stream(deduplicate=True, rules=LENIENT)
    bench.replay()
    before = bench.commits()
    report = bench.replay()

    assert (report.replayed, report.still_bad, report.batches) == (0, 1, 0)
    assert bench.commits() == before


def test_dry_run_counts_and_changes_nothing(bench: Bench) -> None:
    bench.send(event("b", amount=-1), event("c", amount="many"))
    before = bench.rows(), bench.commits()
    bench.stream = a_stream(deduplicate=True, rules=LENIENT)
    report = bench.replay(dry_run=True)

    assert (report.replayed, report.still_bad, report.reasons) == (1, 1, {"type:amount": 1})
    assert (bench.rows(), bench.commits()) == before


def test_bounds_are_those_of_arrival(bench: Bench) -> None:
    for name in "abc":
        bench.send(event(name, amount=-1))
    bench.stream = a_stream(deduplicate=True, rules=LENIENT)
    report = bench.replay(came=Came(since=NOW + SECOND, until=NOW + 2 * SECOND))

    assert report.replayed == 1
    assert [row[4] for row in bench.rows("quarantine.orders")] == ["a", "c"]


def test_ingest_goes_on_after_a_replay_where_it_was(bench: Bench) -> None:
    bench.send(event("a"), event("b", amount=-1))
    bench.stream = a_stream(deduplicate=True, rules=LENIENT)
    bench.replay()
    bench.send(event("c"))

    assert bench.rows() == [(1, "0", 0, "ok", "a"), (2, "0", 1, "ok", "b"), (3, "0", 2, "ok", "c")]


def test_column_whose_type_changed_is_read_in_its_new_type(bench: Bench) -> None:
    bench.send(event("a", amount=2), event("b", amount="2.5 EUR"))
    words = tuple(Column("amount", "string") if c.name == "amount" else c for c in COLUMNS)
    bench.stream = a_stream(deduplicate=True, columns=words, rules=())
    assert bench.lake.retype("raw.orders", raw_schema(bench.stream))
    report = bench.replay()

    assert report.replayed == 1
    found = query(bench.lake, bench.plan, "select event_id, amount from clean.orders order by 1").to_pylist()
    assert found == [{"event_id": "a", "amount": "2.0000"}, {"event_id": "b", "amount": "2.5 EUR"}]


# -- Late rows --------------------------------------------------------------------------------------------------------


def late(bench: Bench, *names: str, partition: str = "0") -> None:
    """Events an hour and a half behind the watermark."""
    bench.send(*[event(name, NOW - 90 * MINUTE) for name in names], partition=partition)


def test_late_rows_count_from_now_on(bench: Bench) -> None:
    bench.send(event("a"), event("z"), partition="1")
    bench.send(event("b"))
    late(bench, "c", "d")
    bench.send(event("e"))
    assert [row[4] for row in bench.rows("late.orders")] == ["c", "d"]
    before = bench.commits()
    report = bench.replay(what="late")

    assert report == ReplayReport("orders", "late", replayed=2, batches=1)
    assert bench.commits() == before + 1
    assert bench.rows("late.orders") == []
    assert [(row[0], row[4]) for row in bench.rows() if row[0] == 5] == [(5, "c"), (5, "d")]
    assert bench.replay(what="late").replayed == 0


def test_what_repeats_a_late_row_still_repeats_it(bench: Bench) -> None:
    bench.send(event("a"), partition="1")
    bench.send(event("b"))
    late(bench, "c")
    late(bench, "c", "b")
    report = bench.replay(what="late")

    # Both copies of `c` move and the first stays first; the late copy of `b` is far from it in time, so its own event.
    assert report.replayed == 3
    counting = query(bench.lake, bench.plan, "select event_id, _offset from clean.orders order by 2").to_pylist()
    assert [(r["event_id"], r["_offset"]) for r in counting if r["event_id"] == "c"] == [("c", 1)]


def test_repeat_of_an_event_in_time_stays_as_it_is(bench: Bench) -> None:
    bench.send(event("a", NOW), partition="1")
    bench.send(event("b", NOW - 5 * MINUTE), event("c"))
    bench.send(event("b", NOW - 5 * MINUTE))
    report = bench.replay(what="late")

    assert [row[4] for row in bench.rows("late.orders")] == ["b"]
    assert report.replayed == 0


# -- What raw does not hold whole any more ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("window", "harmless"),
    [
        (Tumbling(MINUTE), [5, 6, 7]),
        (Sliding(3 * MINUTE, MINUTE), [7]),
        (Session(MINUTE, 2 * MINUTE), [7]),
    ],
    ids=["tumbling", "sliding", "session"],
)
def test_rows_of_windows_that_raw_does_not_hold_whole_stay(
    bench: Bench, window: Tumbling | Sliding | Session, harmless: list[int]
) -> None:
    bench.aggregates = (an_aggregate(window),)
    bench.send(*[event(f"e{minute}", NOW + minute * MINUTE, amount=-1) for minute in range(8)])
    trimmed = NOW + 4 * MINUTE
    bench.lake.open("raw.orders").delete("_offset = 99", {transactions.trimmed("orders"): trimmed})
    bench.stream = a_stream(deduplicate=True, rules=LENIENT)
    report = bench.replay()

    assert [row[4] for row in bench.rows() if row[3] == "ok"] == [f"e{minute}" for minute in harmless]
    assert (report.replayed, report.too_old, report.still_bad) == (len(harmless), 8 - len(harmless), 0)


def test_times_of_a_retired_row_are_not_forgotten(bench: Bench) -> None:
    bench.send(event("far", NOW + 2 * DAY))
    assert (
        query(bench.lake, bench.plan, "select _reason from quarantine.orders")
        .to_pylist()[0]["_reason"]
        .startswith("event time too far ahead")
    )
    bench.now += 2 * DAY
    assert bench.replay().replayed == 1
    found = query(bench.lake, bench.plan, "select _event_time from clean.orders").to_pylist()

    assert found == [{"_event_time": dt.datetime.fromtimestamp(NOW / SECOND, dt.UTC) + dt.timedelta(days=2)}]
