"""What each type of widget shows of a query's result."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import duckdb
import pytest

from tests.fakes.lake import FakeLake
from tests.fakes.warehouse import FakeWarehouse
from tests.oracle.histories import ORIGIN, STREAM, plan
from tusk_platform.core.formats import Unit
from tusk_platform.core.widgets import Bars, Body, Chart, Counter, Empty, Gauge, Rows
from tusk_platform.plan.nodes import Column, Query, QueryInput, Widget, WidgetType
from tusk_platform.serving.query_panels import query_body
from tusk_platform.serving.timeline import Desk
from tusk_platform.units import MINUTE

NOW = 1_700_000_000_000_000
TIMED = Query(
    "timed",
    "",
    (QueryInput("clean.events"),),
    ORIGIN,
    (Column("at", "timestamp"), Column("kind", "string"), Column("n", "integer"), Column("spent", "decimal")),
    (STREAM.name,),
)
WORDS = replace(TIMED, name="words", columns=(Column("kind", "string"), Column("seen", "boolean")))


@pytest.fixture
def desk() -> Desk:
    """Three rows of a timed query, none of the other."""
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    connection.execute("create schema query")
    connection.execute(
        "create table query.timed as "
        "select make_timestamptz(t::bigint) as at, kind, n, spent::decimal(38, 4) as spent from (values "
        f"({NOW - 2 * MINUTE}, 'a', 1, 10), ({NOW - MINUTE}, 'a', 3, 12.5), ({NOW - MINUTE}, 'b', 2, 7)"
        ") as r(t, kind, n, spent)"
    )
    connection.execute("create table query.words (kind varchar, seen boolean)")
    the_plan = replace(plan(), queries=(TIMED, WORDS))
    lake = FakeLake(connection)
    return Desk(the_plan, FakeWarehouse(replace(the_plan, streams=()), lake), NOW)


def body(desk: Desk, kind: WidgetType, query: Query = TIMED, metric: str | None = "spent") -> Body:
    """What a widget of that type shows."""
    widget = Widget("w", kind, "query", query.name, ORIGIN, metric=metric)
    return query_body(widget, query, desk, Unit())[0]


def test_table_shows_rows_in_their_order(desk: Desk) -> None:
    shown = body(desk, "table", metric=None)

    assert isinstance(shown, Rows)
    assert shown.columns == ("At", "Kind", "N", "Spent")
    assert [row[1:] for row in shown.rows] == [("a", "1", "10"), ("a", "3", "12.5"), ("b", "2", "7")]


def test_counter_and_gauge_show_the_newest_number(desk: Desk) -> None:
    counter, gauge = body(desk, "counter"), body(desk, "gauge")

    assert isinstance(counter, Counter)
    assert (counter.value, counter.end) == (Decimal("12.5000"), NOW - MINUTE)
    assert isinstance(gauge, Gauge)
    assert gauge.value == Decimal("12.5000")


def test_number_that_is_not_said_is_the_last(desk: Desk) -> None:
    counter = body(desk, "counter", metric=None)

    assert isinstance(counter, Counter)
    assert counter.value == Decimal("12.5000")


def test_bars_are_labelled_by_the_first_column_that_is_no_number(desk: Desk) -> None:
    shown = body(desk, "bar_chart", metric="n")

    assert isinstance(shown, Bars)
    assert [b.value for b in shown.bars] == [3, 2, 1]


def test_lines_are_split_by_words_along_the_time(desk: Desk) -> None:
    shown = body(desk, "line_chart", metric="n")

    assert isinstance(shown, Chart)
    assert {s.name: [p.value for p in s.points] for s in shown.series} == {"a": [1, 3], "b": [2]}
    assert shown.series[0].step == MINUTE


def test_no_rows_and_no_numbers_are_said_plainly(desk: Desk) -> None:
    empty = body(desk, "table", WORDS)
    assert isinstance(empty, Empty)
    assert empty.command == "tusk run query.words"
    desk.warehouse.rows("insert into query.words values ('a', true)")

    assert isinstance(body(desk, "counter", WORDS), Empty)
