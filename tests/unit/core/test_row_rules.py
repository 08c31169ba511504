from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from tusk_platform.core.row_rules import missing, mistyped, outside
from tusk_platform.plan.nodes import RowRule

AMOUNTS = {"amount": pa.array([Decimal("-0.0001"), Decimal(0), None, Decimal("10.0001")], pa.decimal128(18, 4))}


def test_bounds_belong_to_the_range() -> None:
    rule = RowRule("range:amount", "range", "amount", 0, 10)

    assert outside(AMOUNTS, [rule]) == {0: "range:amount: -0.0001", 3: "range:amount: 10.0001"}


def test_range_may_be_open_on_either_side() -> None:
    low, high = RowRule("low", "range", "amount", minimum=0), RowRule("high", "range", "amount", maximum=0)

    assert outside(AMOUNTS, [low]) == {0: "low: -0.0001"}
    assert outside(AMOUNTS, [high]) == {3: "high: 10.0001"}


def test_value_of_a_wrong_type_is_not_missing() -> None:
    rules = [RowRule("required:amount", "required", "amount")]

    assert missing(AMOUNTS, rules, {"amount": {2: "x"}}) == {}
    assert missing(AMOUNTS, rules, {}) == {2: "required:amount: missing"}


def test_type_rules_speak_before_mere_columns() -> None:
    failures = {"user_id": {0: "x", 1: "y"}, "amount": {0: "z"}}

    assert mistyped(failures, [RowRule("type:amount", "type", "amount")]) == {0: "type:amount: z", 1: "type:user_id: y"}
