"""Rules that each row must keep on its way into the lake: required, type and range, whole columns at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core.values import shown
from tusk_platform.plan.nodes import RowRule

# Column -> row -> what came that cannot be of the column's type.
Failures = Mapping[str, Mapping[int, str]]

_NONE: Final[Mapping[int, str]] = {}


def missing(columns: Mapping[str, pa.Array], rules: Sequence[RowRule], failures: Failures) -> dict[int, str]:
    """Rows that lack a required column, with the reason. What came in a wrong type is not missing."""
    reasons: dict[int, str] = {}
    for rule in rules:
        if rule.kind != "required" or not (array := columns[rule.column]).null_count:
            continue
        failed = failures.get(rule.column, _NONE)
        for row in _rows(pc.is_null(array)):
            if row not in failed:
                reasons.setdefault(row, f"{rule.name}: missing")
    return reasons


def mistyped(failures: Failures, rules: Sequence[RowRule]) -> dict[int, str]:
    """Rows with a value that is not of its column's type, whether a rule asks for the type or the column has it."""
    names = {r.column: r.name for r in rules if r.kind == "type"}
    ruled = [column for column in names if column in failures]
    reasons: dict[int, str] = {}
    for column in [*ruled, *(c for c in failures if c not in names)]:
        for row, came in failures[column].items():
            reasons.setdefault(row, f"{names.get(column, f'type:{column}')}: {came}")
    return reasons


def outside(columns: Mapping[str, pa.Array], rules: Sequence[RowRule]) -> dict[int, str]:
    """Rows with a number beyond a range rule's bounds, which are inside the range themselves."""
    reasons: dict[int, str] = {}
    for rule in rules:
        if rule.kind != "range" or not _is_number(columns[rule.column].type):
            continue
        numbers = columns[rule.column]
        for row in _rows(_beyond(numbers.cast(pa.float64()), rule)):
            reasons.setdefault(row, f"{rule.name}: {_number(numbers[row].as_py())}")
    return reasons


def _beyond(numbers: pa.Array, rule: RowRule) -> pa.Array:
    low = pc.less(numbers, rule.minimum) if rule.minimum is not None else None
    high = pc.greater(numbers, rule.maximum) if rule.maximum is not None else None
    if low is None or high is None:
        return high if low is None else low
    return pc.or_(low, high)


def _rows(mask: pa.Array | None) -> list[int]:
    found: list[int] = [] if mask is None else pc.indices_nonzero(mask).to_pylist()
    return found


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _number(value: object) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else shown(value)
