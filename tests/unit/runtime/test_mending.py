"""A span read again from its source: nothing outside is touched, and no window is replaced by a part of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.runtime.test_apply import START, Shop, event
from tusk_platform.adapters.change_log import Change, ChangeLog
from tusk_platform.adapters.source_database import adapter
from tusk_platform.core import transactions
from tusk_platform.jobs.backfill import Span
from tusk_platform.jobs.ingest import Until, ingest
from tusk_platform.runtime.duties import refresh_aggregates
from tusk_platform.runtime.images import bring_back_images
from tusk_platform.runtime.mending import backfill_stream
from tusk_platform.runtime.platform import open_platform
from tusk_platform.storage.log import EventLog
from tusk_platform.units import MINUTE

EVER = 2**62
SPAN = Span(START, START + 2 * MINUTE)
ORDERS = """\
connections = { database = { url = "postgresql://nobody@127.0.0.1:9/shop" } }
real_time_analytics = { data_streams = { orders = {
    source = "database", table = "orders", cdc_enabled = true, event_time = "at", schema = { at = "timestamp" }
} } }
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


def trimmed(shop: Shop, minute: int) -> None:
    """Raw without what happened before a minute, as retention leaves it."""
    before = dt.datetime.fromtimestamp(START / 1e6, dt.UTC) + dt.timedelta(minutes=minute)
    at = START + minute * MINUTE - 1
    shop.open().lake.open("raw.orders").delete(
        f"_event_time < '{before.isoformat()}'", {transactions.trimmed("orders"): at}
    )


@pytest.mark.slow
@pytest.mark.parametrize(("forgotten", "left"), [(0, None), (1, START + 2 * MINUTE)])
def test_windows_of_which_the_source_has_forgotten_something_stay(shop: Shop, forgotten: int, left: int | None) -> None:
    platform = shop.sell(*[event(m) for m in (0, 0, 1, 2)])
    refresh_aggregates(platform, ["sales"], command="test")
    before = shop.rows("select window_start, n from agg.sales order by 1")
    trimmed(shop, 2)
    with closing(EventLog(platform.home.log, "orders")) as log:
        log.trim(EVER, through=forgotten)
    if not forgotten:
        platform.lake.open("agg.sales").delete("event_count > 0", {})
    stream = platform.plan.stream("orders")
    report = backfill_stream(shop.open(), stream, SPAN, from_source=True, command="test")

    assert [(w.left_until, w.rows) for w in report.windows] == [(left, 0 if left else 2)]
    assert shop.rows("select window_start, n from agg.sales order by 1") == before


def test_table_whose_log_was_lost_is_read_on_against_what_the_lake_holds(tmp_path: Path) -> None:
    config = tmp_path / "platform.tsk"
    config.write_text(ORDERS)
    platform = open_platform(config)
    stream, context = platform.plan.stream("orders"), platform.context(platform.plan.stream("orders"))
    changes = ChangeLog(platform.home.log, "orders")
    rows = [f'{{"at":"2026-01-01T00:0{n}:00Z","note":"{n}"}}'.encode() for n in range(3)]
    with closing(platform), closing(changes.log):
        changes.write([Change("snapshot", 1, f"[{n}]", row) for n, row in enumerate(rows)], {"slot": "ours"})
        source = adapter.history(stream, context)
        ingest(stream, (), source, platform.lake, clock=platform.clock, until=Until(once=True))
        source.close()
        changes.log.remove()
        bring_back_images(platform, stream)
        # The first row is as it was, the second another, the third is gone.
        changes.look_through(anew=True)
        changes.see(["[0]", "[1]"])
        changes.write([Change("snapshot", 2, "[0]", rows[0]), Change("snapshot", 2, "[1]", b'{"note":"new"}')], {})
        changes.unseen_are_gone(2, {})
        told = changes.chunk(changes.log.read(0, 10), 6)
        before = changes.log.end()
        bring_back_images(platform, stream)

        assert told.changes is not None
        assert list(told.offsets) == [3, 4, 5]
        assert list(zip(told.changes.ops, told.changes.keys, told.payloads or (), strict=True)) == [
            ("update_preimage", "[1]", rows[1]), ("update_postimage", "[1]", b'{"note":"new"}'),
            ("delete", "[2]", rows[2]),
        ]  # fmt: skip
        assert changes.log.end() == before


def test_log_of_a_table_is_read_again_without_its_receiver(tmp_path: Path) -> None:
    config = tmp_path / "platform.tsk"
    config.write_text(ORDERS)
    platform = open_platform(config)
    stream = platform.plan.stream("orders")
    with closing(platform), closing(ChangeLog(platform.home.log, "orders").log) as log:
        changes = ChangeLog(platform.home.log, "orders")
        row = b'{"at":"2026-01-01T00:00:00Z"}'
        changes.write([Change("snapshot", 1, f"[{n}]", row) for n in range(3)], {"slot": "ours"})
        raw = platform.lake.open("raw.orders")
        raw.append(raw.schema.empty_table(), {transactions.position("orders", "0"): 3})
        log.trim(EVER, through=2)
        report = backfill_stream(platform, stream, SPAN, from_source=True, command="test")
        changes.write([Change("update", 2, "[0]", b'{"at":"2026-01-01T00:01:00Z"}')], {"slot": "ours"})

        assert report.fetched is not None
        assert (report.fetched.read, report.fetched.added, report.fetched.whole) == (1, 1, False)
        assert changes.state() == {"slot": "ours"}
        # The image is still there, so what the change takes back is told.
        assert len(log.read(3, 10)) == 2
        changes.log.close()
