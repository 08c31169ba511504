"""The overview speaks of the lake as it is, whatever other pages looked at last."""

from __future__ import annotations

import re

from tests.unit.serving.browser import Browser
from tests.unit.serving.lakes import FilledLake
from tests.unit.serving.plans import PLAN
from tusk_platform.plan.nodes import DEMO_PARTITION
from tusk_platform.serving.app import create_app
from tusk_platform.storage.home import Home
from tusk_platform.units import HOUR, MINUTE, SECOND

NOW = 1_767_268_800 * SECOND  # 2026-01-01T12:00:00Z


def test_newest_event_is_not_that_of_the_last_look_at_a_dashboard(home: Home) -> None:
    filled = FilledLake(home.lake, PLAN)
    filled.add("user_events", [{"t": NOW - HOUR, "user_id": 1, "country": "DE"}])
    browser = Browser(create_app(PLAN, filled.lake, home=home, clock=lambda: NOW))
    browser.get("/dashboards/overview")
    before = browser.get("/").text

    filled.add("user_events", [{"t": NOW - MINUTE, "user_id": 2, "country": "DE"}])

    assert set(re.findall(r"11:\d\d:\d\d", before)) == {"11:00:00"}
    assert "11:59:00" in browser.get("/").text


def test_a_stream_is_marked_as_demo_as_soon_as_its_events_show(home: Home) -> None:
    filled = FilledLake(home.lake, PLAN)
    browser = Browser(create_app(PLAN, filled.lake, home=home, clock=lambda: NOW))
    before = browser.get("/").text

    filled.add("user_events", [{"t": NOW - MINUTE, "user_id": 2, "country": "DE"}], partition=DEMO_PARTITION)

    assert "demo data" not in before
    assert browser.get("/").text.count("demo data") == 1
