"""The seed's three queries on known events, in a folder as a person has it, against values worked out by hand."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tusk import Tusk
from tests.unit.sections.mutation import seed

STREAM = """\
demo = false
real_time_analytics = { data_streams = { user_events = { source = "http" } } }
event_driven_analytics = { event_types = {
    purchase = { dimensions = ["product_id"], metrics = ["purchase_count"], window = "1 minute" }
} }
"""


def queries_of_the_seed() -> str:
    """The seed's section as it stands there."""
    found = re.search(r"^analytics_data_sources = \{.*?^\}", seed(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found.group()


@pytest.fixture
def tusk(tmp_path: Path) -> Tusk:
    """A folder with the seed's queries over one stream."""
    made = Tusk(tmp_path, {"TUSK_HOME": str(tmp_path / "state")})
    made.configure(STREAM + queries_of_the_seed())
    return made


def publish(tusk: Tusk, events: list[dict[str, Any]]) -> None:
    """Publish events and read them, in one batch."""
    tusk("publish", "user_events", stdin="\n".join(json.dumps(e) for e in events).encode())
    tusk("ingest", "user_events", "--once")


class Events:
    """Events with an id of their own and a time some minutes ago."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self._count = 0

    def __call__(self, event_type: str, ago: float = 0.0, **values: object) -> dict[str, Any]:
        self._count += 1
        moment = (self.now - timedelta(minutes=ago)).isoformat()
        return {"event_id": f"e{self._count}", "timestamp": moment, "event_type": event_type, **values}


@pytest.mark.slow
def test_seed_queries_give_the_values_worked_out_by_hand(tusk: Tusk) -> None:
    event = Events()
    assert tusk.sql("select * from query.user_segments") == []
    first = tusk("run", "query.user_segments", "query.real_time_metrics", "query.system_performance", "--json").json()
    assert [step["rows"] for step in first] == [0, 0, 0]

    publish(
        tusk,
        [
            event("purchase", 1, user_id="exactly_1000", amount="1000"),
            event("purchase", 1, user_id="over_1000", amount="999.9999"),
            event("purchase", 2, user_id="over_1000", amount="0.0002"),
            event("purchase", 1, user_id="exactly_100", amount="100"),
            event("purchase", 1, user_id="over_100", amount="100.0001"),
            event("purchase", 1, user_id="nothing_said"),
            event("purchase", 31 * 24 * 60, user_id="long_ago", amount="5000"),
            event("page_view", 1, user_id="exactly_100", amount="5000", session_duration=30),
            event("page_view", 1, user_id="exactly_100", session_duration="60"),
            event("page_view", 61, user_id="exactly_100", session_duration=1000),
            event("api_request", 1, service_name="cart", response_time=10, status_code=200),
            event("api_request", 2, service_name="cart", response_time=20, status_code=404),
            event("api_request", 3, service_name="cart", response_time=30.5, status_code=503),
            event("api_request", 6, service_name="cart", response_time=900, status_code=500),
            event("api_request", 1, service_name="search", response_time=5, status_code="399"),
        ],
    )
    # An hour late for the windows of a minute, and a copy of an event: the one counts here, the other does not.
    late = event("purchase", 50, user_id="late", amount="250.25")
    copy = event("purchase", 1, user_id="exactly_100", amount="100") | {"event_id": "e4"}
    publish(tusk, [late, copy])
    steps = tusk("run", "query/user_segments", "query.system_performance", "--upstream", "--json").json()
    tusk("run", "query.real_time_metrics")

    assert [s["asset"] for s in steps][-2:] == ["query.user_segments", "query.system_performance"]
    assert int(tusk.sql("select count(*) as n from late.user_events")[0]["n"]) == 1
    segments = {r["user_id"]: r for r in tusk.sql("select * from query.user_segments")}
    assert {user: (r["segment"], int(r["purchase_count"]), r["total_spent"]) for user, r in segments.items()} == {
        "exactly_1000": ("medium_value", 1, "1000.0000"),
        "over_1000": ("high_value", 2, "1000.0001"),
        "exactly_100": ("low_value", 1, "100.0000"),
        "over_100": ("medium_value", 1, "100.0001"),
        "nothing_said": ("low_value", 1, None),
        "late": ("medium_value", 1, "250.2500"),
    }
    services = {r["service_name"]: r for r in tusk.sql("select * from query.system_performance")}
    assert services.keys() == {"cart", "search"}
    assert float(services["cart"]["avg_response_time"]) == pytest.approx(60.5 / 3)
    assert [int(services["cart"][c]) for c in ("request_count", "error_count")] == [3, 2]
    assert [int(services["search"][c]) for c in ("request_count", "error_count")] == [1, 0]
    minutes = tusk.sql("select * from query.real_time_metrics")
    assert [m["time_bucket"] for m in minutes] == sorted((m["time_bucket"] for m in minutes), reverse=True)
    assert sum(int(m["event_count"]) for m in minutes) == 14
    assert all(m["time_bucket"].endswith(":00Z") for m in minutes)
    newest = (event.now - timedelta(minutes=1)).replace(second=0, microsecond=0)
    [bucket] = [m for m in minutes if m["time_bucket"] == newest.isoformat().replace("+00:00", "Z")]
    # 4 purchases, 1 without amount, 2 views, 2 requests; five people; (30 + 60) / 2.
    assert (int(bucket["event_count"]), int(bucket["unique_users"])) == (9, 5)
    assert Decimal(str(bucket["avg_session_duration"])) == 45


@pytest.mark.slow
def test_table_follows_when_the_query_is_written_anew(tusk: Tusk) -> None:
    event = Events()
    query = 'analytics_data_sources = {{ q = @query("{}") }}\n'
    tusk.configure(STREAM + query.format("SELECT user_id, COUNT(*) AS n FROM user_events GROUP BY user_id"))
    publish(tusk, [event("purchase", user_id="a", amount=2), event("purchase", user_id="a", amount=3)])
    tusk("run", "query.q")
    assert tusk.sql("select * from query.q") == [{"user_id": "a", "n": 2}]

    tusk.configure(STREAM + query.format("SELECT SUM(amount) AS n FROM agg.purchase JOIN purchases USING (product_id)"))
    assert tusk.call("check").code == 0
    tusk.configure(STREAM + query.format("SELECT SUM(amount) AS n, MAX(created_at) > NOW() AS ahead FROM purchases"))
    tusk("run", "--all")
    assert tusk.sql("select * from query.q") == [{"n": "5.0000", "ahead": False}]


@pytest.mark.slow
def test_history_of_files_has_the_present_of_its_newest_row(tusk: Tusk) -> None:
    (tusk.folder / "sales.csv").write_text(
        "sold_at,shop,price\n2011-12-01 10:00:00,a,1.50\n2011-12-08 09:00:00,a,2\n2011-12-09 12:00:00,b,3\n"
    )
    tusk.configure(
        """
real_time_analytics = { data_streams = { sales = {
    source = "file", path = "sales.csv", event_time = "sold_at"
    schema = { sold_at = "timestamp", shop = "string", price = "decimal" }
} } }
analytics_data_sources = {
    week = @query("
        SELECT COUNT(*) AS n, SUM(price) AS total, NOW() AS at FROM sales WHERE created_at > NOW() - INTERVAL 7 DAY
    ")
    best = @query("SELECT * FROM week WHERE n > 1")
}
"""
    )
    tusk("run", "query.best", "--upstream")

    row = {"n": 2, "total": "5.0000", "at": "2011-12-09T12:00:00Z"}
    assert tusk.sql("select * from query.week") == [row]
    assert tusk.sql("select * from query.best") == [row]
