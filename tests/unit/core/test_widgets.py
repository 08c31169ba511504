"""What is said of values: trend, gauge, bars, buckets, gaps."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_platform.core.formats import Format, Number, Unit
from tusk_platform.core.readings import MAX_POINTS, bars, bucket_size, gauge, title_of, trend, unit_of
from tusk_platform.core.widgets import Level, Point, Series
from tusk_platform.errors import Span
from tusk_platform.plan.nodes import Metric, Widget
from tusk_platform.plan.origin import Origin
from tusk_platform.units import DAY, HOUR, MINUTE

_ORIGIN = Origin("live_dashboards.d.widgets.w", Span("platform.tsk", 1, 1))
_RATIO = Metric("error_rate", "ratio", "double", numerator="status = 500")


def _widget(form: Format = "number", *, warning: float | None = None, critical: float | None = None) -> Widget:
    return Widget("w", "gauge", "aggregate", "a", _ORIGIN, format=form, warning=warning, critical=critical)


@pytest.mark.parametrize(
    ("current", "previous", "text", "direction"),
    [
        (12, 10, "+20% against then", "up"),
        (Decimal("7.5"), Decimal(10), "−25% against then", "down"),
        (10, 10, "no change against then", "flat"),
        (3, 0, "new as there was nothing in then", "up"),
        (0, 0, "no change against then", "flat"),
        (None, 5, "nothing to compare with in then", "unknown"),
        (5, None, "nothing to compare with in then", "unknown"),
        (5, -10, "+150% against then", "up"),
    ],
)
def test_trend_says_sign_and_direction(
    current: Number | None, previous: Number | None, text: str, direction: str
) -> None:
    change = trend(current, previous, metric="sales", span="then")

    assert (change.text, change.direction) == (text, direction)


@pytest.mark.parametrize(("metric", "welcome"), [("revenue", True), ("error_rate", False), ("response_time", False)])
def test_rise_is_welcome_unless_it_counts_harm(metric: str, *, welcome: bool) -> None:
    assert trend(2, 1, metric=metric, span="then").welcome is welcome
    assert trend(1, 2, metric=metric, span="then").welcome is not welcome


def test_trend_of_money_is_exact() -> None:
    change = trend(Decimal("0.3"), Decimal("0.1"), metric="revenue", span="then")

    assert change.change == 2.0


@pytest.mark.parametrize(
    ("value", "level"), [(69.9, "ok"), (70, "warning"), (89.9, "warning"), (90, "critical"), (None, "unknown")]
)
def test_gauge_knows_its_bands(value: float | None, level: Level) -> None:
    shown = gauge(value, _widget("percent", warning=70, critical=90), Unit("percent"))

    assert shown.level == level
    assert [(b.start, b.end, b.level) for b in shown.bands] == [
        (0.0, 0.7, "ok"),
        (0.7, 0.9, "warning"),
        (0.9, 1.0, "critical"),
    ]


def test_little_is_bad_where_critical_lies_below() -> None:
    shown = gauge(15, _widget(warning=50, critical=20), Unit())

    assert shown.level == "critical"
    assert [b.level for b in shown.bands] == ["critical", "warning", "ok"]


def test_thresholds_of_a_ratio_may_be_percent() -> None:
    unit = unit_of(_widget("percent"), _RATIO)

    assert gauge(0.06, _widget("percent", warning=5, critical=10), unit).level == "warning"
    assert gauge(0.06, _widget("percent", warning=0.05, critical=0.1), unit).level == "warning"


@given(st.floats(-1e12, 1e12), st.floats(0.001, 1e9), st.floats(0.001, 1e9))
def test_needle_stays_on_the_dial(value: float, warning: float, critical: float) -> None:
    shown = gauge(value, _widget(warning=warning, critical=critical), Unit())

    assert shown.share is not None
    assert 0 <= shown.share <= 1
    assert shown.bands[0].start == 0
    assert shown.bands[-1].end == 1
    assert all(a.end == b.start for a, b in zip(shown.bands, shown.bands[1:], strict=False))


@pytest.mark.parametrize(
    ("series", "form"), [("cpu_usage", "percent"), ("network_throughput", "bytes"), ("queue_length", "number")]
)
def test_system_metrics_bring_their_unit(series: str, form: Format) -> None:
    widget = Widget("w", "gauge", "stream", "system_metrics", _ORIGIN, metric=series)

    assert unit_of(widget, Metric(series, "avg", "double", column="value")).format == form


def test_ratio_is_percent_unless_told_otherwise() -> None:
    assert unit_of(_widget(), _RATIO).write(0.25) == "25%"


def test_milliseconds_become_seconds() -> None:
    metric = Metric("response_time", "avg", "double", column="response_time_ms")

    assert unit_of(_widget("duration"), metric).write(1500) == "1.5 s"


@given(st.integers(MINUTE, 400 * DAY), st.one_of(st.none(), st.integers(1, 60).map(lambda m: m * MINUTE)))
def test_number_of_points_is_bounded(span: int, wanted: int | None) -> None:
    size = bucket_size(span, wanted, MINUTE)

    assert span / size <= MAX_POINTS
    assert size % (wanted or MINUTE) == 0


def test_wanted_bucket_is_kept_where_it_fits() -> None:
    assert bucket_size(24 * HOUR, 5 * MINUTE, 5 * MINUTE) == 5 * MINUTE


def _series(*starts: int, step: int = MINUTE, absent: int | None = None) -> Series:
    points = [Point(s * step, (s + 1) * step, None if s == absent else 1) for s in starts]
    return Series("s", tuple(points), step)


def test_missing_bucket_cuts_the_line() -> None:
    assert [len(run) for run in _series(0, 1, 2, 5, 6).runs()] == [3, 2]


def test_bucket_without_a_value_cuts_the_line() -> None:
    assert [len(run) for run in _series(0, 1, 2, 3, absent=2).runs()] == [2, 1]


def test_long_day_of_autumn_is_no_gap() -> None:
    points = (Point(0, DAY + HOUR, 1), Point(DAY + HOUR, 2 * DAY + HOUR, 2))

    assert len(Series("s", points, DAY).runs()) == 1


def test_bars_go_from_the_longest_down() -> None:
    shown = bars([("a", 1), ("b", Decimal(4)), ("c", None), ("d", 2)], Unit(), most=2)

    assert [(b.label, b.share) for b in shown.bars] == [("b", 1.0), ("d", 0.5)]
    assert shown.others == 1


@pytest.mark.parametrize(
    ("name", "title"), [("user_activity_chart", "User activity"), ("cpu_usage", "CPU usage"), ("chart", "Chart")]
)
def test_name_reads_as_a_heading(name: str, title: str) -> None:
    assert title_of(name) == title
