"""Events of a span read again: only what raw lacks, only of the span, and no position moves."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.fakes.source import ScriptedSource
from tests.fakes.streams import a_stream, an_aggregate
from tests.unit.jobs.test_replay import Bench, event
from tusk_platform.core import transactions
from tusk_platform.errors import UsageError
from tusk_platform.jobs.backfill import Fetched, Span, fetch
from tusk_platform.plan.nodes import DEMO_PARTITION
from tusk_platform.ports import Changes, Chunk
from tusk_platform.storage.duck import query
from tusk_platform.storage.home import Home
from tusk_platform.units import MINUTE, SECOND

NOW = 1_704_110_400 * SECOND
SPAN = Span(NOW + 2 * MINUTE, NOW + 5 * MINUTE)


@pytest.fixture
def bench(home: Home) -> Bench:
    return Bench(home)


def trimmed(bench: Bench, minute: int) -> None:
    """Raw without what happened before a minute, as retention leaves it."""
    before = dt.datetime.fromtimestamp(NOW / SECOND, dt.UTC) + dt.timedelta(minutes=minute)
    at = NOW + minute * MINUTE - 1
    bench.lake.open("raw.orders").delete(f"_event_time < '{before.isoformat()}'", {transactions.trimmed("orders"): at})


def fetched(bench: Bench, span: Span = SPAN) -> Fetched:
    source = ScriptedSource("0", "1")
    source._partitions = bench.source._partitions
    return fetch(bench.plan, bench.stream, source, bench.lake, span, clock=lambda: bench.now)


def positions(bench: Bench) -> dict[str, int | None]:
    raw = bench.lake.open("raw.orders")
    names = [transactions.position("orders", p) for p in ("0", "1")]
    return {n: raw.transaction(n) for n in [*names, transactions.watermark("orders")]}


def test_only_what_raw_lacks_of_the_span_is_added(bench: Bench) -> None:
    bench.send(*[event(f"e{m}", NOW + m * MINUTE) for m in range(8)])
    bench.send(*[event(f"f{m}", NOW + m * MINUTE, amount=-1) for m in range(8)], partition="1")
    trimmed(bench, 4)
    before = positions(bench)
    bench.source.append([event("later", NOW + 3 * MINUTE)])
    done = fetched(bench)

    # Of the first partition what happened in minutes 2 and 3; of the second too, and it is as bad as it was.
    assert done == Fetched(read=16, added=4, quarantined=2, batches=1)
    assert positions(bench) == before
    added = [row for row in bench.rows() if row[0] == 3]
    assert [(row[1], row[2], row[3]) for row in added] == [
        ("0", 2, "ok"), ("0", 3, "ok"), ("1", 2, "quarantined"), ("1", 3, "quarantined"),
    ]  # fmt: skip
    again = fetched(bench)
    assert (again.added, again.batches) == (0, 0)


def test_added_rows_always_count(bench: Bench) -> None:
    bench.send(event("z", NOW + 9 * MINUTE), partition="1")
    bench.send(*[event(f"e{m}", NOW + m * MINUTE) for m in range(8)])
    trimmed(bench, 4)
    fetched(bench)
    bench.send(event("next", NOW + 9 * MINUTE))

    found: list[dict[str, Any]] = query(
        bench.lake, bench.plan, "select event_id, _watermark from raw.orders where _batch > 2 order by _batch, _offset"
    ).to_pylist()
    assert [(r["event_id"], r["_watermark"] is None) for r in found] == [("e2", True), ("e3", True), ("next", False)]


def test_records_that_are_gone_are_not_waited_for(bench: Bench) -> None:
    bench.send(*[event(f"e{m}", NOW + m * MINUTE) for m in range(4)])
    log = bench.source._partitions["0"]
    log.offsets, log.payloads, log.arrivals = [], [], []

    assert fetched(bench) == Fetched()


def test_what_stood_beside_the_first_records_stays_with_them() -> None:
    beside = [f'{{"_key":"k{n}"}}' for n in range(3)]
    changes = Changes(["insert"] * 3, [1, 2, 3], ["[1]", "[2]", "[3]"])
    chunk = Chunk("0", [0, 1, 2], 3, [b"{}"] * 3, arrivals=[1, 2, 3], changes=changes, beside=beside).first(2)

    assert chunk.beside == beside[:2]
    assert chunk.changes == Changes(["insert"] * 2, [1, 2], ["[1]", "[2]"])
    assert {len(column or ()) for column in (chunk.offsets, chunk.payloads, chunk.arrivals)} == {2}


def test_made_up_events_are_not_made_up_again(bench: Bench) -> None:
    bench.stream = a_stream(demo=True)
    bench.aggregates = (an_aggregate(),)
    bench.source = ScriptedSource(DEMO_PARTITION)
    bench.send(event("e", NOW), partition=DEMO_PARTITION)
    source = ScriptedSource(DEMO_PARTITION)

    with pytest.raises(UsageError, match="made-up events only"):
        fetch(bench.plan, bench.stream, source, bench.lake, SPAN, clock=lambda: NOW)
