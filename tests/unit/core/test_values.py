from __future__ import annotations

import datetime as dt
import json
from decimal import ROUND_HALF_EVEN, Decimal

import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tusk_platform.core import timestamps
from tusk_platform.core.values import Converted, convert
from tusk_platform.plan.nodes import ColumnType

FOUR = Decimal("0.0001")


def converted(texts: list[str], kind: ColumnType) -> Converted:
    """JSON texts in a column type, as if an event had carried them."""
    return convert([json.loads(t) for t in texts], kind, lambda row: texts[row])


def listed(found: Converted) -> list[object]:
    values: list[object] = found.array.to_pylist()
    return values


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=None)


@settings(deadline=None)
@given(st.lists(NUMBERS.map(lambda d: str(d).replace("E+", "e")) | st.floats(-1e15, 1e15).map(repr), max_size=20))
@example(
    [
        "123.45",
        "0.00005",
        "0.00015",
        "1.00005",
        "12345678901234.56785",
        "0.12345000000000000001",
        "99999999999999.99995",
    ]
)
def test_money_is_exact_to_four_places(texts: list[str]) -> None:
    expected = [Decimal(t).quantize(FOUR, ROUND_HALF_EVEN) for t in texts]
    fitting = [e if abs(e) < 10**14 else None for e in expected]

    assert listed(converted(texts, "decimal")) == fitting
    assert listed(converted([f'"{t}"' for t in texts], "decimal")) == fitting


@settings(deadline=None)
@given(st.lists(st.integers() | st.integers(-(2**70), 2**70), max_size=10))
def test_integers_beyond_64_bits_are_refused(numbers: list[int]) -> None:
    found = convert(numbers, "integer", lambda row: str(numbers[row]))

    assert listed(found) == [n if -(2**63) <= n < 2**63 else None for n in numbers]
    assert set(found.bad) == {i for i, n in enumerate(numbers) if not -(2**63) <= n < 2**63}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.datetimes().filter(lambda m: 1 < m.year < 9999), max_size=5))
def test_whole_columns_of_times_equal_single_ones(moments: list[dt.datetime]) -> None:
    for zone in ("UTC", "Europe/Berlin"):
        texts: list[object] = [m.isoformat() for m in moments]
        expected = [timestamps.micros(t, zone) for t in texts]
        whole = timestamps.column(texts, {str}, zone)

        assert whole is None or whole.cast(pa.int64()).to_pylist() == expected


def test_hour_that_a_clock_change_skips_is_read_all_the_same() -> None:
    skipped, twice = (timestamps.micros(t, "Europe/Berlin") for t in ("2024-03-31T02:30", "2024-10-27T02:30"))

    assert skipped == timestamps.micros("2024-03-31T01:30Z")
    assert twice == timestamps.micros("2024-10-27T00:30Z")


def test_epoch_unit_follows_from_magnitude() -> None:
    values: list[object] = [0, -1, 99_999_999_999, 100_000_000_000, 99_999_999_999_999, 10**14, 10**17, 2**63 - 1]
    together = [timestamps.micros(v) for v in values]

    assert together == [
        0, -1_000_000, 99_999_999_999_000_000, 100_000_000_000_000, 99_999_999_999_999_000, 10**14, 10**14,
        9_223_372_036_854_775,
    ]  # fmt: skip


def test_every_type_takes_its_forms_and_names_the_rest() -> None:
    cases: list[tuple[ColumnType, list[str], list[object], set[int]]] = [
        ("integer", ["1", '" 2 "', "3.0", '"4e2"', "true", '"0x"', "0.5"], [1, 2, 3, 400, None, None, None], {4, 5, 6}),
        ("double", ["1", '"2.5"', "1e3", '"nan"', "false", '"1_0"'], [1.0, 2.5, 1000.0, None, None, None], {3, 4, 5}),
        ("boolean", ["true", '"No"', "1", "0", "2", '"x"'], [True, False, True, False, None, None], {4, 5}),
        ("date", ['"2024-01-31"', '"2024-01-31T23:00:00-10:00"', "5"], [dt.date(2024, 1, 31)] * 2 + [None], {2}),
        ("uuid", ['"A0EEBC999C0B4EF8BB6D6BB9BD380A11"', '"x"'], ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", None], {1}),
        ("json", ['{"a":1.50}', '"x"', '"[1]"', "1.50", "true"], ['{"a":1.5}', '"x"', "[1]", "1.50", "true"], set()),
    ]  # fmt: skip
    for kind, texts, expected, bad in cases:
        found = converted([*texts, "null"], kind)

        assert (kind, listed(found), set(found.bad)) == (kind, [*expected, None], bad)
