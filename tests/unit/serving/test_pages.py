"""Pages and JSON over a real lake."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.unit.serving.browser import Browser
from tests.unit.serving.lakes import FilledLake
from tests.unit.serving.plans import OVERVIEW, PLAN, USER_EVENTS, widget
from tusk_platform.plan.nodes import Dashboard, Plan, Sliding, Tumbling
from tusk_platform.plan.profile import Runtime
from tusk_platform.serving.app import create_app
from tusk_platform.storage.home import Home
from tusk_platform.units import DAY, HOUR, MINUTE, SECOND

# 2026-11-24 12:32:30 UTC: in the middle of a five-minute window.
NOW = 1_795_523_550 * SECOND
START = NOW - NOW % (5 * MINUTE)


class Clock:
    """The wall clock of a test."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def filled(home: Home) -> FilledLake:
    return FilledLake(home.lake, PLAN)


def _open(filled: FilledLake, home: Home, clock: Clock, *, plan: Plan | None = None) -> Browser:
    return Browser(create_app(plan or filled.plan, filled.lake, home=home, clock=clock))


@pytest.fixture
def browser(filled: FilledLake, home: Home, clock: Clock) -> Browser:
    return _open(filled, home, clock)


def _event(
    at: int, amount: str = "10", country: str | None = "DE", seconds: float = 30, user: int = 1
) -> dict[str, Any]:
    return {"t": at, "user_id": user, "country": country, "seconds": seconds, "amount": Decimal(amount)}


def _data(browser: Browser, name: str, dashboard: str = "overview") -> dict[str, Any]:
    widgets = {w["name"]: w for w in browser.get(f"/api/dashboards/{dashboard}").json()["widgets"]}
    found: dict[str, Any] = widgets[name]
    return found


def _with(*widgets: Any, timezone: str = "UTC", **values: Any) -> Plan:  # noqa: ANN401 - widgets, fields of a dashboard
    dashboard = Dashboard("one", widgets, OVERVIEW.origin, **{"refresh_interval": 5 * SECOND, **values})
    return replace(PLAN, dashboards=(dashboard,), runtime=Runtime(timezone=timezone))


def test_counter_shows_the_window_so_far(filled: FilledLake, browser: Browser) -> None:
    filled.add("user_events", [_event(START + MINUTE, "12.50"), _event(START + 2 * MINUTE, "7.25", "FR")])
    filled.refresh("user_metrics")

    shown = _data(browser, "revenue_counter")

    assert shown["data"]["value"] == "19.7500"
    assert shown["data"]["text"] == "$19.75"
    assert (shown["data"]["window_start"], shown["data"]["is_final"]) == ("2026-11-24T12:30:00Z", False)
    assert shown["note"] == "12:30–12:35, so far"


def test_published_event_counts_before_its_refresh(filled: FilledLake, browser: Browser) -> None:
    filled.add("user_events", [_event(START + MINUTE, "12.50"), _event(START - HOUR, "1")])
    filled.refresh("user_metrics")
    filled.add("user_events", [_event(START + 2 * MINUTE, "7.25"), _event(START + MINUTE, "100")])

    assert _data(browser, "revenue_counter")["data"]["value"] == "119.7500"


def test_trend_compares_the_same_part_of_the_window_before(filled: FilledLake, browser: Browser) -> None:
    # Two and a half minutes have passed: of the window before only as much counts.
    before = START - 5 * MINUTE
    filled.add("user_events", [_event(before + MINUTE, "10"), _event(before + 149 * SECOND, "6")])
    filled.add("user_events", [_event(before + 150 * SECOND, "500"), _event(START + MINUTE, "20")])
    filled.refresh("user_metrics")

    trend = _data(browser, "revenue_counter")["data"]["trend"]

    assert (trend["current"], trend["previous"], trend["change"]) == ("20.0000", "16.0000", 0.25)
    assert trend["text"] == "+25% against the same part of 12:25–12:30"
    assert trend["welcome"] is True


def test_finished_window_is_compared_as_a_whole(filled: FilledLake, browser: Browser, clock: Clock) -> None:
    filled.add("user_events", [_event(START - 1, "10"), _event(START + MINUTE, "5")])
    filled.refresh("user_metrics")
    clock.now = START + HOUR

    shown = _data(browser, "revenue_counter")

    assert shown["data"]["trend"]["text"] == "−50% against 12:25–12:30"
    assert shown["note"] == "12:30–12:35"


def test_average_over_groups_is_that_of_the_events(filled: FilledLake, home: Home, clock: Clock) -> None:
    plan = _with(
        widget("duration", "counter", metric="avg_duration"), widget("users", "counter", metric="unique_users")
    )
    filled.add("user_events", [_event(START, seconds=10, user=1), _event(START, seconds=20, user=2)])
    filled.add("user_events", [_event(START, country="FR", seconds=90, user=1), _event(START, country=None, user=3)])
    filled.refresh("user_metrics")
    browser = _open(filled, home, clock, plan=plan)

    assert _data(browser, "duration", "one")["data"]["value"] == 37.5
    assert _data(browser, "users", "one")["data"]["value"] == 3


def test_late_row_counts_for_no_total(filled: FilledLake, home: Home, clock: Clock) -> None:
    plan = _with(widget("users", "counter", metric="unique_users"), widget("sales", "counter", metric="revenue"))
    over = START + 6 * MINUTE
    filled.add("user_events", [_event(START, user=1)])
    filled.add("user_events", [_event(START, user=2), _event(START + 6 * MINUTE, user=3)], watermark=over)
    clock.now = over - MINUTE
    browser = _open(filled, home, clock, plan=plan)

    points = _data(browser, "users", "one")["data"]

    assert points["value"] == 1
    assert _data(browser, "sales", "one")["data"]["value"] == "10.0000"


def test_line_chart_tells_final_from_open(filled: FilledLake, browser: Browser) -> None:
    times = [START - 20 * MINUTE, START - 15 * MINUTE, START - 5 * MINUTE, START]
    filled.add("user_events", [_event(t) for t in times], after=START - 8 * MINUTE)
    filled.refresh("user_metrics")

    points = _data(browser, "sessions_chart")["data"]["series"][0]["points"]

    assert [(p["start"][11:16], p["value"], p["is_final"]) for p in points] == [
        ("12:10", 1, True),
        ("12:15", 1, True),
        ("12:25", 1, False),
        ("12:30", 1, False),
    ]


def test_gap_in_the_data_is_a_gap_on_the_page(filled: FilledLake, browser: Browser) -> None:
    filled.add("user_events", [_event(START - k * 5 * MINUTE) for k in (1, 2, 5, 6)], after=NOW)
    filled.refresh("user_metrics")

    page = browser.get("/dashboards/overview").text

    line = re.search(r'<path class="line" d="([^"]+)"', page.partition('data-widget="sessions_chart"')[2])
    assert line is not None
    assert line.group(1).count("M") == 2


def test_days_follow_the_zone_of_the_plan(filled: FilledLake, home: Home, clock: Clock) -> None:
    daily = replace(PLAN.aggregates[0], name="daily", window=Tumbling(DAY))
    plan = replace(_with(widget("sales", "counter", source="daily", metric="revenue"), timezone="Europe/Berlin"),
                   aggregates=(daily,))  # fmt: skip
    filled.plan = plan
    filled.add("user_events", [_event(NOW - 14 * HOUR, "1"), _event(NOW - 13 * HOUR, "2"), _event(NOW, "4")])
    filled.refresh("daily")

    shown = _data(_open(filled, home, clock), "sales", "one")

    assert shown["data"]["value"] == "6.0000"
    assert shown["data"]["window_start"] == "2026-11-23T23:00:00Z"
    assert shown["note"] == "24 Nov, so far"


def test_sliding_counter_shows_the_first_window_that_still_runs(filled: FilledLake, home: Home, clock: Clock) -> None:
    sliding = replace(PLAN.aggregates[0], name="sliding", window=Sliding(10 * MINUTE, 2 * MINUTE), dimensions=())
    plan = replace(_with(widget("sales", "counter", source="sliding", metric="session_count")), aggregates=(sliding,))
    filled.plan = plan
    filled.add("user_events", [_event(NOW - k * MINUTE) for k in range(12)])

    shown = _data(_open(filled, home, clock), "sales", "one")

    assert (shown["data"]["window_start"][11:16], shown["data"]["window_end"][11:16]) == ("12:24", "12:34")
    assert shown["data"]["value"] == 9


def test_gauge_shows_the_newest_sample(filled: FilledLake, browser: Browser) -> None:
    samples = [{"t": NOW - k * 15 * SECOND, "metric": "cpu_usage", "value": 70.0 + k} for k in range(3)]
    filled.add("system_metrics", [*samples, {"t": NOW, "metric": "disk_usage", "value": 99.0}])

    shown = _data(browser, "cpu_gauge")

    assert (shown["data"]["text"], shown["data"]["level"]) == ("70%", "warning")
    assert shown["note"] == "as of 12:32:30"


def test_old_sample_says_how_old_it_is(filled: FilledLake, browser: Browser) -> None:
    filled.add("system_metrics", [{"t": NOW - 7 * MINUTE, "metric": "cpu_usage", "value": 5.0}])

    assert _data(browser, "cpu_gauge")["note"] == "as of 12:25:30, 7 minutes ago"


def test_alert_panel_does_not_pretend_to_watch(browser: Browser) -> None:
    page = browser.get("/dashboards/overview").text

    assert "Alerting is not active" in page
    assert _data(browser, "alerts_panel")["data"] == {"active": False, "severities": ["critical"], "alerts": []}


def test_empty_widget_says_what_to_do(browser: Browser) -> None:
    page = browser.get("/dashboards/overview").text

    assert "No events yet" in page
    assert "tusk publish user_events events.ndjson" in page
    assert _data(browser, "cpu_gauge")["data"]["command"] == "tusk ingest system_metrics"


def test_range_without_events_names_the_newest(filled: FilledLake, browser: Browser) -> None:
    filled.add("user_events", [_event(NOW - 3 * DAY)])
    filled.refresh("user_metrics")

    shown = _data(browser, "sessions_chart")["data"]

    assert shown["empty"] == "Nothing in the last hour"
    assert shown["hint"] == "The newest event is of 21 Nov 2026, 12:32."


def test_replay_takes_its_newest_event_for_now(filled: FilledLake, home: Home, clock: Clock) -> None:
    replayed = replace(USER_EVENTS, replay=True)
    filled.plan = replace(PLAN, streams=(replayed, *PLAN.streams[1:]))
    filled.add("user_events", [_event(NOW - 900 * DAY), _event(NOW - 900 * DAY + 10 * MINUTE)])
    filled.refresh("user_metrics")
    browser = _open(filled, home, clock)

    assert len(_data(browser, "sessions_chart")["data"]["series"][0]["points"]) == 2
    assert _data(browser, "revenue_counter")["data"]["value"] == "10.0000"


def test_demo_rows_are_marked_until_they_are_gone(filled: FilledLake, browser: Browser, clock: Clock) -> None:
    filled.add("user_events", [_event(START, "1000")], partition="demo")
    filled.refresh("user_metrics")
    with_demo = browser.get("/dashboards/overview").text

    filled.remove_demo("user_events")
    filled.add("user_events", [_event(START, "3")])
    clock.now += 3 * SECOND

    shown = _data(browser, "revenue_counter")
    assert "demo data" in with_demo
    assert "demo data" in browser.get("/").text or not shown["demo"]
    assert (shown["demo"], shown["data"]["value"]) == (False, "3.0000")


def test_bars_add_up_groups(filled: FilledLake, home: Home, clock: Clock) -> None:
    plan = _with(widget("countries", "bar_chart", metric="revenue", format="currency"))
    filled.add(
        "user_events", [_event(START - HOUR // 2, "5", "FR"), _event(START, "7", "DE"), _event(START, "1", None)]
    )
    filled.refresh("user_metrics")
    filled.add("user_events", [_event(START, "4", "FR")])

    bars = _data(_open(filled, home, clock, plan=plan), "countries", "one")["data"]["bars"]

    assert [(b["label"], b["text"]) for b in bars] == [("FR", "$9.00"), ("DE", "$7.00"), ("(none)", "$1.00")]


def test_series_splits_a_line_by_dimension(filled: FilledLake, home: Home, clock: Clock) -> None:
    plan = _with(widget("lines", "line_chart", metric="session_count", series="country"))
    filled.add("user_events", [_event(START - 5 * MINUTE), _event(START), _event(START, country="FR")])
    filled.refresh("user_metrics")

    series = _data(_open(filled, home, clock, plan=plan), "lines", "one")["data"]["series"]

    assert [(s["name"], len(s["points"])) for s in series] == [("DE", 2), ("FR", 1)]


def test_table_shows_newest_rows_first(filled: FilledLake, home: Home, clock: Clock) -> None:
    plan = _with(widget("windows", "table"), widget("events", "table", kind="stream", source="user_events"))
    filled.add("user_events", [_event(START - 5 * MINUTE), _event(START, "12.5", "FR", 1.25)])
    filled.refresh("user_metrics")
    browser = _open(filled, home, clock, plan=plan)

    windows, events = (_data(browser, name, "one")["data"] for name in ("windows", "events"))

    assert windows["rows"][0] == ["12:30", "FR", "1", "1", "12.5", "1.25", "1"]
    assert events["rows"][0] == ["12:30", "1", "FR", "1.25", "12.5"]


def test_stream_is_counted_from_its_events(filled: FilledLake, home: Home, clock: Clock) -> None:
    plan = _with(widget("events", "counter", kind="stream", source="user_events", trend=True))
    filled.add("user_events", [_event(NOW - 61 * MINUTE), _event(NOW - MINUTE), _event(NOW - 2 * MINUTE)])

    shown = _data(_open(filled, home, clock, plan=plan), "events", "one")["data"]

    assert (shown["value"], shown["trend"]["previous"]) == (2, 1)


def test_everything_is_escaped(filled: FilledLake, home: Home, clock: Clock) -> None:
    plan = _with(widget("countries", "bar_chart", metric="revenue"), widget("windows", "table"))
    filled.add("user_events", [_event(START, country='<script>alert(1)</script>"')])
    filled.refresh("user_metrics")

    page = _open(filled, home, clock, plan=plan).get("/dashboards/one").text

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;" in page


def test_unknown_metric_does_not_take_the_page_down(filled: FilledLake, home: Home, clock: Clock) -> None:
    plan = _with(widget("sales", "counter", metric="revenu"), widget("sessions", "counter", metric="session_count"))
    filled.add("user_events", [_event(START)])
    browser = _open(filled, home, clock, plan=plan)

    assert "did you mean `revenue`?" in browser.get("/dashboards/one").text
    assert _data(browser, "sessions", "one")["data"]["value"] == 1


def test_chosen_metric_is_shown_and_kept(filled: FilledLake, home: Home, clock: Clock) -> None:
    offered = ("session_count", "revenue")
    plan = _with(widget("metrics", "line_chart", metric="session_count", choices=offered))
    filled.add("user_events", [_event(START, "12")])
    browser = _open(filled, home, clock, plan=plan)

    page = browser.get("/dashboards/one?show.metrics=revenue&show.other=x").text

    assert '<option value="revenue" selected>' in page
    assert "show.metrics=revenue&amp;version=" in page
    assert "show.other" not in page


def test_page_without_auto_refresh_has_a_button(filled: FilledLake, home: Home, clock: Clock) -> None:
    page = (
        _open(filled, home, clock, plan=_with(widget("sales", "counter"), auto_refresh=False))
        .get("/dashboards/one")
        .text
    )

    assert '<button type="submit">Refresh</button>' in page
    assert "data-events" not in page


def test_grid_and_responsive_reach_the_page(filled: FilledLake, home: Home, clock: Clock) -> None:
    plan = _with(widget("sales", "counter"), columns=5, rows=1, responsive=False)

    assert 'class="grid columns-5 rows-1 fixed"' in _open(filled, home, clock, plan=plan).get("/dashboards/one").text


def test_overview_lists_streams_with_counts(filled: FilledLake, browser: Browser) -> None:
    filled.add("user_events", [_event(NOW - k * SECOND) for k in range(1234)])
    filled.add("user_events", [{**_event(NOW), "ok": False}])

    page = re.sub(r"\s+", " ", browser.get("/").text)

    assert "Overview" in page
    assert '<td class="number">1,234</td> <td class="number bad">1</td>' in page
    assert "tusk ingest system_metrics" in page
    assert 'href="/dashboards/overview"' in page


def test_unknown_dashboard_names_the_nearest(browser: Browser) -> None:
    page = browser.get("/dashboards/overvew", accept="text/html")

    assert page.status_code == 404
    assert "did you mean `overview`?" in page.text
    assert browser.get("/api/dashboards/overvew").json()["hint"] == "did you mean `overview`?"


def test_new_commit_is_seen_by_the_same_page(filled: FilledLake, browser: Browser, clock: Clock) -> None:
    filled.add("user_events", [_event(START)])
    first = _data(browser, "sessions_chart")["data"]["series"][0]["points"][-1]["value"]
    filled.add("user_events", [_event(START), _event(START)])
    clock.now += 3 * SECOND

    assert first == 1
    assert _data(browser, "sessions_chart")["data"]["series"][0]["points"][-1]["value"] == 3


def test_lake_that_went_away_leaves_the_last_good_page(
    filled: FilledLake, browser: Browser, clock: Clock, home: Home
) -> None:
    filled.add("user_events", [_event(START, "5")])
    browser.get("/dashboards/overview")
    table = home.lake / "raw" / "user_events"
    filled.add("user_events", [_event(START, "6")])
    for file in table.rglob("*.parquet"):
        file.write_bytes(b"not parquet")
    clock.now += 3 * SECOND

    page = browser.get("/dashboards/overview").text

    assert "The lake cannot be read" in page
    assert "$5.00" in page
