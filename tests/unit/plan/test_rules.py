"""What a config leaves open, question by question: the answer, and the rule that gives it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from tusk_platform.errors import Span
from tusk_platform.plan.drafts import SourceFacts, StreamDraft
from tusk_platform.plan.nodes import ColumnType
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.rules import (
    WHICH_COLUMN,
    WHICH_ROLE,
    WHICH_SHOWN,
    WHICH_STREAM,
    WHICH_TYPE,
    Role,
    Rule,
    Tie,
    WhichColumn,
    WhichRole,
    WhichShown,
    WhichStream,
    WhichType,
    decide,
)

ANYWHERE = Origin("anywhere", Span("a.tsk", 1, 1))
FREE, FIXED = SourceFacts(), SourceFacts(free_form=False)


def stream(name: str, facts: SourceFacts = FREE, **said: Any) -> StreamDraft:  # noqa: ANN401 - any key of a stream
    return StreamDraft(name, "kafka", ANYWHERE, facts, **said)


def streams(*names: str) -> tuple[StreamDraft, ...]:
    """Streams by name; those of a fixed form end with a bar."""
    return tuple(stream(n.rstrip("|"), FIXED if n.endswith("|") else FREE) for n in names)


def answer(rules: Iterable[Rule[Any]], question: object) -> tuple[Any, str] | None:
    """What is decided, and by which rule."""
    found = decide(tuple(rules), question)
    return (found.answer, found.rule) if found else None


# -- Which stream? -----------------------------------------------------------------------------------------------------

SAID, TYPED, SHARES, FIRST = (rule.name for rule in WHICH_STREAM)


@pytest.mark.parametrize(
    ("name", "said", "there", "expected"),
    [
        ("user_metrics", "orders", ("user_events", "orders"), ("orders", SAID)),
        ("user_metrics", "nowhere", ("user_events",), ("nowhere", SAID)),
        ("user_metrics", None, ("system_metrics|", "user_events"), ("user_events", SHARES)),
        ("user_behavior", None, ("business_events", "user_events"), ("user_events", SHARES)),
        ("order_totals", None, ("visits", "orders"), ("orders", SHARES)),
        ("Shop_Order", None, ("shop_orders", "shop_visits"), ("shop_orders", SHARES)),
        ("orders", None, ("web_orders", "shop_orders"), (Tie(("web_orders", "shop_orders")), SHARES)),
        ("sensor_levels", None, ("visits", "sensors|"), ("sensors", SHARES)),
        ("performance_monitoring", None, ("system_metrics|", "user_events"), ("user_events", FIRST)),
        ("event_metrics", None, ("data_stream|", "visits", "orders"), ("visits", FIRST)),
        ("anything", None, ("system_metrics|",), None),
        ("anything", None, (), None),
    ],
)
def test_stream_of_an_aggregate(name: str, said: str | None, there: tuple[str, ...], expected: object) -> None:
    assert answer(WHICH_STREAM, WhichStream(name, said, streams(*there))) == expected


def test_the_aggregate_of_a_window_reads_the_first_event_stream_whatever_its_name() -> None:
    question = WhichStream("stream_orders", None, streams("machines|", "visits", "orders"), first_event_stream=True)

    assert answer(WHICH_STREAM, question) == ("visits", FIRST)


# -- Which column plays a role? ----------------------------------------------------------------------------------------

OWN, STATED, PRESENT, USUAL = (rule.name for rule in WHICH_ROLE)


@pytest.mark.parametrize(
    ("role", "draft", "columns", "expected"),
    [
        ("event_time", stream("s", event_time="at"), ("timestamp", "at"), ("at", OWN)),
        ("event_time", stream("s", SourceFacts(event_time="t")), ("timestamp",), ("t", STATED)),
        ("event_time", stream("s", SourceFacts(event_time="t"), event_time="at"), (), ("at", OWN)),
        ("event_time", stream("s"), ("ts", "created_at"), ("created_at", PRESENT)),
        ("event_time", stream("s"), ("CreatedAt",), ("CreatedAt", PRESENT)),
        ("event_time", stream("s"), ("page",), ("timestamp", USUAL)),
        ("event_time", stream("s", schema={"page": "string"}), ("page",), None),
        ("event_time", stream("s", FIXED), ("page",), None),
        ("key", stream("s", SourceFacts(event_time="t")), ("customer_id", "id"), ("customer_id", PRESENT)),
        ("key", stream("s"), (), ("user_id", USUAL)),
        ("value", stream("s"), ("price", "value"), ("value", PRESENT)),
        ("value", stream("s"), ("unit_price",), ("amount", USUAL)),
        ("event_type", stream("s"), ("type",), ("type", PRESENT)),
        ("event_type", stream("s", event_type="kind"), ("type",), ("kind", OWN)),
        ("event_type", stream("s"), (), ("event_type", USUAL)),
    ],
)
def test_column_of_a_role(role: Role, draft: StreamDraft, columns: tuple[str, ...], expected: object) -> None:
    assert answer(WHICH_ROLE, WhichRole(role, draft, columns)) == expected


# -- Which column does a metric read? ----------------------------------------------------------------------------------

COLUMN, NAMED, NUMBER, END, VALUE, KEY, BARE = (rule.name for rule in WHICH_COLUMN)


@pytest.mark.parametrize(
    ("metric", "columns", "expected"),
    [
        ("avg_duration", ("duration", "session_duration"), ("duration", NAMED)),
        ("p95_price", ("price",), ("price", NAMED)),
        ("revenue_total", ("revenue",), ("revenue", NAMED)),
        ("unique_pages", ("page", "page_url"), ("page", NUMBER)),
        ("sum_category", ("categories",), ("categories", NUMBER)),
        ("unique_pages", ("page_url", "referrer"), ("page_url", END)),
        ("total_duration", ("session_duration",), ("session_duration", END)),
        ("total_duration", ("session_duration", "call_duration"), ("duration", BARE)),
        ("avg_call_duration", ("call_duration_seconds",), ("call_duration", BARE)),
        ("revenue", ("spent_here",), ("VALUE", VALUE)),
        ("avg_order_value", (), ("VALUE", VALUE)),
        ("total_sales", (), ("VALUE", VALUE)),
        ("total_spent", (), ("VALUE", VALUE)),
        ("unique_visitors", (), ("KEY", KEY)),
        ("user_count", (), ("KEY", KEY)),
        ("distinct_customers", (), ("KEY", KEY)),
        ("min_temperature", (), ("temperature", BARE)),
        ("latency", (), ("latency", BARE)),
    ],
)
def test_column_of_a_metric(metric: str, columns: tuple[str, ...], expected: object) -> None:
    question = WhichColumn(metric, None, columns, value=lambda: "VALUE", key=lambda: "KEY")

    assert answer(WHICH_COLUMN, question) == expected


def test_the_column_that_is_said_needs_no_rule() -> None:
    question = WhichColumn("revenue", "net", ("revenue",), value=lambda: "VALUE", key=lambda: "KEY")

    assert answer(WHICH_COLUMN, question) == ("net", COLUMN)


def test_a_word_for_a_role_that_the_stream_lacks_is_a_column() -> None:
    question = WhichColumn("revenue", None, (), value=lambda: None, key=lambda: None)

    assert answer(WHICH_COLUMN, question) == ("revenue", BARE)


# -- Which type does a column have? ------------------------------------------------------------------------------------

SCHEMA, SOURCE, DATA_TYPES, TIME, MONEY, COMPUTED, YES_NO, TEXT = (rule.name for rule in WHICH_TYPE)


@pytest.mark.parametrize(
    ("column", "schema", "source", "rule", "uses", "expected"),
    [
        ("amount", "integer", "double", "string", {"number"}, ("integer", SCHEMA)),
        ("amount", None, "double", "string", {"number"}, ("double", SOURCE)),
        ("amount", None, None, "uuid", {"number"}, ("uuid", DATA_TYPES)),
        ("at", None, None, None, {"event_time", "number"}, ("timestamp", TIME)),
        ("amount", None, None, None, {"number"}, ("decimal", MONEY)),
        ("unit_price", None, None, None, {"any", "number"}, ("decimal", MONEY)),
        ("shipping_cost", None, None, None, {"number"}, ("decimal", MONEY)),
        ("amount", None, None, None, {"compared"}, ("double", COMPUTED)),
        ("price_list", None, None, None, {"number"}, ("double", COMPUTED)),
        ("status_code", None, None, None, {"any", "compared"}, ("double", COMPUTED)),
        ("success", None, None, None, {"boolean"}, ("boolean", YES_NO)),
        ("amount", None, None, None, {"any"}, ("string", TEXT)),
        ("country", None, None, None, set(), ("string", TEXT)),
    ],
)
def test_type_of_a_column(
    column: str,
    schema: ColumnType | None,
    source: ColumnType | None,
    rule: ColumnType | None,
    uses: set[str],
    expected: object,
) -> None:
    assert answer(WHICH_TYPE, WhichType(column, schema, source, rule, frozenset(uses))) == expected


# -- What does a short name show? --------------------------------------------------------------------------------------

EXACT, WIDGET, AGGREGATE, STREAM = (rule.name for rule in WHICH_SHOWN)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("user_activity_chart", (("widget", "user_activity_chart"), EXACT)),
        ("user_metrics", (("aggregate", "user_metrics"), EXACT)),
        ("user_events", (("stream", "user_events"), EXACT)),
        ("both", (("widget", "both"), EXACT)),
        ("user_activity", (("widget", "user_activity_chart"), WIDGET)),
        ("system_health", (("widget", "system_health_gauge"), WIDGET)),
        ("billing", (("aggregate", "billing_by_day"), AGGREGATE)),
        ("doors", (("stream", "door_sensors"), STREAM)),
        ("panel_chart", None),
        ("weather", None),
    ],
)
def test_what_a_short_name_shows(name: str, expected: object) -> None:
    question = WhichShown(
        name,
        widgets=("user_activity_chart", "system_health_gauge", "both"),
        aggregates=("user_metrics", "billing_by_day", "both"),
        streams=("user_events", "system_metrics", "door_sensors", "both"),
    )

    assert answer(WHICH_SHOWN, question) == expected


def test_equally_near_things_to_show_are_a_tie() -> None:
    question = WhichShown("sales", widgets=("sales_today", "sales_map"), aggregates=("sales_by_day",), streams=())

    assert answer(WHICH_SHOWN, question) == (Tie(("sales_today", "sales_map")), WIDGET)


def test_the_first_rule_that_answers_wins() -> None:
    rules: list[Rule[int]] = [Rule("no", lambda _: None), Rule("first", lambda q: q), Rule("second", lambda q: q + 1)]

    assert answer(rules, 1) == (1, "first")
    assert answer(rules[:1], 1) is None
