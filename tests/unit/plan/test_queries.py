"""Names in queries: which table, which column, how far back, and what of it reaches the streams."""

from __future__ import annotations

import pytest

from tests.unit.sections.mutation import seed
from tusk_platform.compile import compile_text
from tusk_platform.plan.nodes import Plan, Query
from tusk_platform.plan.query_drafts import Table
from tusk_platform.plan.query_tables import WHICH_TABLE, WhichTable, in_order
from tusk_platform.plan.rules import decide
from tusk_platform.units import DAY, HOUR, MINUTE

STREAMS = """\
demo = false
real_time_analytics = { data_streams = {
    user_events = { source = "kafka" }
    orders = { source = "kafka", schema = { order_id = "string", created_at = "string", timestamp = "timestamp" } }
} }
real_time_aggregations = { slow = {
    stream = "user_events", metrics = { revenue = "sum" }, window = "1 hour", update_frequency = "10 minutes"
} }
"""


def the_plan(**queries: str) -> Plan:
    """The plan of some queries, which must be right."""
    lines = "\n".join(f'    {name} = @query("""{sql}""")' for name, sql in queries.items())
    compiled = compile_text(f"{STREAMS}analytics_data_sources = {{\n{lines}\n}}\n", "platform.tsk")
    assert not compiled.errors, "\n".join(p.render() for p in compiled.errors)
    return compiled.plan


def one(sql: str) -> Query:
    """The query of that text."""
    return the_plan(q=sql).queries[0]


def flat(sql: str) -> str:
    return " ".join(sql.split())


@pytest.mark.parametrize(
    ("name", "schema", "expected"),
    [
        ("events", "", Table("stream", "events")),
        ("sales", "", Table("aggregate", "sales")),
        ("best", "", Table("query", "best")),
        ("sales", "agg", Table("aggregate", "sales")),
        ("purchase", "", Table("stream", "events", "purchase")),
        ("purchases", "", Table("stream", "events", "purchase")),
        ("api_requests", "", Table("stream", "events", "api_request")),
        ("event", "", None),
        ("purchasess", "", None),
        ("sales", "raw", None),
        ("unheard_of", "agg", None),
    ],
)
def test_table_is_found_by_the_first_rule_that_knows_it(name: str, schema: str, expected: Table | None) -> None:
    decision = decide(
        WHICH_TABLE, WhichTable(name, schema, ("events",), ("sales",), ("best",), ("purchase",), "events")
    )

    assert (decision.answer if decision else None) == expected


def test_without_an_event_stream_an_unknown_name_is_no_type_of_event() -> None:
    assert decide(WHICH_TABLE, WhichTable("purchases", "", (), (), (), ("purchase",), None)) is None


def test_order_puts_what_is_needed_first_and_names_circles() -> None:
    assert in_order({"a": ("b",), "b": ("c",), "c": ()}) == (["c", "b", "a"], [])
    assert in_order({"a": ("b",), "b": ("a",)})[1] == [("a", "b")]


def test_seed_queries_give_their_stream_its_columns_and_a_month_of_history() -> None:
    plan = compile_text(seed(), "platform.tsk").plan
    events = plan.stream("user_events")
    types = {c.name: c.type for c in events.columns}

    assert [q.name for q in plan.queries] == ["real_time_metrics", "user_segments", "system_performance"]
    assert (types["session_duration"], types["response_time"], types["status_code"]) == ("double",) * 3
    assert types["amount"] == "decimal"
    assert "total_spent" not in types
    assert "created_at" not in types
    assert events.retention is not None
    assert events.retention >= 30 * DAY


def test_output_named_before_it_is_defined_is_written_out() -> None:
    sql = flat(one("SELECT total + 1 AS more, SUM(amount) * 2 AS total FROM user_events GROUP BY user_id").sql)

    assert sql.startswith('SELECT ( SUM("amount") * 2 ) + 1 AS "more", SUM("amount") * 2 AS "total"')


def test_name_inside_its_own_definition_is_a_column() -> None:
    plan = the_plan(q="SELECT amount * 2 AS amount, amount + 1 AS b FROM user_events WHERE amount > 3")

    assert 'SELECT "amount" * 2 AS "amount", "amount" + 1 AS "b"' in flat(plan.queries[0].sql)
    assert plan.stream("user_events").column("amount") is not None


def test_having_and_order_mean_the_output_where_both_are_there() -> None:
    sql = flat(
        one("SELECT user_id, SUM(amount) AS amount FROM user_events GROUP BY 1 HAVING amount > 5 ORDER BY amount").sql
    )

    assert 'HAVING SUM("amount") > 5 ORDER BY amount' in sql


def test_usual_name_of_a_time_is_the_event_time_unless_the_schema_has_it() -> None:
    plan = the_plan(
        free="SELECT created_at, ts, occurred_at FROM user_events",
        said="SELECT created_at, occurred_at FROM orders",
        grouped="SELECT DATE(created_at) AS date, COUNT(*) AS n FROM user_events WHERE date > NOW() GROUP BY date",
    )

    free, said, grouped = (flat(q.sql) for q in plan.queries)
    assert free.startswith(
        'SELECT "_event_time" AS "created_at", "_event_time" AS "ts", "_event_time" AS "occurred_at"'
    )
    assert said.startswith('SELECT "created_at" AS "created_at", "_event_time" AS "occurred_at"')
    assert 'WHERE "_event_time" > NOW() GROUP BY CAST("_event_time" AS DATE)' in grouped
    assert [c.type for c in plan.query("said").columns] == ["string", "timestamp"]


def test_uses_reach_the_column_through_subqueries_and_other_queries() -> None:
    plan = the_plan(
        first="SELECT user_id, points AS p, name FROM user_events",
        second="SELECT AVG(p) AS a FROM query.first",
        nested="SELECT SUM(CASE WHEN kind = 'x' THEN weight ELSE 0 END) AS w FROM (SELECT * FROM user_events) AS t",
        extremes="SELECT MAX(unit_price) AS a, MAX(latency) AS b, MAX(version) AS c FROM user_events",
    )
    types = {c.name: c.type for c in plan.stream("user_events").columns}

    assert (types["points"], types["weight"], types["name"], types["kind"]) == ("double", "double", "string", "string")
    assert (types["unit_price"], types["latency"], types["version"]) == ("decimal", "double", "string")


def test_look_back_holds_for_a_stream_only_where_each_reading_of_it_is_bounded() -> None:
    both = "SELECT COUNT(*) AS n FROM user_events WHERE created_at > NOW() - INTERVAL 2 HOUR AND amount > 1"
    part = f"{both} OR amount > 100"
    two = f"WITH a AS ({both}) SELECT n FROM a UNION ALL SELECT COUNT(*) FROM user_events"
    days = "SELECT COUNT(*) AS n FROM user_events WHERE DATE(ts) BETWEEN CURDATE() - INTERVAL 7 DAY AND CURDATE()"

    assert [one(q).inputs[0].look_back for q in (both, part, two)] == [2 * HOUR, None, None]
    assert one(days).inputs[0].look_back == 8 * DAY + HOUR
    assert one(part).look_back == 2 * HOUR


def test_query_is_as_slow_as_the_quickest_of_its_inputs() -> None:
    plan = the_plan(
        alone="SELECT SUM(revenue) AS r FROM agg.slow",
        on_slow="SELECT r FROM slow_one",
        slow_one="SELECT MAX(revenue) AS r FROM agg.slow",
        mixed="SELECT COUNT(*) AS n FROM agg.slow AS s JOIN user_events AS e ON e.created_at > s.window_start",
    )

    assert {q.name: q.update_frequency // MINUTE for q in plan.queries} == {
        "alone": 10, "on_slow": 10, "slow_one": 10, "mixed": 1
    }  # fmt: skip
    assert [q.name for q in plan.queries_of("user_events")].index("slow_one") < [
        q.name for q in plan.queries_of("user_events")
    ].index("on_slow")


def test_correlated_subquery_sees_the_tables_around_it() -> None:
    sql = flat(
        one(
            "SELECT user_id FROM user_events AS e WHERE EXISTS "
            "(SELECT 1 FROM orders WHERE orders.order_id = e.order_id AND order_id = 'x')"
        ).sql
    )

    assert '"orders"."order_id" = e."order_id"' in sql.replace("orders.", '"orders".')
    assert "AND \"order_id\" = 'x'" in sql
