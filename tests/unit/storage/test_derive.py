from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.streams import a_stream
from tusk_platform.core.schema import MONEY
from tusk_platform.errors import UsageError
from tusk_platform.plan.nodes import Column
from tusk_platform.storage.derive import connect, derive, deriver

COLUMNS = (Column("quantity", "integer"), Column("unit_price", "decimal"), Column("text", "string"))
CONNECTION = connect()


def table(*rows: tuple[int | None, str | None, str | None]) -> pa.Table:
    quantities, prices, texts = zip(*rows, strict=True)
    return pa.table(
        {
            "quantity": pa.array(quantities, pa.int64()),
            "unit_price": pa.array([None if p is None else Decimal(p) for p in prices], MONEY),
            "text": pa.array(texts, pa.string()),
        }
    )


def derived(sql: str, column: Column, rows: pa.Table) -> list[tuple[Any, Any]]:
    found = derive(rows, {column.name: sql}, (*COLUMNS, column), CONNECTION)
    return list(zip(found.column(column.name).to_pylist(), found.column("_failed").to_pylist(), strict=True))


MONEYS = st.decimals(-(10**13), 10**13, places=4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(-(10**6), 10**6), MONEYS.map(str)), min_size=1, max_size=5))
def test_products_of_money_are_exact(rows: list[tuple[int, str]]) -> None:
    expected = [Decimal(p) * q for q, p in rows]
    found = derived("quantity * unit_price", Column("amount", "decimal"), table(*((q, p, None) for q, p in rows)))

    assert found == [(e, None) if abs(e) < 10**14 else (None, "amount") for e in expected]


def test_money_times_money_has_room() -> None:
    found = derived("unit_price * unit_price", Column("amount", "decimal"), table((1, "1234567.0500", None)))

    assert found == [(Decimal("1524155800945.7025"), None)]


def test_null_is_an_answer_and_an_error_is_a_failure() -> None:
    rows = table((1, "1", "7"), (2, "1", "x"), (3, "1", None))

    assert derived("text::integer", Column("n", "integer"), rows) == [(7, None), (None, "n"), (None, None)]


def test_double_that_is_not_finite_fails() -> None:
    found = derived("1 / quantity::double", Column("share", "double"), table((0, None, None), (4, None, None)))

    assert found == [(None, "share"), (0.25, None)]


@pytest.mark.parametrize("sql", ["quantity *", "nothing", "sum(quantity)", "(from read_text('/etc/passwd') limit 1)"])
def test_what_is_no_expression_over_the_row_is_refused(sql: str) -> None:
    with pytest.raises(UsageError, match="derived columns amount: "):
        derived(sql, Column("amount", "decimal"), table((1, "1", None)))


def test_first_failing_column_is_named() -> None:
    columns = (*COLUMNS, Column("n", "integer"), Column("m", "integer"))
    found = derive(table((1, "1", "x")), {"n": "text::integer", "m": "text::integer + 1"}, columns, CONNECTION)

    assert found.column("_failed").to_pylist() == ["n"]


def test_stream_without_expressions_needs_nothing() -> None:
    assert deriver(a_stream()) is None
