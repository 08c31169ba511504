"""Shop events from files: real ones against results computed elsewhere, generated ones against a plain sum."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.e2e.tusk import Tusk
from tests.reference import reference_data

CONFIG = """
real_time_analytics = {{
    data_streams = {{
        sales = {{
            source = "file"
            path = "{path}"
            event_time = "invoice_date"
            schema = {{
                invoice_no = "string", stock_code = "string", quantity = "integer", invoice_date = "timestamp",
                unit_price = "decimal", customer_id = "integer", country = "string"
            }}
            derive = {{ amount = "quantity * unit_price" }}
        }}
    }}
}}
real_time_aggregations = {{
    hourly_by_country = {{
        dimensions = ["country"]
        where = "quantity > 0 and unit_price > 0"
        metrics = {{
            revenue = {{ function = "sum", column = "amount" }}
            orders = {{ function = "distinct", column = "invoice_no" }}
            customers = {{ function = "distinct", column = "customer_id" }}
        }}
        window = "1 hour"
    }}
    daily_revenue = {{
        where = "quantity > 0 and unit_price > 0"
        metrics = {{
            revenue = {{ function = "sum", column = "amount" }}
            orders = {{ function = "distinct", column = "invoice_no" }}
        }}
        window = "1 day"
    }}
}}
"""
# Events one gap apart are one session; where they are two, a gap of a millisecond less says the same.
WINDOWS = """
stream_processing = { windows = {
    rolling = { size = "2 hours", slide = "30 minutes" }
    inclusive = { gap = "30 minutes" }
    exclusive = { gap = "1799999 ms" }
} }
real_time_aggregations = {
    rolling_sales = {
        window = "rolling"
        where = "quantity > 0 and unit_price > 0"
        metrics = {
            revenue = { function = "sum", column = "amount" }
            customers = { function = "distinct", column = "customer_id" }
        }
    }
    inclusive_visits = {
        window = "inclusive"
        dimensions = ["customer_id"]
        where = "quantity > 0 and unit_price > 0 and customer_id is not null"
        metrics = { revenue = { function = "sum", column = "amount" } }
    }
    exclusive_visits = {
        window = "exclusive"
        dimensions = ["customer_id"]
        where = "quantity > 0 and unit_price > 0 and customer_id is not null"
        metrics = { revenue = { function = "sum", column = "amount" } }
    }
}
"""


@pytest.mark.slow
def test_real_shop_events_give_the_published_revenue(tmp_path: Path) -> None:
    data = reference_data("online_retail")
    tusk = Tusk(tmp_path)
    tusk.configure(CONFIG.format(path=data / "events.parquet"))

    tusk("run", "--all")

    hourly = {
        (r["window_start"][:19], r["country"]): (r["event_count"], Decimal(r["revenue"]), r["orders"], r["customers"])
        for r in tusk.sql("select * from agg.hourly_by_country")
    }
    published = pq.read_table(data / "expected_hourly_by_country.parquet").to_pylist()
    assert hourly == {
        (r["window_start"], r["country"]): (r["sales_count"], Decimal(r["revenue"]), r["orders"], r["customers"])
        for r in published
    }
    days = tusk.sql("select * from agg.daily_revenue")
    daily: dict[str, object] = {r["window_start"][:10]: (float(r["revenue"]), r["orders"]) for r in days}
    assert daily == {
        r["day"].date().isoformat(): (pytest.approx(r["revenue"], rel=1e-12), r["orders"])
        for r in pq.read_table(data / "expected_daily_revenue.parquet").to_pylist()
    }
    assert {r["is_final"] for r in days} == {True}


@pytest.mark.slow
def test_real_shop_events_give_the_published_sliding_windows_and_sessions(tmp_path: Path) -> None:
    data = reference_data("online_retail")
    tusk = Tusk(tmp_path)
    stream = CONFIG[: CONFIG.index("real_time_aggregations")].format(path=data / "events.parquet")
    tusk.configure(stream + WINDOWS)

    tusk("run", "--all")

    rolling = tusk.sql("select * from agg.rolling_sales")
    assert {r["window_start"][:19]: (r["event_count"], r["customers"], Decimal(r["revenue"])) for r in rolling} == {
        r["window_start"]: (r["events"], r["customers"], Decimal(r["revenue"]))
        for r in pq.read_table(data / "expected_sliding_2h_30min.parquet").to_pylist()
    }
    published = pq.read_table(data / "expected_sessions_gap30min.parquet").to_pylist()
    for boundary, short in (("inclusive", timedelta()), ("exclusive", timedelta(milliseconds=1))):
        visits = tusk.sql(f"select * from agg.{boundary}_visits")
        assert {
            (r["customer_id"], r["window_start"][:19], datetime.fromisoformat(r["window_end"])): (
                r["event_count"], Decimal(r["revenue"]),
            )
            for r in visits
        } == {
            (r["customer"], r["session_start"], datetime.fromisoformat(r["session_end"] + "+00:00") - short): (
                r["events"], Decimal(r["revenue"]),
            )
            for r in published
            if r["boundary"] == boundary
        }  # fmt: skip


def generated(path: Path) -> dict[tuple[str, str], tuple[int, Decimal, int]]:
    """A CSV of shop events in three files, and its hourly revenue by country summed plainly."""
    chance = random.Random(11)
    start = datetime(2024, 3, 30, 22, tzinfo=UTC)
    sums: dict[tuple[str, str], list[tuple[str, Decimal]]] = defaultdict(list)
    for number in range(3):
        with (path / f"sales-{number}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"])
            for _ in range(1_000):
                at = start + timedelta(seconds=chance.randrange(5 * 3600))
                quantity, price = chance.randrange(-2, 20), Decimal(chance.randrange(0, 10_000)) / 100
                invoice, country = f"i{chance.randrange(200)}", chance.choice(["Norway", "EIRE", "France"])
                writer.writerow([invoice, "s1", quantity, at.strftime("%Y-%m-%d %H:%M:%S"), price, 7, country])
                if quantity > 0 and price > 0:
                    hour = at.replace(minute=0, second=0).strftime("%Y-%m-%dT%H:%M:%S")
                    sums[hour, country].append((invoice, quantity * price))
    return {k: (len(v), sum((a for _, a in v), Decimal()), len({i for i, _ in v})) for k, v in sums.items()}


@pytest.mark.slow
def test_generated_shop_events_give_their_plain_sums(tmp_path: Path) -> None:
    expected = generated(tmp_path)
    tusk = Tusk(tmp_path)
    tusk.configure(CONFIG.format(path="sales-*.csv"))

    tusk("run", "agg.hourly_by_country", "--upstream")

    found = tusk.sql("select * from agg.hourly_by_country")
    assert {
        (r["window_start"][:19], r["country"]): (r["event_count"], Decimal(r["revenue"]), r["orders"]) for r in found
    } == expected
