"""The grid in Python and in SQL is one grid."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import duckdb_extension_icu  # type: ignore[import-untyped] # ships a file, no code
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_platform.serving.buckets import Grid, instant
from tusk_platform.units import DAY, HOUR, MINUTE, YEAR

_ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/Santiago", "America/Havana", "Pacific/Apia")


@pytest.fixture(scope="module")
def duck() -> duckdb.DuckDBPyConnection:
    folder = Path(duckdb_extension_icu.__path__[0])
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    connection.execute(f"load '{next(folder.rglob('*.duckdb_extension'))}'")
    connection.execute("set timezone = 'UTC'")
    return connection


def _at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


grids = st.builds(
    Grid,
    st.sampled_from([MINUTE, 5 * MINUTE, 7 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY]),
    st.sampled_from([0, 15 * MINUTE, 6 * HOUR]),
    st.sampled_from([None, *_ZONES]),
)


@given(grids, st.integers(-YEAR, 60 * YEAR))
def test_both_find_the_same_bucket(duck: duckdb.DuckDBPyConnection, grid: Grid, at: int) -> None:
    found = duck.execute(
        f"select {grid.sql('t')}, {grid.sql('t', steps=1)} from (select {instant(at)} as t)"
    ).fetchone()

    assert found == (grid.floor(at), grid.step(grid.floor(at)))


@given(grids, st.integers(0, 60 * YEAR))
def test_buckets_tile_time(grid: Grid, at: int) -> None:
    start = grid.floor(at)
    end = grid.step(start)

    assert start <= at < end
    assert grid.floor(end - 1) == start
    assert grid.floor(end) == end
    assert grid.step(end, -1) == start


def test_day_starts_at_local_midnight() -> None:
    grid = Grid(DAY, 0, "Europe/Berlin")

    assert grid.floor(_at("2026-11-24T22:30:00")) == _at("2026-11-23T23:00:00")
    assert grid.step(_at("2026-10-24T22:00:00")) == _at("2026-10-25T23:00:00")


def test_week_starts_on_monday() -> None:
    assert Grid(7 * DAY, 0, "UTC").floor(_at("2026-11-24T12:00:00")) == _at("2026-11-23T00:00:00")
