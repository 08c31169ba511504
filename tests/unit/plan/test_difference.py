"""What differs between two configs, line by line, and what is told of plans that an earlier version wrote."""

from __future__ import annotations

from typing import Any

import pytest

from tusk_platform.cli.difference_page import Comparison, difference_json, difference_page
from tusk_platform.compile import compile_text
from tusk_platform.plan.difference import difference
from tusk_platform.plan.impact import impact
from tusk_platform.plan.page import as_json

STREAM = """real_time_analytics = { data_streams = { orders = { source = "http", event_time = "at", key = "buyer",
    schema = { at = "timestamp", buyer = "string", shop = "string", amount = "decimal", took = "double" } } } }
"""


def plan(text: str) -> dict[str, Any]:
    compiled = compile_text(text, "shop.tsk")
    assert not compiled.errors
    return as_json(compiled.plan)


def aggregate(rest: str, name: str = "sales") -> str:
    return STREAM + f'real_time_aggregations = {{ {name} = {{ stream = "orders", {rest} }} }}\n'


def compared(before: dict[str, Any], after: dict[str, Any]) -> Comparison:
    nodes = difference(before, after)
    return Comparison("before", before, after, nodes, impact(before, after, nodes, None))


SALES = "  aggregate sales (shop.tsk:3:28)"
SUM = 'metrics = { amount = "sum" }, window = "1 minute"'


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param(aggregate(SUM), aggregate(SUM), ["no change"], id="nothing"),
        pytest.param(
            aggregate(SUM), aggregate('metrics = { amount = "max" }, window = "1 minute"'),
            ["Changed", SALES, "    metrics.amount.function: sum → max",
             "Rebuilt", "  agg.sales: metric amount", "1 changed, 1 rebuilt"],
            id="metric",
        ),
        pytest.param(
            aggregate(SUM), aggregate(SUM + ', dimensions = ["shop"], where = "amount > 1"'),
            ["Changed", SALES, "    dimensions: none → shop", "    where: none → amount > 1",
             "Rebuilt", "  agg.sales: dimensions, where", "1 changed, 1 rebuilt"],
            id="dimensions and filter",
        ),
        pytest.param(
            aggregate(SUM), aggregate(SUM + ', update_frequency = "10 seconds"'),
            ["Changed", SALES, "    update_frequency: 1 minute → 10 seconds", "1 changed"],
            id="pace alone",
        ),
        pytest.param(
            aggregate(SUM), aggregate(SUM, name="turnover"),
            ["Renamed", "  aggregate sales → turnover (shop.tsk:3:28)",
             "Rebuilt", "  agg.turnover: agg.sales has another name", "1 renamed, 1 rebuilt"],
            id="name",
        ),
        pytest.param(
            aggregate(SUM), STREAM,
            ["Dropped", SALES,
             "    agg.sales: data stays until `--allow-drop`", "1 dropped"],
            id="aggregate dropped",
        ),
        pytest.param(
            STREAM,
            STREAM.replace('event_time = "at"', 'event_time = "at", dedup_key = "buyer", idle_timeout = "90 s"'),
            ["Changed", "  stream orders (shop.tsk:1:42)", "    dedup_key: none → buyer",
             "    idle_timeout: 1 minute → 90 seconds", "    deduplicate: false → true", "1 changed"],
            id="stream",
        ),
    ],
)  # fmt: skip
def test_change_is_told_in_words(before: str, after: str, lines: list[str]) -> None:
    page = difference_page(compared(plan(before), plan(after)))

    assert [line for line in page.splitlines() if line] == lines


def test_moved_lines_are_no_change() -> None:
    assert difference(plan(aggregate(SUM)), plan("\n// a comment\n\n" + aggregate(SUM))) == ()


def test_kind_of_node_that_nobody_knows_is_compared() -> None:
    """A plan of a later version: kinds are found by what they look like."""
    before, after = plan(STREAM), plan(STREAM)
    before["reports"] = [{"name": "weekly", "at_hour": 6, "parts": [{"name": "top", "size": 60_000_000}]}]
    after["reports"] = [
        {"name": "weekly", "at_hour": 7, "parts": [{"name": "top", "size": 90_000_000}]},
        {"name": "daily", "at_hour": 1, "parts": []},
    ]

    assert [line.strip() for line in difference_page(compared(before, after)).splitlines() if line] == [
        "Added", "report daily", "Changed", "report weekly", "at_hour: 6 → 7", "parts.top.size: 1 minute → 90 seconds",
        "1 added, 1 changed",
    ]  # fmt: skip


def test_plan_of_an_earlier_version_lacks_what_was_added_since() -> None:
    now = plan(aggregate(SUM))
    earlier = {k: v for k, v in now.items() if k not in {"models", "scaling", "queries"}}
    earlier["streams"] = [{k: v for k, v in s.items() if k != "arrival_time"} for s in now["streams"]]

    assert difference(earlier, now) == ()


def test_secret_written_out_is_not_shown() -> None:
    before, after = plan(STREAM), plan(STREAM)
    origin = {"key": "connections.kafka", "at": "shop.tsk:1:1"}
    before["connections"] = [{"name": "kafka", "values": {"password": "hunter2", "servers": "a:1"}, "origin": origin}]
    after["connections"] = [{"name": "kafka", "values": {"password": "hunter3", "servers": "b:1"}, "origin": origin}]
    comparison = compared(before, after)

    page, values = difference_page(comparison), str(difference_json(comparison))
    assert "values.password: another value" in page
    assert "values.servers: a:1 → b:1" in page
    assert "hunter" not in page + values


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("", 'timezone = "Europe/Berlin"', "timezone: UTC → Europe/Berlin"),
        ("", 'time_format = "%d.%m.%Y"', "time_format: none → %d.%m.%Y"),
        ("", "change_detection = false", "changes: True → False"),
        ('derive = { at = "made" }', 'derive = { at = "sold" }', "derive.at: made → sold"),
        ("", 'lake_retention = "9 days"', None),
    ],
)
def test_table_whose_rows_would_get_other_times_starts_over(before: str, after: str, told: str | None) -> None:
    """What takes a row back is found by the time that the row had when it came."""

    def table(more: str) -> dict[str, Any]:
        text = f"""connections = {{ database = {{ url = "postgresql://h/d" }} }}
            real_time_analytics = {{ data_streams = {{ orders = {{
                source = "database", table = "orders", cdc_enabled = true, event_time = "at"
                schema = {{ at = "timestamp", made = "timestamp", sold = "timestamp" }}
                {more}
            }} }} }}"""
        return plan(text)

    was, now = table(before), table(after)
    effects = impact(was, now, difference(was, now), None)

    assert [(e.action, e.table, e.why) for e in effects] == ([("restarted", "raw.orders", (told,))] if told else [])
