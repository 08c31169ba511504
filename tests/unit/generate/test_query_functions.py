"""Functions and forms of MySQL give in DuckDB what MySQL gives: values worked out by its manual."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_platform.compile import compile_text
from tusk_platform.core.views import view_sql
from tusk_platform.plan.nodes import Plan
from tusk_platform.storage.extensions import load_extensions

CONFIG = '''\
timezone = "Europe/Berlin"
demo = false
real_time_analytics = {{ data_streams = {{ visits = {{
    source = "http"
    schema = {{
        timestamp = "timestamp", page = "string", n = "integer", x = "double", price = "decimal", doc = "json"
    }}
}} }} }}
analytics_data_sources = {{ q = @query("""{sql}""") }}
'''
# Sunday, half past one at night in Berlin, still Saturday in UTC.
MOMENT = "2026-03-07T23:30:15.250Z"
ROW = {"page": "/a/b/c", "n": 7, "x": 2.5, "price": Decimal("10.5000"), "doc": '{"k": "v"}'}


def the_plan(sql: str) -> Plan:
    """A plan with one query, which must be right."""
    compiled = compile_text(CONFIG.format(sql=sql), "platform.tsk")
    assert not compiled.errors, "\n".join(p.render() for p in compiled.errors)
    return compiled.plan


def results(sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query over a stream with one event."""
    plan = the_plan(sql)
    with duckdb.connect(":memory:") as connection:
        load_extensions(connection, ("icu",))
        connection.execute("set session timezone = 'Europe/Berlin'")
        connection.execute("create schema clean")
        empty = view_sql(plan, "clean.visits", "", present=())
        connection.execute(f"create table clean.visits as {empty}")
        values = {"timestamp": MOMENT, "_event_time": MOMENT, **ROW}
        names, marks = ", ".join(values), ", ".join("?" for _ in values)
        connection.execute(f"insert into clean.visits ({names}) values ({marks})", list(values.values()))
        return connection.execute(plan.queries[0].sql).fetchall()


CASES: list[tuple[str, Any]] = [
    # times: the platform's time zone decides
    ("DATE(created_at)", dt.date(2026, 3, 8)),
    ("HOUR(created_at)", 0),
    ("DATE_TRUNC('day', created_at) = TIMESTAMP '2026-03-08 00:00:00'", True),
    ("DATE_FORMAT(created_at, '%Y-%m-%d %H:%i:%s')", "2026-03-08 00:30:15"),
    ("DAYOFWEEK(created_at)", 1),
    ("WEEKDAY(created_at)", 6),
    ("WEEK(created_at)", 10),
    ("WEEK(created_at, 3)", 10),
    ("YEARWEEK(created_at)", 202610),
    ("YEARWEEK('2026-01-01')", 202552),
    ("YEAR(created_at) * 100 + MONTH(created_at)", 202603),
    ("QUARTER(created_at)", 1),
    ("DAYNAME(created_at)", "Sunday"),
    ("LAST_DAY(created_at)", dt.date(2026, 3, 31)),
    ("UNIX_TIMESTAMP(created_at)", 1772926215),
    ("FROM_UNIXTIME(1772926215) <= created_at", True),
    ("DATEDIFF(created_at, '2026-03-01 23:59:59')", 7),
    ("TIMESTAMPDIFF(MINUTE, '2026-03-08 00:00:30', '2026-03-08 00:02:29')", 1),
    ("TIMESTAMPDIFF(HOUR, DATE '2026-03-07', created_at)", 24),
    ("DATE_ADD(DATE '2026-01-31', INTERVAL 1 MONTH) = TIMESTAMP '2026-02-28 00:00:00'", True),
    ("DATE_SUB(created_at, INTERVAL 30 MINUTE) < created_at", True),
    ("ADDDATE(DATE '2026-03-01', 3) = DATE '2026-03-04'", True),
    ("SUBDATE(DATE '2026-03-04', INTERVAL 3 DAY) = DATE '2026-03-01'", True),
    ("STR_TO_DATE('08.03.2026', '%d.%m.%Y')", dt.date(2026, 3, 8)),
    ("EXTRACT(YEAR FROM created_at)", 2026),
    ("TIME_TO_SEC('01:00:05')", 3605),
    # what is not there
    ("IFNULL(NULL, 'none')", "none"),
    ("COALESCE(NULL, n)", 7),
    ("NULLIF(n, 7)", None),
    ("ISNULL(page)", False),
    ("n <=> NULL", False),
    ("GREATEST(1, NULL)", None),
    ("CONCAT('a', NULL)", None),
    ("n / 0", None),
    # numbers
    ("n / 2", 3.5),
    ("n DIV 2", 3),
    ("n MOD 4", 3),
    ("ROUND(x, 0) + TRUNCATE(1.29, 1)", 4.2),
    ("POW(2, 10)", 1024.0),
    ("SUM(n > 5)", 1),
    ("AVG(page = 'other')", 0.0),
    ("STDDEV(x)", 0.0),
    ("COUNT(CASE WHEN n >= 5 THEN 1 END)", 1),
    ("IF(n > 5, 'many', 'few')", "many"),
    ("FIELD('b', 'a', 'b')", 2),
    ("ELT(2, 'a', 'b')", "b"),
    ("SUM(price)", Decimal("10.5000")),
    ("CAST(x AS SIGNED)", 2),
    ("CAST(n AS CHAR)", "7"),
    ("CAST('1.239' AS DECIMAL(10, 2))", Decimal("1.24")),
    # text
    ("GROUP_CONCAT(DISTINCT page ORDER BY page SEPARATOR '; ')", "/a/b/c"),
    ('page = "/a/b/c"', True),
    ("`page`", "/a/b/c"),
    ("CONCAT_WS('-', page, n)", "/a/b/c-7"),
    ("SUBSTRING_INDEX(page, '/', 2)", "/a"),
    ("SUBSTRING_INDEX(page, '/', -2)", "b/c"),
    ("LOCATE('b', page)", 4),
    ("UCASE(LEFT(page, 2))", "/A"),
    ("CHAR_LENGTH(page)", 6),
    ("page REGEXP '^/a'", True),
    ("page LIKE '/a%' && n || 0", True),
    ("FIND_IN_SET('b', 'a,b,c')", 2),
    ("JSON_UNQUOTE(JSON_EXTRACT(doc, '$.k'))", "v"),
    ("doc->>'$.k'", "v"),
    ("STRCMP('a', 'b')", -1),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), CASES, ids=[c[0] for c in CASES])
def test_expression_gives_the_value_of_the_manual(expression: str, expected: object) -> None:
    [[value]] = results(f"SELECT {expression.replace(chr(92), chr(92) * 2)} AS r FROM visits")

    assert value == expected or (isinstance(expected, float) and float(value) == pytest.approx(expected))


@pytest.mark.parametrize(
    ("unit", "microseconds"),
    [("SECONDS", 10**6), ("MINUTE", 60 * 10**6), ("HOUR", 3600 * 10**6), ("DAY", 86400 * 10**6)],
)
@given(amount=st.integers(1, 10_000))
def test_interval_before_now_is_how_far_a_query_looks_back(unit: str, microseconds: int, amount: int) -> None:
    sql = f"SELECT COUNT(*) AS n FROM visits WHERE created_at > NOW() - INTERVAL {amount} {unit}"
    query = the_plan(sql).queries[0]

    assert query.look_back == query.inputs[0].look_back == amount * microseconds


def test_rollup_adds_a_row_for_all_groups() -> None:
    rows = results("SELECT page, SUM(n) AS s FROM visits GROUP BY page WITH ROLLUP ORDER BY page")

    assert rows == [(None, 7), ("/a/b/c", 7)]


def test_names_of_now_are_one_time() -> None:
    sql = "SELECT NOW() = CURRENT_TIMESTAMP AS a, SYSDATE() = NOW() AS b, DATE(NOW()) = CURDATE() AS c, NOW() AS d"
    [[*same, now]] = results(f"{sql} FROM visits")

    assert same == [True, True, True]
    assert abs(now.timestamp() - dt.datetime.now(dt.UTC).timestamp()) < 60
