"""The made-up events: repeatable, realistic, and wrong in just the shares that are meant."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.streams import a_stream
from tusk_platform.core.decode import decode
from tusk_platform.core.demo import Generator, Stretch
from tusk_platform.core.schema import raw_schema
from tusk_platform.plan.nodes import Column, ColumnType, RowRule, Stream
from tusk_platform.ports import Batch, Chunk
from tusk_platform.units import HOUR, MINUTE, SECOND

NOW = 1_800_000_000 * SECOND
COLUMNS: dict[str, ColumnType] = {
    "timestamp": "timestamp", "event_id": "string", "user_id": "integer", "event_type": "string",
    "country": "string", "device_type": "string", "page_url": "string", "session_duration": "double",
    "product_id": "string", "category": "string", "amount": "decimal", "payment_method": "string",
    "error_type": "string", "response_time": "double", "status_code": "double", "loyalty": "boolean",
}  # fmt: skip


def a_shop(**changes: Any) -> Stream:  # noqa: ANN401 - any field of a stream
    """A stream of all that visitors of a shop do."""
    usual: dict[str, Any] = {
        "columns": tuple(Column(n, t) for n, t in COLUMNS.items()),
        "key": "user_id",
        "value": "amount",
        "event_type": "event_type",
        "event_types": ("page_view", "purchase", "error", "newsletter"),
    }
    return a_stream(**{**usual, **changes})


def hours(stream: Stream, count: int = 2) -> Stretch:
    """All events of the hours before now."""
    return Generator(stream).between(NOW - count * HOUR, NOW, 10**9)


@pytest.fixture(scope="module")
def made() -> Stretch:
    """Two hours of the shop."""
    return hours(a_shop())


def rows(stream: Stream, made: Stretch) -> pa.Table:
    """The events as the raw table would hold them."""
    return decode(stream, Batch((Chunk("demo", made.offsets, made.next_offset, made.payloads),)), NOW).rows


def objects(made: Stretch) -> list[dict[str, Any]]:
    """The events that are whole."""
    return [orjson.loads(p) for p in made.payloads if p.endswith(b"}")]


def test_second_depends_on_nothing_else() -> None:
    forward, backward = Generator(a_shop()), Generator(a_shop())
    seconds = range(NOW // SECOND, NOW // SECOND + 60)

    assert [forward.second(s) for s in seconds] == [backward.second(s) for s in reversed(seconds)][::-1]


def test_seed_and_name_make_other_events() -> None:
    second = NOW // SECOND
    made = [Generator(a_shop(name=n), seed=s, rate=20).second(second) for n, s in (("a", 1), ("b", 1), ("a", 2))]

    assert made[0] != made[1]
    assert made[0] != made[2]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(0, 3 * SECOND))
@settings(max_examples=30, deadline=None)
def test_stretches_add_up(limits: list[int], start: int) -> None:
    generator = Generator(a_shop(), rate=5)
    begin, end = NOW - 20 * SECOND + start, NOW + SECOND // 2
    whole = generator.between(begin, end, 10**9)

    offsets: list[int] = []
    payloads: list[bytes] = []
    position = begin
    for limit in (*limits, 10**9):
        part = generator.between(position, end, limit)
        offsets += part.offsets
        payloads += part.payloads
        position = part.next_offset

    assert (offsets, payloads, position) == (whole.offsets, whole.payloads, NOW)
    assert offsets == sorted(set(offsets))


def test_position_after_now_brings_nothing() -> None:
    made = Generator(a_shop()).between(2**62, NOW, 100)

    assert made == Stretch([], [], 2**62)


def test_few_events_are_broken_on_purpose(made: Stretch) -> None:
    table = rows(a_shop(), made)
    reasons = Counter(r.split(":")[0] for r in table["_reason"].to_pylist() if r)

    assert 0.002 < sum(reasons.values()) / table.num_rows < 0.008
    assert set(reasons) >= {"undecodable", "required", "type", "range"}


def test_few_events_are_late(made: Stretch) -> None:
    times = rows(a_shop(), made)["_event_time"].cast(pa.int64()).to_pylist()
    behind = [o - t for o, t in zip(made.offsets, times, strict=True) if t is not None]

    assert 0.005 < sum(b > 10 * MINUTE for b in behind) / len(behind) < 0.015
    assert min(behind) >= -1000


def test_few_events_come_twice(made: Stretch) -> None:
    copies = Counter(e["event_id"] for e in objects(made))

    assert 0.002 < sum(n > 1 for n in copies.values()) / len(copies) < 0.008
    assert max(copies.values()) == 2


def test_some_visitors_do_most(made: Stretch) -> None:
    found = Counter(e["user_id"] for e in objects(made) if e.get("user_id"))
    busiest = sum(n for _, n in found.most_common(len(found) // 10))

    assert len(found) > 100
    assert busiest / found.total() > 0.3


def test_visitor_stays_the_same(made: Stretch) -> None:
    countries = {(e.get("user_id"), e["country"]) for e in objects(made) if e.get("user_id")}

    assert len(countries) == len({user for user, _ in countries})


def test_every_declared_type_appears(made: Stretch) -> None:
    types = Counter(e["event_type"] for e in objects(made))

    assert set(types) >= {"page_view", "purchase", "error", "newsletter", "api_request"}
    assert types["page_view"] > types["purchase"] > types["error"]


def test_events_carry_what_fits_their_type(made: Stretch) -> None:
    events = objects(made)
    purchase = next(e for e in events if e["event_type"] == "purchase")
    view = next(e for e in events if e["event_type"] == "page_view")

    assert {"amount", "product_id", "category", "payment_method", "country"} <= set(purchase)
    assert not {"amount", "product_id", "error_type", "status_code"} & set(view)
    assert {"page_url", "session_duration", "device_type"} <= set(view)


def test_afternoon_is_busier_than_night() -> None:
    midnight = NOW - NOW % (24 * HOUR)
    generator = Generator(a_shop(), rate=2)
    night, day = (
        len(generator.between(midnight + h * HOUR, midnight + (h + 1) * HOUR, 10**9).offsets) for h in (3, 15)
    )

    assert day > 2 * night


def test_topics_of_sensors_are_used() -> None:
    columns = (Column("timestamp", "timestamp"), Column("topic", "string"), Column("value", "double"))
    topics = ["sensor/temperature", "sensor/humidity"]
    events = objects(hours(a_stream(columns=columns, rules=(), options={"topics": topics})))

    warmth = [e["value"] for e in events if e.get("topic") == "sensor/temperature"]

    assert {e.get("topic") for e in events} == set(topics)
    assert 10 < min(warmth) < max(warmth) < 35


def test_csv_stream_gets_lines() -> None:
    stream = a_shop(format="csv", rules=(RowRule("required:user_id", "required", "user_id"),))
    table = rows(stream, hours(stream, 1))

    assert pc.mean(pc.equal(table["_status"], "ok")).as_py() > 0.99


@given(
    st.dictionaries(
        st.sampled_from(["page", "who_knows", "latency", "total", "id", "device", "born", "price_id", "extra"]),
        st.sampled_from(get_args(ColumnType)),
        min_size=1,
    ),
    st.floats(-1000, 1000),
)
@settings(max_examples=40, deadline=None)
def test_any_columns_are_filled_within_the_rules(types: dict[str, ColumnType], low: float) -> None:
    columns = (Column("timestamp", "timestamp"), *(Column(n, t) for n, t in types.items()))
    name, kind = max(types.items())
    rules = [RowRule(f"required:{name}", "required", name)]
    if kind in {"integer", "double", "decimal"}:
        rules.append(RowRule(f"range:{name}", "range", name, low, low + 10))
    stream = a_stream(columns=columns, rules=tuple(rules), dedup_key=("id",) if "id" in types and name != "id" else ())

    table = rows(stream, Generator(stream, rate=20).between(NOW - 20 * SECOND, NOW, 300))

    assert table.schema == raw_schema(stream)
    assert pc.sum(pc.equal(table["_status"], "quarantined")).as_py() <= 12
