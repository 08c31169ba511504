"""No key of the seed is dead: another value of it is another plan."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest

from tests.unit.plan.other_values import another
from tests.unit.sections.mutation import Leaf, leaves, seed
from tusk_platform.compile import compile_text
from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.page import as_json

# What was decided and what waits follows from the nodes; that alone would be no effect.
_ASIDE = {"fingerprint", "file", "assumptions", "inactive", "environment"}


def nodes(plan: Plan) -> str:
    """Everything that a plan holds, as text, without positions."""

    def bare(value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, dict):
            return {k: bare(v) for k, v in value.items() if k not in {"origin", "at"}}
        return [bare(v) for v in value] if isinstance(value, list) else value

    return json.dumps({k: bare(v) for k, v in as_json(plan).items() if k not in _ASIDE}, sort_keys=True)


@cache
def whole() -> str:
    """The plan of ``platform.tsk``."""
    return nodes(compile_text(seed(), "platform.tsk").plan)


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.path)
def test_another_value_is_another_plan(leaf: Leaf) -> None:
    other = another(leaf)

    assert other is None or nodes(other.plan) != whole()


def test_only_one_key_has_one_value() -> None:
    assert [leaf.path for leaf in leaves() if leaf.path.endswith(".action") and another(leaf) is None] == [
        "anomaly_detection.alerting.escalation_rules.critical.action"
    ]
