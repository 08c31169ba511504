"""Where widgets stand."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from tusk_platform.plan.nodes import WidgetType
from tusk_platform.serving.layout import spans


@given(st.lists(st.sampled_from(get_args(WidgetType)), max_size=20), st.integers(1, 20), st.integers(1, 10))
def test_every_row_of_the_grid_is_full(types: list[WidgetType], columns: int, rows: int) -> None:
    taken = spans(types, columns, rows)

    columns, row = min(columns, 12), 0
    assert len(taken) == len(types)
    for width in taken:
        assert 1 <= width <= columns
        row += width
        assert row <= columns
        row %= columns
    assert row == 0


def test_chart_takes_the_room_a_counter_leaves() -> None:
    assert spans(["counter", "line_chart", "gauge", "alert_panel"], 3, 2) == [1, 2, 1, 2]
