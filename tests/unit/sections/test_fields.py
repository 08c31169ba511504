"""The types of values: what they make of a text, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tusk_platform.plan.learning import Cadence
from tusk_platform.sections.fields import (
    ColumnName,
    Duration,
    EnvReference,
    HttpAddress,
    Location,
    Name,
    OneOrMore,
    Several,
    Share,
    Size,
    Text,
    TimeZone,
    WindowChoice,
    came,
    settled,
)
from tusk_platform.sections.frequency import Often, OftenOrRealTime, is_cron
from tusk_platform.sections.live_dashboards import Grid, Layout
from tusk_platform.sections.sql import RowSql
from tusk_platform.units import HOUR, MINUTE, spell


def read(kind: Any, value: object) -> object:  # noqa: ANN401 - any annotated type
    """The value as the type takes it."""
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        (Duration, "5 minutes", 5 * MINUTE),
        (Size, "512MB", 512_000_000),
        (Share, "80%", 0.8),
        (WindowChoice, "1 hour", HOUR),
        (WindowChoice, "sliding", "sliding"),
        (Several[Name], ["a", "b"], ("a", "b")),
        (OneOrMore[Name], "a", ("a",)),
        (ColumnName, "Customer ID", "Customer ID"),
        (Text, EnvReference("X"), EnvReference("X")),
        (Location, "s3://bucket/folder", "s3://bucket/folder"),
        (Location, "lake", "lake"),
        (HttpAddress, "http://ml-service:8080", "http://ml-service:8080"),
        (TimeZone, "Asia/Kolkata", "Asia/Kolkata"),
        (Often, "weekly", Cadence("weekly", cron="0 0 * * 1")),
        (Often, "6 hours", Cadence("6 hours", every=6 * HOUR)),
        (Often, "0 3 * * MON", Cadence("0 3 * * MON", cron="0 3 * * mon")),
        (OftenOrRealTime, "real_time", Cadence("real_time")),
        (RowSql, "country in ('DE', 'AT') and amount > 0", "country in ('DE', 'AT') and amount > 0"),
    ],
)
def test_a_value_becomes_what_it_means(kind: object, written: object, meant: object) -> None:
    assert read(kind, written) == meant


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (Duration, "0 seconds"),
        (Duration, "9" * 400 + " days"),
        (Duration, "101 years"),
        (Duration, True),
        (Size, "0B"),
        (Size, "9000000TB"),
        (Share, "0%"),
        (WindowChoice, "5 parsecs"),
        (Several[Name], ["a", "a"]),
        (Several[Name], "a"),
        (OneOrMore[Name], []),
        (Name, "1st"),
        (Name, "a" * 64),
        (Name, EnvReference("X")),
        (ColumnName, "_batch"),
        (ColumnName, 'a"b'),
        (ColumnName, " "),
        (Text, ""),
        (Text, EnvReference("X", 5)),
        (Location, "ftp://host"),
        (Location, "s3://"),
        (HttpAddress, "ml-service:8080"),
        (HttpAddress, "http://:8080"),
        (HttpAddress, "http://host:99999"),
        (HttpAddress, "http://me:secret@host"),
        (TimeZone, "../etc/passwd"),
        (TimeZone, "Mars"),
        (Often, "0 3 * *"),
        (Often, "real_time"),
        (OftenOrRealTime, "realtime"),
        (RowSql, "select 1"),
        (RowSql, "a = (select max(b) from t)"),
        (RowSql, "drop table t"),
        (RowSql, "count(*) > 3"),
        (RowSql, "a >"),
        (RowSql, "(" * 3_000),
    ],
)
def test_a_wrong_value_is_refused(kind: object, written: object) -> None:
    with pytest.raises(ValidationError):
        read(kind, written)


@given(st.integers(1, 10**6), st.sampled_from(["s", "second", "minutes", "h", "days", "w"]))
def test_durations_read_back_as_they_are_spelt(count: int, unit: str) -> None:
    micros = read(Duration, f"{count} {unit}") if count <= 5_000 else MINUTE

    assert isinstance(micros, int)
    assert read(Duration, spell(micros)) == micros


@pytest.mark.parametrize("line", ["* * * * *", "*/5 0-6,22-23 1 jan-mar mon,wed", "0 0 * * 7", "59 23 31 12 sat"])
def test_cron_lines_are_known(line: str) -> None:
    assert is_cron(line)


@pytest.mark.parametrize(
    "line",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "5-1 * * * *", "*/0 * * * *", "a * * * *", "1- * * * *"],
)
def test_other_lines_are_no_cron(line: str) -> None:
    assert not is_cron(line)


def test_a_reference_is_settled_by_the_environment() -> None:
    reference = EnvReference("CORES", 2)

    assert settled(reference, {"CORES": "8"}, 1) == 8
    assert settled(reference, {}, 1) == 2
    assert settled(EnvReference("CORES"), {}, 1) == 1
    assert settled(4, {"CORES": "8"}, 1) == 4


def test_a_wrong_variable_is_named_without_its_text() -> None:
    with pytest.raises(ValueError, match=r"^environment variable `CORES` does not hold a whole number$"):
        settled(EnvReference("CORES"), {"CORES": "hunter2"}, 1)


@pytest.mark.parametrize(("written", "meant"), [("3x2", Grid(3, 2)), (" 12 X 1 ", Grid(12, 1)), ("4×4", Grid(4, 4))])
def test_a_grid_is_columns_by_rows(written: str, meant: Grid) -> None:
    assert Layout.model_validate({"grid": written}).grid == meant


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_what_came_is_said_in_one_short_line(value: object) -> None:
    words = came(value)

    assert words
    assert "\n" not in words
    assert len(words) < 80
