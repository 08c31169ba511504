"""Paths and dots of a chart."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from tusk_platform.core.formats import Unit
from tusk_platform.core.widgets import Chart, Point, Series
from tusk_platform.serving.charts import Picture, draw
from tusk_platform.units import HOUR, MINUTE


def _drawn(*values: int | None, open_from: int = 100) -> Picture:
    points = tuple(Point(i * MINUTE, (i + 1) * MINUTE, v, final=i < open_from) for i, v in enumerate(values))
    return draw(Chart((Series("s", points, MINUTE),), 0, HOUR), Unit(), ZoneInfo("UTC"))


def test_gap_in_the_data_is_a_gap_in_the_line() -> None:
    assert _drawn(1, 2, None, 3, 4).lines[0].final.count("M") == 2


def test_point_between_gaps_is_a_dot() -> None:
    line = _drawn(None, 2, None, 3, 4).lines[0]

    assert line.final.count("M") == 1
    assert len(line.dots) == 2


def test_open_windows_hang_dashed_on_the_last_final_one() -> None:
    line = _drawn(1, 2, 3, 4, open_from=2).lines[0]

    assert line.final.count(" ") == 2
    assert line.provisional.count(" ") == 3
    assert line.provisional.startswith("M16.7")
    assert [d.final for d in line.dots] == [False]


def test_area_that_would_not_stand_on_zero_is_not_drawn() -> None:
    assert _drawn(1, 5).lines[0].area
    assert not _drawn(95, 100).lines[0].area


def test_rows_repeat_the_picture_in_text() -> None:
    rows = _drawn(1, None, 3, open_from=2).rows

    assert [(r.label, r.values, r.final) for r in rows] == [
        ("00:00–00:01", ("1",), True),
        ("00:01–00:02", ("–",), True),
        ("00:02–00:03", ("3",), False),
    ]
    assert rows[1].ys == (None,)


def test_chart_without_values_still_has_axes() -> None:
    picture = _drawn(None, None)

    assert picture.lines[0].final == ""
    assert picture.time_ticks
