"""A million events through a real broker equal a plain recomputation, row by row, and a second run changes nothing."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # exported without saying so
from deltalake import DeltaTable

from tests.e2e.tusk import Tusk
from tests.services.kafka import Broker

EVENTS = 1_000_000
PARTITIONS = 8
MINUTE = 60_000_000
LATENESS = 30_000_000
COUNTRIES = ("DE", "FR", "GB", "IN", "US", None)
START = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=3)

CONFIG = """
connections = {{ kafka = {{ bootstrap_servers = "{address}" }} }}
real_time_analytics = {{
    data_streams = {{
        orders = {{
            source = "kafka"
            topic = "orders"
            partition_count = 8
            retention_hours = 24
            event_time = "at"
            dedup_key = "event_id"
            schema = {{
                event_id = "string", at = "timestamp", user_id = "integer", country = "string", amount = "decimal"
            }}
        }}
    }}
}}
real_time_aggregations = {{
    per_country = {{
        dimensions = ["country"]
        metrics = {{
            revenue = "sum"
            avg_amount = "avg"
            buyers = {{ function = "distinct", column = "user_id" }}
            largest = {{ function = "max", column = "amount" }}
        }}
        window = "1 minute"
        allowed_lateness = "30 seconds"
    }}
}}
data_quality_config = {{
    validation_rules = {{
        required_fields = ["user_id"]
        value_ranges = {{ amount = {{ min = 0, max = 10000 }} }}
        streams = ["orders"]
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Event:
    """One produced message: what it says, and whether it must be refused."""

    payload: bytes
    id: str
    at: int
    country: str | None
    user: int
    amount: Decimal
    broken: bool = False


def events(count: int) -> Iterator[tuple[int, Event]]:
    """Partition and event: 1 % late by minutes, 1 % repeated, 0.5 % broken, the rest out of order by seconds."""
    chance = random.Random(7)
    start = int(START.timestamp() * 1_000_000)
    recent: list[Event] = []
    for i in range(count):
        partition = chance.randrange(PARTITIONS)
        draw = chance.random()
        if draw < 0.01 and recent:
            yield partition, chance.choice(recent)
            continue
        at = start + i * 7_200 + chance.randrange(-3_000_000, 3_000_000)
        if draw < 0.02:
            at -= chance.randrange(0, 15 * MINUTE)
        event = Event(b"", f"e{i}", at, chance.choice(COUNTRIES), chance.randrange(5_000),
                      Decimal(chance.randrange(1, 1_000_000)) / 100)  # fmt: skip
        event = written(event, broken=0.02 <= draw < 0.025, chance=chance)
        yield partition, event
        if not event.broken:
            recent = [*recent[-50:], event] if i % 100 == 0 else recent


def written(event: Event, *, broken: bool, chance: random.Random) -> Event:
    """The event with its bytes, whole or spoiled in one of five ways."""
    moment = datetime.fromtimestamp(event.at / 1_000_000, UTC).isoformat()
    value: dict[str, Any] = {"event_id": event.id, "at": moment, "user_id": event.user, "amount": str(event.amount)}
    if event.country:
        value["country"] = event.country
    payload = json.dumps(value).encode()
    if broken:
        spoiled = (
            payload[:-5],
            b"[1, 2]",
            json.dumps({k: v for k, v in value.items() if k != "at"}).encode(),
            json.dumps(value | {"user_id": None}).encode(),
            json.dumps(value | {"amount": -1}).encode(),
        )
        payload = chance.choice(spoiled)
    return Event(payload, event.id, event.at, event.country, event.user, event.amount, broken)


def produce(broker: Broker) -> dict[tuple[str, int], Event]:
    """All events in the topic, and where each stands."""
    admin = AdminClient({"bootstrap.servers": broker.address})
    admin.create_topics([NewTopic("orders", PARTITIONS, 1, config={"retention.ms": "86400000"})])["orders"].result(30)
    producer = Producer({"bootstrap.servers": broker.address, "linger.ms": 20, "compression.type": "lz4",
                         "enable.idempotence": True, "queue.buffering.max.messages": 2_000_000})  # fmt: skip
    placed: dict[tuple[str, int], Event] = {}
    following = [0] * PARTITIONS
    for partition, event in events(EVENTS):
        producer.produce("orders", event.payload, partition=partition)
        placed[str(partition), following[partition]] = event
        following[partition] += 1
        if len(placed) % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0
    return placed


def recomputed(placed: dict[tuple[str, int], Event], raw: list[dict[str, Any]]) -> dict[tuple[int, str | None], Any]:
    """The aggregate from the produced events, with the watermark each row met when it came in."""
    groups: dict[tuple[int, str | None], list[Event]] = defaultdict(list)
    seen: set[str] = set()
    for row in sorted(raw, key=lambda r: (r["_batch"], r["_offset"], r["_partition"])):
        event = placed[row["_partition"], row["_offset"]]
        if event.broken or event.id in seen:
            continue
        seen.add(event.id)
        window = event.at // MINUTE * MINUTE
        watermark = row["_watermark"]
        if watermark is None or window + MINUTE + LATENESS > int(watermark.timestamp() * 1_000_000 + 0.5):
            groups[window, event.country].append(event)
    return {
        key: (
            len(found),
            sum(e.amount for e in found),
            len({e.user for e in found}),
            max(e.amount for e in found),
        )
        for key, found in groups.items()
    }


@pytest.mark.slow
@pytest.mark.service("kafka")
@pytest.mark.timeout(900)
def test_million_events_equal_their_recomputation(kafka: Broker, tmp_path: Path) -> None:
    tusk = Tusk(tmp_path)
    tusk.configure(CONFIG.format(address=kafka.address))
    placed = produce(kafka)
    broken = sum(e.broken for e in placed.values())

    report = tusk("ingest", "orders", "--once", "--json").json()
    tusk("run", "agg.per_country")

    assert report["rows"] + report["quarantined"] == len(placed) == EVENTS
    assert report["quarantined"] == broken
    assert report["late"] > 0
    assert report["duplicates"] > 0
    raw = DeltaTable(tmp_path / ".tusk" / "lake" / "raw" / "orders").to_pyarrow_table(
        columns=["_partition", "_offset", "_batch", "_watermark"]
    )
    rows = raw.to_pylist()
    assert {(r["_partition"], r["_offset"]) for r in rows} == set(placed)
    assert len(rows) == EVENTS
    expected = recomputed(placed, rows)
    assert aggregate(tusk) == expected

    again = tusk("ingest", "orders", "--once", "--json").json()
    before = tusk.sql("select * from agg.per_country order by all")
    tusk("run", "agg.per_country")
    assert (again["rows"], again["quarantined"], again["position"]) == (0, 0, report["position"])
    assert tusk.sql("select * from agg.per_country order by all") == before


def aggregate(tusk: Tusk) -> dict[tuple[int, str | None], Any]:
    """The aggregate's table in the form of the recomputation."""
    rows = tusk.sql("select epoch_us(window_start) as ws, * from agg.per_country")
    for row in rows:
        assert row["avg_amount"] == pytest.approx(float(Decimal(row["revenue"]) / row["event_count"]), rel=1e-9)
    return {
        (r["ws"], r["country"]): (r["event_count"], Decimal(r["revenue"]), r["buyers"], Decimal(r["largest"]))
        for r in rows
    }
