"""Values as people read them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_platform.core.formats import NOTHING, Format, Number, Unit


@pytest.mark.parametrize(
    ("form", "value", "full", "short"),
    [
        ("number", 0, "0", "0"),
        ("number", 1234567, "1,234,567", "1.23M"),
        ("number", 999996, "999,996", "1M"),
        ("number", 12.3456, "12.35", "12.35"),
        ("number", 0.0345, "0.035", "0.035"),
        ("number", -5, "−5", "−5"),
        ("currency", Decimal("1234567.895"), "$1,234,567.90", "$1.23M"),
        ("currency", Decimal("-0.5"), "−$0.50", "−$0.5"),
        ("bytes", 1_500_000, "1.5 MB", "1.5 MB"),
        ("bytes", 999, "999 B", "999 B"),
        ("duration", 0.25, "250 ms", "250 ms"),
        ("duration", 75, "1 min 15 s", "1 min 15 s"),
        ("duration", 7260, "2 h 1 min", "2 h 1 min"),
        ("duration", 59.97, "1 min", "1 min"),
        ("percent", 55.64, "55.6%", "55.6%"),
        ("number", None, NOTHING, NOTHING),
        ("number", float("nan"), NOTHING, NOTHING),
        ("number", float("inf"), "∞", "∞"),
    ],
)
def test_value_is_written_as_people_read_it(form: Format, value: Number | None, full: str, short: str) -> None:
    unit = Unit(form)

    assert (unit.write(value), unit.write(value, compact=True)) == (full, short)


def test_share_is_brought_to_percent() -> None:
    assert Unit("percent", factor=Decimal(100)).write(0.0512) == "5.1%"


@pytest.mark.parametrize(("currency", "text"), [("EUR", "€1,234.50"), ("JPY", "¥1,235"), ("CHF", "CHF 1,234.50")])
def test_currency_decides_symbol_and_cents(currency: str, text: str) -> None:
    assert Unit("currency", currency).write(Decimal("1234.5")) == text


def test_widest_money_of_the_lake_stays_exact() -> None:
    assert Unit("currency").write(Decimal("9" * 34 + ".9949")).endswith("999.99")


@given(st.one_of(st.integers(), st.floats(), st.decimals(allow_nan=False)), st.sampled_from(["number", "currency"]))
def test_every_number_has_a_text(value: Number, form: Format) -> None:
    unit = Unit(form)

    assert unit.write(value)
    assert len(unit.write(value, compact=True)) <= 20


@given(st.decimals(min_value=0, max_value=10**15, places=4), st.decimals(min_value=0, max_value=10**15, places=4))
def test_rounding_keeps_the_order(a: Decimal, b: Decimal) -> None:
    low, high = (Decimal(Unit("currency").write(x)[1:].replace(",", "")) for x in sorted((a, b)))

    assert low <= high
    assert abs(low - min(a, b)) <= Decimal("0.005")
