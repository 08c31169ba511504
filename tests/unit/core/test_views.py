from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.streams import COLUMNS, ORIGIN, a_stream, an_aggregate
from tusk_platform.core.lateness import late_for_all
from tusk_platform.core.schema import TIMESTAMP, aggregate_schema, raw_schema
from tusk_platform.core.views import STREAM_VIEWS, stored_behind, view_names, view_sql
from tusk_platform.plan.nodes import (
    END_OF_TIME,
    NO_WATERMARK,
    Aggregate,
    Column,
    Metric,
    Plan,
    Session,
    Sliding,
    Stream,
    Tumbling,
    Window,
)
from tusk_platform.plan.profile import Runtime
from tusk_platform.storage.duck import load_extensions
from tusk_platform.units import DAY, HOUR, MINUTE

CONNECTION = duckdb.connect(config={"threads": 1})
load_extensions(CONNECTION)
START = 1_767_225_600_000_000
EVENTS = st.lists(
    st.tuples(st.integers(0, 400), st.none() | st.integers(0, 400)).map(
        lambda pair: (START + pair[0] * HOUR, None if pair[1] is None else START + pair[1] * HOUR)
    ),
    min_size=1,
    max_size=30,
)
WINDOWS: list[Window] = [
    Tumbling(5 * MINUTE, MINUTE),
    Tumbling(DAY),
    Tumbling(7 * DAY),
    Tumbling(7 * DAY, 3 * HOUR),
    Sliding(3 * HOUR, HOUR),
    Sliding(3 * DAY, DAY),
    Sliding(14 * DAY, 7 * DAY, HOUR),
    Session(30 * MINUTE),
]


def a_plan(stream: Stream, *aggregates: Aggregate, timezone: str = "UTC") -> Plan:
    return Plan("shop.tsk", streams=(stream,), aggregates=aggregates, runtime=Runtime(timezone=timezone))


def seen(
    plan: Plan, view: str, rows: list[dict[str, Any]], schema: pa.Schema, watermark: int | None = None
) -> pa.Table:
    """What a view shows of these stored rows."""
    CONNECTION.register("stored", pa.Table.from_pylist(rows, schema=schema))
    sql = view_sql(plan, view, "stored", present=schema.names, watermark=watermark)
    return CONNECTION.execute(sql).to_arrow_table()


def row(number: int, *, at: int = START, **more: object) -> dict[str, Any]:
    usual = {"event_id": f"e{number}", "user_id": number, "_event_time": at, "_status": "ok", "_partition": "0"}
    return {**usual, "_offset": number, "_batch": 1, **more}


def test_views_are_named_by_streams_and_aggregates() -> None:
    plan = a_plan(a_stream(), an_aggregate())

    assert view_names(plan) == ("raw.orders", "quarantine.orders", "late.orders", "clean.orders", "agg.per_minute")
    assert stored_behind(plan, "late.orders") == "raw.orders"
    assert stored_behind(plan, "agg.per_minute") == "agg.per_minute"


@pytest.mark.parametrize("view", STREAM_VIEWS)
def test_stream_without_a_table_has_empty_views_of_the_same_columns(view: str) -> None:
    plan = a_plan(a_stream(deduplicate=True), an_aggregate())
    schema = raw_schema(plan.streams[0])
    name = f"{view}.orders"
    empty = CONNECTION.execute(view_sql(plan, name, "nowhere", present=())).to_arrow_table()

    assert empty.num_rows == 0
    assert empty.schema == seen(plan, name, [], schema).schema
    assert empty.column_names == schema.names


def test_column_new_in_the_config_is_read_from_what_had_no_column() -> None:
    new = (
        Column("amount", "decimal"),
        Column("paid", "boolean", ("is_paid",)),
        Column("odd.\"name'", "integer"),
        Column("tags", "json"),
        Column("since", "timestamp"),
        Column("gone", "double"),
    )
    extra = (
        '{"amount": "12.5", "is_paid": true, "odd.\\"name\'": 7, "tags": ["a"], "since": "2026-01-01T01:00:00+01:00", '
        '"gone": "much"}'
    )
    stored = raw_schema(a_stream(columns=COLUMNS[:3]))
    found = seen(a_plan(a_stream(columns=(*COLUMNS[:3], *new))), "raw.orders", [row(1, _extra=extra), row(2)], stored)

    assert found.select([c.name for c in new]).to_pylist() == [
        {
            "amount": Decimal("12.5000"),
            "paid": True,
            "odd.\"name'": 7,
            "tags": '["a"]',
            "since": datetime(2026, 1, 1, tzinfo=UTC),
            "gone": None,
        },
        dict.fromkeys([c.name for c in new]),
    ]


def test_quarantine_and_clean_part_the_rows() -> None:
    plan = a_plan(a_stream())
    rows = [row(1), row(2, _status="quarantined", _reason="range:amount: -1"), row(3)]

    assert seen(plan, "quarantine.orders", rows, raw_schema(plan.streams[0]))["_offset"].to_pylist() == [2]
    assert seen(plan, "clean.orders", rows, raw_schema(plan.streams[0]))["_offset"].to_pylist() == [1, 3]


def test_first_copy_within_the_horizon_counts() -> None:
    stream = a_stream(deduplicate=True, dedup_horizon=HOUR)
    rows = [
        row(1, event_id="a", _batch=2),
        row(2, event_id="a", _batch=1, at=START + HOUR),
        row(3, event_id="a", _batch=3, at=START + 3 * HOUR),
        row(4, event_id="b", _status="quarantined"),
        row(5, event_id="b"),
        row(6, event_id=None),
        row(6, event_id=None, _partition="1"),
        row(7, event_id="c", _partition="1"),
        row(7, event_id="c", _partition="0", user_id=70),
    ]
    found = seen(a_plan(stream), "clean.orders", rows, raw_schema(stream))

    assert sorted(zip(found["_offset"].to_pylist(), found["user_id"].to_pylist(), strict=True)) == [
        (2, 2), (3, 3), (5, 5), (6, 6), (6, 6), (7, 70),
    ]  # fmt: skip


def test_without_aggregates_nothing_is_late() -> None:
    plan = a_plan(a_stream())

    assert seen(plan, "late.orders", [row(1, _watermark=START + DAY)], raw_schema(plan.streams[0])).num_rows == 0


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/Havana", "Asia/Kathmandu"])
@given(events=EVENTS, windows=st.lists(st.sampled_from(WINDOWS), min_size=1, max_size=3), lateness=st.integers(0, 48))
@settings(max_examples=25, deadline=None)
def test_late_rows_are_those_that_ingest_reports(
    timezone: str, events: list[tuple[int, int | None]], windows: list[Window], lateness: int
) -> None:
    aggregates = [an_aggregate(w, lateness=lateness * HOUR, name=f"a{n}") for n, w in enumerate(windows)]
    plan = a_plan(a_stream(), *aggregates, timezone=timezone)
    rows = [row(n, at=t, _watermark=watermark) for n, (t, watermark) in enumerate(events)]
    found = seen(plan, "late.orders", rows, raw_schema(plan.streams[0]))

    times, watermarks = (pa.array(values, pa.int64()) for values in zip(*events, strict=True))
    expected = late_for_all(times, watermarks, aggregates, timezone).to_pylist()
    assert sorted(found["_offset"].to_pylist()) == [n for n, late in enumerate(expected) if late]


REVENUE = Metric("revenue", "sum", "decimal", "amount", money=True)
WINDOW = {"window_start": START, "window_end": START + MINUTE, "user_id": 1, "event_count": 2, "revenue": Decimal(3)}


def windows_of(**changes: Any) -> Aggregate:  # noqa: ANN401 - any field of an aggregate
    usual: dict[str, Any] = {"dimensions": ("user_id",), "metrics": (REVENUE,), "allowed_lateness": MINUTE}
    return Aggregate(
        **{"name": "per_minute", "stream": "orders", "window": Tumbling(MINUTE), "origin": ORIGIN, **usual, **changes}
    )


def test_aggregate_shows_its_columns_in_the_promised_order() -> None:
    aggregate = windows_of()
    plan = a_plan(a_stream(), aggregate)
    found = seen(plan, "agg.per_minute", [WINDOW], aggregate_schema(aggregate, plan.streams[0]))

    assert found.column_names == [
        "window_start", "window_end", "user_id", "event_count", "revenue", "is_final", "updated_at",
    ]  # fmt: skip
    assert found.schema.field("revenue").type == pa.decimal128(38, 4)
    assert found.schema.field("window_start").type == TIMESTAMP
    nowhere = CONNECTION.execute(view_sql(plan, "agg.per_minute", "nowhere", present=())).to_arrow_table()
    assert nowhere.schema == found.schema


@pytest.mark.parametrize(
    ("watermark", "final"),
    [
        (None, False),
        (NO_WATERMARK, False),
        (START + 2 * MINUTE - 1, False),
        (START + 2 * MINUTE, True),
        (END_OF_TIME, True),
    ],
)
def test_window_is_final_once_the_watermark_passed_its_lateness(watermark: int | None, *, final: bool) -> None:
    aggregate = windows_of()
    plan = a_plan(a_stream(), aggregate)
    schema = aggregate_schema(aggregate, plan.streams[0])

    assert seen(plan, "agg.per_minute", [WINDOW], schema, watermark)["is_final"].to_pylist() == [final]


def test_metric_that_was_never_computed_is_null() -> None:
    plan = a_plan(a_stream(), windows_of())
    stored = aggregate_schema(windows_of(metrics=()), plan.streams[0])
    window = {name: value for name, value in WINDOW.items() if name != "revenue"}

    assert seen(plan, "agg.per_minute", [window], stored)["revenue"].to_pylist() == [None]
