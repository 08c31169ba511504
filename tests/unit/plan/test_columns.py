"""Columns that only a reader names."""

from __future__ import annotations

import pytest

from tusk_platform.compile import compile_text

CONFIG = """
real_time_analytics = { data_streams = { orders = {
    source = "http", event_time = "at", dedup_key = "order_id"
    schema = { order_id = "string", at = "timestamp", total = "decimal", region = "string" }
} } }
real_time_aggregations = { a = { dimensions = ["%s"], metrics = { n = "count" }, window = "1 hour" } }
"""


@pytest.mark.parametrize(("column", "warned"), [("region", 0), ("regoin", 1), ("channel", 0)])
def test_a_column_that_is_nearly_one_of_the_schema_is_doubted(column: str, warned: int) -> None:
    compiled = compile_text(CONFIG % column, "a.tsk")

    assert compiled.errors == ()
    assert len(compiled.problems) == warned
    for problem in compiled.problems:
        assert problem.message == "something reads a column `regoin` of stream `orders`, whose `schema` has `region`"
        assert problem.span.line == 4
