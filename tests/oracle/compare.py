"""Whether two engines gave the same rows: exactly, but for doubles, which may differ in the last digits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tests.oracle.engine import Key, Row


def assert_same(found: Mapping[Key, Row], expected: Mapping[Key, Row]) -> None:
    """Same keys, same values; says the first difference."""
    missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
    assert not missing, f"missing: {sorted(missing, key=str)[:3]}; too many: {sorted(extra, key=str)[:3]}"
    assert not extra, f"too many: {sorted(extra, key=str)[:3]}"
    for key, row in expected.items():
        for name, value in row.items():
            assert _same(found[key][name], value), f"{key} {name}: found {found[key][name]!r}, expected {value!r}"


def nearly(found: Row, expected: Row) -> bool:
    """Whether two rows differ by rounding at most: the order in which numbers are added up is nobody's promise."""
    return found.keys() == expected.keys() and all(_same(found[name], value) for name, value in expected.items())


def _same(found: Any, expected: Any) -> bool:  # noqa: ANN401 - values of any column
    if isinstance(expected, float) and found is not None:
        # A sum of parts that cancel out is exact only as far as the parts are.
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-6)
    return bool(found == expected) and (found is None) == (expected is None)
