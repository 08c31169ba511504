"""An event on its way from an HTTP request to a number on a page, through the program's own processes."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.browsing import chromium, free_port, visited
from tests.e2e.tusk import Tusk

pytestmark = [pytest.mark.service("chromium"), pytest.mark.slow]

_CONFIG = """
real_time_analytics = {
    data_streams = {
        orders = {
            source = "kafka"
            topic = "orders"
            schema = { user_id = "integer", amount = "decimal", timestamp = "timestamp" }
            demo = false
        }
    }
}
real_time_aggregations = {
    sales = {
        stream = "orders"
        dimensions = ["user_id"]
        metrics = { revenue = "sum", unique_users = "distinct" }
        window = "1 hour"
        update_frequency = "5 minutes"
    }
}
live_dashboards = {
    shop = {
        refresh_interval = "10 seconds"
        widgets = {
            revenue_counter = { type = "counter", data_source = "sales", metric = "revenue", format = "currency" }
            users_counter = { type = "counter", data_source = "sales", metric = "unique_users" }
        }
    }
}
"""


@pytest.fixture
def tusk(tmp_path: Path) -> Tusk:
    made = Tusk(tmp_path)
    made.configure(_CONFIG)
    return made


@pytest.fixture
def address(tusk: Tusk) -> Iterator[str]:
    """The pages and an ingest loop of the config; nothing refreshes its aggregate."""
    port = free_port()
    processes = [tusk.start("serve-pages", "--port", str(port)), tusk.start("ingest", "orders")]
    try:
        _wait_for(f"http://127.0.0.1:{port}/health/ready", processes[0])
        yield f"http://127.0.0.1:{port}"
    finally:
        for process in processes:
            process.terminate()
        assert all(p.wait(30) in {0, -15} for p in processes)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"{address} never answered")


def _publish(address: str, events: list[dict[str, object]]) -> None:
    request = urllib.request.Request(
        f"{address}/streams/orders/events",
        json.dumps(events).encode(),
        {"content-type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def test_published_event_is_on_the_page_within_ten_seconds(address: str) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with chromium() as browser, visited(browser, f"{address}/dashboards/shop") as page:
        revenue = page.locator("[data-widget=revenue_counter]")
        expect(revenue).to_contain_text("tusk publish orders events.ndjson")
        _publish(address, [{"user_id": 1, "amount": "12.50", "timestamp": now}])
        expect(revenue.locator(".figure")).to_have_text("$12.50", timeout=10_000)

        _publish(
            address, [{"user_id": 1, "amount": 7.25, "timestamp": now}, {"user_id": 2, "amount": 0, "timestamp": now}]
        )

        expect(revenue.locator(".figure")).to_have_text("$19.75", timeout=10_000)
        expect(page.locator("[data-widget=users_counter] .figure")).to_have_text("2")
