"""Axes in round numbers and round local times."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_platform.core.formats import Unit
from tusk_platform.serving.scales import clock_span, local, time_axis, value_axis
from tusk_platform.units import DAY, HOUR, MINUTE, YEAR

_BERLIN = ZoneInfo("Europe/Berlin")


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


@given(st.lists(st.floats(-1e15, 1e15, allow_subnormal=False), min_size=1, max_size=20))
def test_axis_holds_every_value(values: list[float]) -> None:
    scale, ticks = value_axis(values, Unit())

    assert all(-1e-6 <= scale.share(v) <= 1 + 1e-6 for v in values)
    assert 2 <= len(ticks) <= 14
    assert ticks[0].share == pytest.approx(0, abs=1e-9)
    assert ticks[-1].share == pytest.approx(1, abs=1e-9)


def test_axis_of_counts_starts_at_zero_in_whole_steps() -> None:
    _, ticks = value_axis([1, 3], Unit())

    assert [t.label for t in ticks] == ["0", "1", "2", "3"]


def test_axis_far_from_zero_shows_the_difference() -> None:
    _, ticks = value_axis([Decimal("98.5"), Decimal("101.2")], Unit("currency"))

    assert ticks[0].label == "$98"


def test_axis_of_durations_steps_in_minutes() -> None:
    _, ticks = value_axis([100.0, 700.0], Unit("duration"))

    assert [t.label for t in ticks[:3]] == ["0 s", "5 min", "10 min"]


def test_axis_of_shares_is_labelled_in_percent() -> None:
    scale, ticks = value_axis([0.05, 0.48], Unit("percent", factor=Decimal(100)))

    assert [t.label for t in ticks] == ["0%", "10%", "20%", "30%", "40%", "50%"]
    assert scale.share(0.25) == pytest.approx(0.5)


def test_time_labels_are_round_in_the_zone_of_the_plan() -> None:
    start = _at("2026-11-24T11:07:00")

    ticks = time_axis(start, start + 24 * HOUR, ZoneInfo("Asia/Kolkata"))

    assert [t.label for t in ticks] == ["18:00", "21:00", "25 Nov", "03:00", "06:00", "09:00", "12:00", "15:00"]
    assert [t.label for t in ticks if not t.minor] == ["18:00", "25 Nov", "06:00", "12:00"]


def test_time_labels_stay_round_when_clocks_change() -> None:
    start = _at("2026-10-24T20:00:00")

    ticks = time_axis(start, start + 24 * HOUR, _BERLIN)

    assert [t.label for t in ticks][:4] == ["25 Oct", "03:00", "06:00", "09:00"]


@given(st.integers(0, 60 * YEAR), st.integers(10 * MINUTE, 3 * YEAR))
def test_time_labels_are_few_and_in_order(start: int, span: int) -> None:
    ticks = time_axis(start, start + span, _BERLIN)

    assert 1 <= len(ticks) <= 12
    assert [t.share for t in ticks] == sorted({t.share for t in ticks})


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2026-11-24T11:00:00", "2026-11-24T12:00:00", "12:00–13:00"),
        ("2026-11-23T11:00:00", "2026-11-23T12:00:00", "23 Nov, 12:00–13:00"),
        ("2026-11-22T23:00:00", "2026-11-23T23:00:00", "23 Nov"),
        ("2026-11-15T23:00:00", "2026-11-22T23:00:00", "16 Nov – 22 Nov"),
    ],
)
def test_window_is_said_in_local_time(start: str, end: str, text: str) -> None:
    assert clock_span(_at(start), _at(end), _BERLIN, today=_at("2026-11-24T12:30:00")) == text


def test_local_time_knows_the_zone() -> None:
    assert local(_at("2026-07-01T12:00:00"), _BERLIN).hour == 14
    assert DAY % HOUR == 0
