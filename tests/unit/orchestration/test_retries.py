"""Waits between the tries of a step: the config's multiplier, within a bound."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tusk_platform.compile import compile_text
from tusk_platform.orchestration.retries import FIRST_WAIT, LONGEST_WAIT, wait_before
from tusk_platform.plan.profile import FaultTolerance


@pytest.mark.parametrize("multiplier", [1, 1.5, 2, 7])
def test_each_wait_is_the_multiplier_times_the_one_before(multiplier: float) -> None:
    policy = f"retry_policy = {{ max_retries = 3, backoff_multiplier = {multiplier} }}"
    plan = compile_text(f"scalability_config = {{ fault_tolerance = {{ {policy} }} }}", "platform.tsk").plan
    waits = [wait_before(n, plan.fault_tolerance) for n in range(4)]

    assert waits[0] == FIRST_WAIT
    assert [b / a for a, b in pairwise(waits)] == pytest.approx([multiplier] * 3)


def test_no_wait_is_longer_than_an_hour() -> None:
    assert wait_before(99, FaultTolerance(backoff_multiplier=100)) == LONGEST_WAIT
