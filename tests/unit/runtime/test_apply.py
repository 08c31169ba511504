"""A changed config over tables with rows: what moves, what stays, what is refused and leaves everything as it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tusk_platform.cli.against import compare
from tusk_platform.cli.difference_page import difference_page
from tusk_platform.compile import load_plan
from tusk_platform.core import transactions
from tusk_platform.core.catalog import definition, query_definition
from tusk_platform.core.schema import aggregate_schema
from tusk_platform.errors import Held, Refused, Unavailable
from tusk_platform.jobs.ingest import Until
from tusk_platform.plan.difference import difference
from tusk_platform.plan.impact import impact
from tusk_platform.plan.page import as_json
from tusk_platform.runtime.applied import pending, read_applied
from tusk_platform.runtime.apply import Applying
from tusk_platform.runtime.duties import ingest_stream, refresh_aggregates, refresh_due
from tusk_platform.runtime.platform import Platform, open_platform
from tusk_platform.runtime.publishing import publish_events
from tusk_platform.storage.aggregate_table import moment
from tusk_platform.storage.duck import query
from tusk_platform.storage.lease import hold

CONFIG = """\
demo = false
real_time_analytics = { data_streams = {
    orders = { source = "http", event_time = "at", schema = { at = "timestamp", shop = "string" } }
    visits = { source = "http", event_time = "at", schema = { at = "timestamp" } }
} }
real_time_aggregations = {
    sales = { stream = "orders", dimensions = ["shop"], metrics = { n = "count" }, window = "1 minute" }
}
"""
START = 1_767_225_600_000_000  # 2026-01-01
MINUTE = 60_000_000
DROP = Applying("test", allow_drop=True)


class Shop:
    """A config in a folder of its own, opened as often as it changes."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "platform.tsk"
        self.opened: list[Platform] = []
        self.write(CONFIG)

    def write(self, text: str) -> None:
        self.config.write_text(text)

    def change(self, *pairs: tuple[str, str]) -> None:
        text = self.config.read_text()
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        self.write(text)

    def open(self, who: Applying | None = None) -> Platform:
        self.opened.append(open_platform(self.config, who or Applying("test")))
        return self.opened[-1]

    def sell(self, *events: dict[str, Any], stream: str = "orders") -> Platform:
        platform = self.open()
        node = platform.plan.stream(stream)
        publish_events(platform, node, [json.dumps(e).encode() for e in events])
        ingest_stream(platform, node, Until(once=True), command="test")
        return platform

    def rows(self, sql: str) -> list[dict[str, Any]]:
        platform = open_platform(self.config, reading=True)
        found: list[dict[str, Any]] = query(platform.lake, platform.plan, sql).to_pylist()
        return found

    def close(self) -> None:
        for platform in self.opened:
            platform.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.close()


def event(minute: int, shop: object = "a", **more: object) -> dict[str, Any]:
    return {"at": moment(START + minute * MINUTE).isoformat(), "shop": shop, **more}


def computed(platform: Platform, name: str = "sales", minutes: int = 3) -> None:
    """Windows in an aggregate's table as a refresh leaves them."""
    aggregate = platform.plan.aggregate(name)
    stream = platform.plan.stream(aggregate.stream)
    starts = [moment(START + n * MINUTE) for n in range(minutes)]
    rows = pa.table({
        "window_start": starts, "window_end": [moment(START + (n + 1) * MINUTE) for n in range(minutes)],
        "shop": ["a"] * minutes, "event_count": [1] * minutes, "n": [1] * minutes, "updated_at": starts,
        "_window_date": [s.date() for s in starts],
    })  # fmt: skip
    schema = aggregate_schema(aggregate, stream)
    platform.lake.open(aggregate.table).append(
        pa.table([rows[f.name].cast(f.type) for f in schema], schema=schema),
        {
            transactions.refreshed(name): platform.lake.open(stream.table).transaction(transactions.batch(stream.name))
            or 0,
            transactions.refreshed_generation(name): 0,
            transactions.definition(name): definition(platform.plan, aggregate),
        },
    )


def state(folder: Path) -> dict[str, bytes]:
    """Every file of the lake, and the plan applied last."""
    files = [*sorted((folder / ".tusk" / "lake").rglob("*")), folder / ".tusk" / "applied.json"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.is_file()}


def test_new_column_is_filled_from_rows_that_are_there(shop: Shop) -> None:
    shop.sell(event(0, amount=1.5, note="x"))
    shop.change(('shop = "string" }', 'shop = "string", amount = "decimal", note = "string" }'))
    shop.sell(event(1, amount=2.5))

    assert [(float(r["amount"]), r["note"]) for r in shop.rows("select * from clean.orders order by _event_time")] == [
        (1.5, "x"),
        (2.5, None),
    ]


def test_column_that_comes_back_is_filled_from_what_came_meanwhile(shop: Shop) -> None:
    with_note = ('shop = "string" }', 'shop = "string", note = "string" }')
    shop.change(with_note)
    shop.sell(event(0, note="first"))
    shop.change(with_note[::-1])
    shop.sell(event(1, note="between"))
    shop.change(with_note)
    shop.sell(event(2, note="last"))

    notes = shop.rows("select note from raw.orders order by _event_time")
    assert [r["note"] for r in notes] == ["first", "between", "last"]


def test_column_is_read_in_its_new_type_from_old_and_new_rows(shop: Shop) -> None:
    shop.change(('shop = "string" }', 'shop = "string", code = "string" }'))
    shop.sell(event(0, code="7"), event(1, code="seven"))
    shop.change(('code = "string"', 'code = "integer"'))
    shop.sell(event(2, code=8))
    shop.change(('code = "integer"', 'code = "double"'))
    shop.sell(event(3, code=9.5))

    rows = shop.rows("select code, _status from raw.orders order by _event_time")
    assert [r["code"] for r in rows] == [7.0, None, 8.0, 9.5]
    assert {r["_status"] for r in rows} == {"ok"}


def test_aggregate_takes_its_rows_along_to_another_name(shop: Shop) -> None:
    computed(shop.sell(event(0)))
    shop.change(("    sales =", "    turnover ="))
    platform = shop.open()

    assert shop.rows("select count(*) as n, min(window_start) as first from agg.turnover") == [
        {"n": 3, "first": moment(START)}
    ]
    assert platform.lake.open("agg.turnover").transaction("turnover/batch") == 1
    assert read_applied(platform.home).kept == ("agg.sales",)  # type: ignore[union-attr]  # there is one
    shop.open(DROP)
    assert not platform.lake.exists("agg.sales")
    assert platform.lake.exists("agg.turnover")


def test_what_leaves_the_config_stays_until_it_may_go(shop: Shop, tmp_path: Path) -> None:
    computed(shop.sell(event(0)))
    before = state(tmp_path)
    shop.change(("    sales = {", "    // sales = {"), ("    orders = {", "    // orders = {"))
    platform = shop.open()

    kept = {name: text for name, text in before.items() if "agg/sales" in name or "raw/orders" in name}
    assert kept.items() <= state(tmp_path).items()
    assert [e.table for e in pending(platform.plan, platform.home, platform.lake).effects] == [
        "raw.orders",
        "agg.sales",
    ]
    assert shop.rows("select count(*) as n from raw.orders") == [{"n": 1}]
    shop.open(DROP)
    assert set(platform.lake.tables()) == {"raw.visits", "quality"}
    assert pending(platform.plan, platform.home, platform.lake).effects == ()


def file_shop(shop: Shop, tmp_path: Path) -> Platform:
    (tmp_path / "a.ndjson").write_text(json.dumps(event(0)) + "\n")
    (tmp_path / "b.ndjson").write_text("".join(json.dumps(event(n, "b")) + "\n" for n in range(2)))
    shop.change(('orders = { source = "http"', 'orders = { source = "file", path = "a.ndjson"'))
    platform = shop.open()
    ingest_stream(platform, platform.plan.stream("orders"), Until(once=True), command="test")
    return platform


def test_other_source_of_the_same_stream_is_refused_and_nothing_changes(shop: Shop, tmp_path: Path) -> None:
    computed(file_shop(shop, tmp_path))
    before = state(tmp_path)
    shop.change(("a.ndjson", "b.ndjson"))

    with pytest.raises(Refused) as refused:
        shop.open()
    of_sales = "3 windows, 3 rows, 2026-01-01 00:00:00 to 2026-01-01 00:03:00"
    assert str(refused.value).splitlines()[:-1] == [
        "this change of platform.tsk would lose data that nothing can bring back; nothing was changed",
        "  raw.orders (path: a.ndjson → b.ndjson): every event: 1 row, 2026-01-01 00:00:00 to 2026-01-01 00:00:00",
        f"  raw.orders (path: a.ndjson → b.ndjson): every window of agg.sales: {of_sales}",
        "    give it another name: then it is read from its beginning, and what is here stays",
    ]
    assert "or lose this with `--allow-drop`" in str(refused.value)
    assert state(tmp_path) == before


def test_other_source_starts_the_stream_over_where_that_is_allowed(shop: Shop, tmp_path: Path) -> None:
    computed(file_shop(shop, tmp_path))
    shop.change(("a.ndjson", "b.ndjson"))
    platform = shop.open(DROP)
    ingest_stream(platform, platform.plan.stream("orders"), Until(once=True), command="test")

    assert shop.rows("select shop, count(*) as n from raw.orders group by all") == [{"shop": "b", "n": 2}]
    assert shop.rows("select count(*) as n from agg.sales") == [{"n": 0}]


def test_other_event_time_is_refused_because_rows_keep_theirs(shop: Shop) -> None:
    shop.sell(event(0))
    shop.change(
        (
            'event_time = "at", schema = { at = "timestamp", shop',
            'event_time = "sold", schema = { sold = "timestamp", shop',
        )
    )

    with pytest.raises(Refused, match="event_time: at → sold"):
        shop.open()


def test_change_waits_for_whoever_works_by_the_one_before(shop: Shop, tmp_path: Path) -> None:
    platform = shop.sell(event(0))
    computed(platform)
    shop.change(('shop = "string" }', 'shop = "integer" }'))
    before = state(tmp_path)

    with hold(platform.home.leases, "ingest-orders", command="tusk ingest orders"), pytest.raises(Held) as held:
        shop.open()
    assert "the config has changed, and somebody still works by the one before" in str(held.value)
    assert "`tusk ingest orders` (process" in str(held.value)
    assert state(tmp_path) == before


def test_change_of_a_page_is_applied_while_the_platform_runs(shop: Shop) -> None:
    platform = shop.sell(event(0))
    shop.write(
        CONFIG + 'live_dashboards = { main = { widgets = { n = { type = "counter", data_source = "sales" } } } }\n'
    )

    with hold(platform.home.leases, "up", command="tusk up"):
        opened = shop.open()
    assert read_applied(platform.home).same(opened.plan)  # type: ignore[union-attr]  # there is one
    assert ingest_stream(platform, platform.plan.stream("orders"), Until(once=True), command="test").batches == 0


def test_process_that_was_overtaken_says_so_instead_of_computing_by_its_own_config(shop: Shop) -> None:
    old = shop.sell(event(0))
    shop.change(('"1 minute"', '"5 minutes"'))
    shop.open()

    with pytest.raises(Refused, match="applied by another process since this one started"):
        refresh_due(old, old.plan.stream("orders"), Until(once=True), command="test")
    assert ingest_stream(old, old.plan.stream("visits"), Until(once=True), command="test").rows == 0


def test_unreadable_record_of_the_applied_plan_is_named(shop: Shop) -> None:
    platform = shop.open()
    platform.home.applied.write_text("{")

    with pytest.raises(Unavailable, match=r"cannot read .*applied\.json"):
        shop.open()


@pytest.mark.parametrize("pace", ["30 seconds", "2 minutes"])
def test_pace_is_no_change_of_any_table(shop: Shop, tmp_path: Path, pace: str) -> None:
    computed(shop.sell(event(0)))
    before = state(tmp_path)
    shop.change(('window = "1 minute"', f'window = "1 minute", update_frequency = "{pace}"'))
    shop.open()

    after = state(tmp_path)
    assert {k for k in after if after[k] != before.get(k)} == {".tusk/applied.json"}


def page(shop: Shop) -> list[str]:
    plan = load_plan(shop.config)
    return [line for line in difference_page(compare(shop.config, plan, "applied")).splitlines() if line]


def test_table_that_moved_and_what_it_leaves_are_counted(shop: Shop) -> None:
    computed(shop.sell(event(0)))
    shop.change(("    sales =", "    turnover ="))
    before = page(shop)
    shop.open()
    after = page(shop)

    assert "Dropped" not in before
    assert before[-1] == "1 renamed, 1 moved, 1 left behind"
    assert after[0] == "Left behind"
    assert after[1].startswith("  table agg.sales: 3 windows, 3 rows")
    assert after[-1] == "1 left behind"


QUERIES = """analytics_data_sources = {
    shops = @query("SELECT shop, COUNT(*) AS n FROM orders WHERE shop <> 'b' GROUP BY shop")
    all_of_them = @query("SELECT SUM(n) AS n FROM shops")
    alone = @query("SELECT COUNT(*) AS n FROM orders")
}
"""


@pytest.fixture
def asked(shop: Shop) -> Shop:
    """The shop with queries over two shops' orders, all refreshed."""
    shop.write(CONFIG + QUERIES)
    platform = shop.sell(event(0), event(1, "b"), event(2, "b"))
    refresh_aggregates(platform, ["shops", "all_of_them", "alone"], command="test")
    return shop


@pytest.mark.slow
def test_changed_query_and_what_reads_it_are_rebuilt_as_the_page_says(asked: Shop) -> None:
    platform = asked.opened[-1]
    alone = platform.lake.open("query.alone").version
    asked.change(("shop <> 'b'", "shop <> 'a'"))
    assert page(asked)[-4:] == [
        "Rebuilt", "  query.shops: sql", "  query.all_of_them: query.shops is rebuilt", "1 changed, 2 rebuilt",
    ]  # fmt: skip

    with hold(platform.home.leases, "refresh-orders", command="tusk up"), pytest.raises(Held):
        asked.open()
    asked.open()
    assert asked.rows("select shop, n from query.shops") == [{"shop": "b", "n": 2}]
    assert asked.rows("select n::int as n from query.all_of_them") == [{"n": 2}]
    assert platform.lake.open("query.alone").version == alone
    assert page(asked) == ["no change"]
    with pytest.raises(Refused, match="an aggregate or query of it"):
        refresh_due(platform, platform.plan.stream("orders"), Until(once=True), command="test")


@pytest.mark.slow
def test_query_that_cannot_be_rebuilt_keeps_its_rows_and_the_page_says_so(asked: Shop) -> None:
    asked.change(("SELECT COUNT(*) AS n FROM orders", "SELECT SUM(CAST(shop AS SIGNED)) AS n FROM orders"))
    asked.open()

    assert asked.rows("select n::int as n from query.alone") == [{"n": 3}]
    assert page(asked) == [
        "Rebuilt", "  query.alone: it was computed by another definition",
        "    the rows that are there stay until a refresh of it succeeds", "1 rebuilt",
    ]  # fmt: skip


def test_time_zone_is_another_definition_of_a_query_on_the_page_too(shop: Shop) -> None:
    shop.write(CONFIG + QUERIES)
    before = load_plan(shop.config)
    shop.write('timezone = "Europe/Berlin"\n' + CONFIG + QUERIES)
    after = load_plan(shop.config)
    then, now = as_json(before), as_json(after)
    said = {e.table for e in impact(then, now, difference(then, now), None) if e.action == "rebuilt"}

    assert {q.table for q in after.queries if query_definition(after, q) != query_definition(before, q)} <= said
    assert {q.table for q in after.queries} == said
