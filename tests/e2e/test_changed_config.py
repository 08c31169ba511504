"""A real change of config on a platform with data: what was said before is what then happens."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tusk import Tusk
from tusk_platform.adapters.engine_dbt import open_engine
from tusk_platform.core import transactions
from tusk_platform.runtime.platform import open_platform
from tusk_platform.storage.lake import Lake

pytestmark = pytest.mark.slow

CONFIG = """\
demo = false
real_time_analytics = { data_streams = {
    orders = {
        source = "http", event_time = "at", dedup_key = "id"
        schema = { id = "integer", at = "timestamp", shop = "string", amount = "decimal" }
    }
    visits = { source = "http", event_time = "at", schema = { at = "timestamp", page = "string" } }
} }
real_time_aggregations = {
    sales = { stream = "orders", dimensions = ["shop"], metrics = { amount = "sum" }, window = "1 hour" }
    totals = { stream = "orders", metrics = { amount = "sum" }, window = "1 hour" }
    shops = { stream = "orders", metrics = { unique_shop = "distinct" }, window = "1 day" }
    pages = { stream = "visits", dimensions = ["page"], metrics = { hits = "count" }, window = "1 hour" }
}
live_dashboards = { main = { widgets = {
    amount = { type = "counter", data_source = "sales", metric = "amount" }
    hits = { type = "counter", data_source = "pages", metric = "hits" }
} } }
"""
# Yesterday's and older events stay within what `lake_retention` keeps, whenever the test runs.
DAYS = 3
HOURS = 24 * DAYS
MIDNIGHT = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0) - dt.timedelta(days=DAYS)


def events() -> list[dict[str, Any]]:
    """Two orders an hour, of two shops; what they weigh has no column yet."""
    return [
        {
            "id": n,
            "at": (MIDNIGHT + dt.timedelta(minutes=30 * n)).isoformat(),
            "shop": "ab"[n % 2],
            "amount": "1.5",
            "grams": n,
        }
        for n in range(2 * HOURS)
    ]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a platform with three days of orders, all refreshed."""
    made = Tusk(tmp_path_factory.mktemp("filled"))
    made.configure(CONFIG)
    lines = "\n".join(json.dumps(e) for e in events()).encode()
    made("publish", "orders", stdin=lines)
    made("publish", "visits", stdin=json.dumps({"at": MIDNIGHT.isoformat(), "page": "/"}).encode())
    made("ingest", "orders", "--once")
    made("ingest", "visits", "--once")
    made("run", "agg.sales", "agg.totals", "agg.shops", "agg.pages")
    return made.folder


@pytest.fixture
def tusk(filled: Path, tmp_path: Path) -> Tusk:
    """A platform of the test's own with all that is in the filled one."""
    return Tusk(Path(shutil.copytree(filled, tmp_path / "shop", symlinks=True)))


def change(tusk: Tusk, *pairs: tuple[str, str]) -> None:
    path = tusk.folder / "platform.tsk"
    text = path.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def lake(tusk: Tusk) -> Lake:
    return Lake(tusk.folder / ".tusk" / "lake")


def stored(tusk: Tusk, table: str) -> dict[str, Any]:
    """What the plan said of a table: rows and bytes, of the files themselves."""
    files = lake(tusk).open(table).files()
    return {"rows": sum(f.rows for f in files), "bytes": sum(f.size for f in files)}


def versions(tusk: Tusk) -> dict[str, int]:
    opened = lake(tusk)
    return {table: opened.open(table).version for table in opened.tables()}


def files(tusk: Tusk) -> dict[str, bytes]:
    root = tusk.folder / ".tusk"
    paths = [*(root / "lake").rglob("*"), root / "applied.json"]
    return {str(p.relative_to(root)): p.read_bytes() for p in paths if p.is_file()}


def trimmed(tusk: Tusk, before: dt.datetime) -> None:
    """Raw without its oldest rows, as retention leaves it."""
    raw = lake(tusk).open("raw.orders")
    newest = before - dt.timedelta(minutes=30)
    raw.delete(
        f"_event_time < '{before.isoformat()}'", {transactions.trimmed("orders"): int(newest.timestamp()) * 1_000_000}
    )


def test_what_the_plan_said_is_what_then_happens(tusk: Tusk) -> None:
    was = tusk.sql("select * from agg.totals order by 1")
    change(
        tusk,
        (
            'metrics = { amount = "sum" }, window = "1 hour" }\n    totals',
            'metrics = { amount = "sum", grams = "avg" }, window = "1 hour" }\n    totals',
        ),
        ("    totals = {", "    turnover = {"),
        ('unique_shop = "distinct" }, window = "1 day"', 'unique_shop = "distinct" }, window = "12 hours"'),
        ('    hits = { type = "counter", data_source = "pages", metric = "hits" }\n', ""),
        ('    visits = { source = "http", event_time = "at", schema = { at = "timestamp", page = "string" } }\n', ""),
        (
            '    pages = { stream = "visits", dimensions = ["page"], metrics = { hits = "count" }, window = "1 hour" }',
            "",
        ),
    )
    before = versions(tusk)
    said = tusk("plan", "--against", "applied", "--json").json()

    assert {r["table"]: (r["raw_rows"], r["since"], r["lost"]) for r in said["rebuilt"]} == {
        "agg.sales": (2 * HOURS, None, []),
        "agg.shops": (2 * HOURS, None, []),
    }
    assert [(m["was"], m["table"], m["stored"]["rows"]) for m in said["moved"]] == [
        ("agg.totals", "agg.turnover", HOURS)
    ]
    assert {(d["kind"], d["name"]) for d in said["dropped"]} == {
        ("streams", "visits"), ("aggregates", "pages"), ("widgets", "main.hits"),
    }  # fmt: skip
    gone = {d["table"]: d["stored"] for d in said["dropped"] if "table" in d}
    assert {t: {k: s[k] for k in ("rows", "bytes")} for t, s in gone.items()} == {t: stored(tusk, t) for t in gone}
    assert versions(tusk) == before

    tusk("ingest", "orders", "--once")
    after = versions(tusk)
    assert {t for t in after if after[t] != before.get(t)} == {"agg.sales", "agg.shops", "agg.turnover", "raw.orders"}
    assert tusk.sql("select * from agg.turnover order by 1") == was
    assert tusk.sql("select sum(grams) as grams, count(*) as n from agg.sales") == [
        {"grams": float(sum(range(2 * HOURS))), "n": 2 * HOURS}
    ]
    assert tusk.sql("select count(*) as n, sum(event_count)::int as events from agg.shops") == [
        {"n": 2 * DAYS, "events": 2 * HOURS}
    ]
    left = tusk("plan", "--against", "applied", "--json").json()
    assert {t["table"] for t in left["left_behind"]} == {"raw.visits", "agg.pages", "agg.totals"}
    assert {what: n for what, n in left["summary"].items() if n} == {"left_behind": 3}
    tusk("ingest", "orders", "--once", "--allow-drop")
    assert {*after} - {*versions(tusk)} == {"raw.visits", "agg.pages", "agg.totals"}


def test_what_raw_no_longer_holds_is_refused_and_then_goes_where_allowed(tusk: Tusk) -> None:
    trimmed(tusk, MIDNIGHT + dt.timedelta(days=1))
    change(tusk, ('totals = { stream = "orders", metrics = { amount = "sum" }, window = "1 hour" }',
                  'totals = { stream = "orders", metrics = { amount = "sum" }, window = "2 hours" }'))  # fmt: skip
    before = files(tusk)
    said = tusk("plan", "--against", "applied", "--json").json()
    refused = tusk.call("run", "agg.totals")

    day = f"{MIDNIGHT:%Y-%m-%d %H:%M:%S} to {MIDNIGHT + dt.timedelta(days=1):%Y-%m-%d %H:%M:%S}"
    assert refused.code == 1
    assert f"agg.totals (window): every window: 24 windows, 24 rows, {day}" in refused.err
    assert "Traceback" not in refused.err
    assert said["refused"]
    assert [loss["windows"] for loss in said["rebuilt"][0]["lost"]] == [24]
    assert files(tusk) == before

    tusk("run", "agg.totals", "--allow-drop")
    rows = tusk.sql("select min(window_start) as first, count(*) as n, sum(event_count)::int as events from agg.totals")
    start = MIDNIGHT + dt.timedelta(days=1)
    assert rows == [{"first": f"{start:%Y-%m-%dT%H:%M:%SZ}", "n": 24, "events": 96}]


def test_windows_older_than_raw_stay_with_a_new_metric_empty_and_an_old_one_gone(tusk: Tusk) -> None:
    trimmed(tusk, MIDNIGHT + dt.timedelta(days=1))
    change(tusk, ('shops = { stream = "orders", metrics = { unique_shop = "distinct" }',
                  'shops = { stream = "orders", metrics = { grams = "sum" }'))  # fmt: skip
    said = tusk("plan", "--against", "applied").out
    tusk("ingest", "orders", "--once")

    assert "1 older window stays: raw no longer holds all their events" in said
    assert "grams is empty in them" in said
    assert "unique_shop goes from them too" in said
    rows = tusk.sql("select event_count, grams from agg.shops order by window_start")
    assert [r["event_count"] for r in rows] == [48, 48, 48]
    assert [r["grams"] for r in rows] == [None, float(sum(range(48, 96))), float(sum(range(96, 144)))]
    assert "unique_shop" not in lake(tusk).open("agg.shops").schema.names


@pytest.mark.parametrize("when", [1, 3, 5])
def test_killed_in_the_middle_the_next_open_goes_on(tusk: Tusk, when: int) -> None:
    trimmed(tusk, MIDNIGHT + dt.timedelta(days=1))
    change(
        tusk,
        ("    totals = {", "    turnover = {"),
        (
            'sales = { stream = "orders", dimensions = ["shop"]',
            'sales = { stream = "orders", dimensions = ["shop"], allowed_lateness = "5 minutes"',
        ),
        ('metrics = { unique_shop = "distinct" }', 'metrics = { grams = "sum" }'),
    )
    dying = Tusk(tusk.folder, {"TUSK_FAULT": f"in_migration:{when}"})
    killed = dying.call("ingest", "orders", "--once")
    applied = json.loads((tusk.folder / ".tusk" / "applied.json").read_text())["plan"]
    seen = tusk.sql("select count(*) as n from agg.shops")

    assert killed.code == -signal.SIGKILL
    assert "turnover" not in {a["name"] for a in applied["aggregates"]}
    assert seen == [{"n": DAYS}]
    tusk("ingest", "orders", "--once")
    applied = json.loads((tusk.folder / ".tusk" / "applied.json").read_text())["plan"]
    assert {a["name"] for a in applied["aggregates"]} == {"sales", "turnover", "shops", "pages"}
    assert tusk.sql("select count(*) as n, sum(event_count)::int as events from agg.turnover") == [
        {"n": HOURS, "events": 2 * HOURS}
    ]
    assert tusk.sql("select count(*) as n, sum(event_count)::int as events from agg.sales") == [
        {"n": 2 * HOURS, "events": 2 * HOURS}
    ]
    rows = tusk.sql("select event_count, grams from agg.shops order by window_start")
    assert [r["grams"] for r in rows] == [None, float(sum(range(48, 96))), float(sum(range(96, 144)))]


def test_whoever_goes_back_after_a_kill_keeps_what_raw_no_longer_holds(tusk: Tusk) -> None:
    trimmed(tusk, MIDNIGHT + dt.timedelta(days=1))
    config = (tusk.folder / "platform.tsk").read_text()
    change(tusk, ('metrics = { unique_shop = "distinct" }', 'metrics = { grams = "sum" }'))
    # The table is computed by the new definition, only that was not said yet.
    killed = Tusk(tusk.folder, {"TUSK_FAULT": "in_migration:3"}).call("ingest", "orders", "--once")
    between = lake(tusk).open("agg.shops").schema.names
    tusk.configure(config)
    tusk("ingest", "orders", "--once")

    assert killed.code == -signal.SIGKILL
    assert "grams" in between
    assert "unique_shop" not in between
    rows = tusk.sql("select event_count, unique_shop from agg.shops order by window_start")
    assert [(r["event_count"], r["unique_shop"]) for r in rows] == [(48, None), (48, 2), (48, 2)]
    assert json.loads((tusk.folder / ".tusk" / "applied.json").read_text())["unfinished"] is False


def test_two_that_open_at_once_change_the_tables_once(tusk: Tusk) -> None:
    change(tusk, ('window = "1 day"', 'window = "6 hours"'))
    before = versions(tusk)
    both = [tusk.start("run", "agg.shops", log=tusk.folder / f"{n}.log") for n in range(2)]
    codes = [process.wait(timeout=300) for process in both]

    assert codes == [0, 0], [(tusk.folder / f"{n}.log").read_text() for n in range(2)]
    assert tusk.sql("select count(*) as n, sum(event_count)::int as events from agg.shops") == [
        {"n": 4 * DAYS, "events": 2 * HOURS}
    ]
    assert versions(tusk)["agg.shops"] - before["agg.shops"] == 1


def test_a_plain_full_refresh_keeps_windows_older_than_raw(tusk: Tusk) -> None:
    trimmed(tusk, MIDNIGHT + dt.timedelta(days=1))
    platform = open_platform(tusk.folder / "platform.tsk")
    engine = open_engine(platform.plan, platform.project / "dbt", platform.home)
    [result] = engine.refresh(["totals"], full=True)
    engine.close()

    assert result.error is None
    assert tusk.sql("select count(*) as n, sum(event_count)::int as events from agg.totals") == [
        {"n": HOURS, "events": 2 * HOURS}
    ]
