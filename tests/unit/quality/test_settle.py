from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tusk_platform.core.quality import carried, reason_name, settle, slices
from tusk_platform.ports import ExpectationResult

RULES = ("columns", "event time", "readable", "required:user_id", "range:amount")


def a_result(rule: str = "range:amount", **changes: Any) -> ExpectationResult:  # noqa: ANN401 - any field of a result
    usual: dict[str, Any] = {
        "stream": "orders",
        "expectation": "expect_x",
        "column": "amount",
        "success": True,
        "evaluated": 10,
        "unexpected": 0,
        "through_batch": 3,
        "rule": rule,
    }
    return ExpectationResult(**{**usual, **changes})


def settled(*results: ExpectationResult, accepted: int = 10, **quarantined: int) -> dict[str, ExpectationResult]:
    reasons = {name.replace("__", ":"): rows for name, rows in quarantined.items()}
    return {r.rule: r for r in settle(results or [a_result(rule) for rule in RULES], accepted, reasons)}


def test_quarantined_row_counts_for_the_rule_it_broke() -> None:
    found = settled(range__amount=2, required__user_id=1)

    counts = {rule: (r.success, r.evaluated, r.unexpected) for rule, r in found.items() if r.unexpected}
    assert counts == {"range:amount": (False, 13, 2), "required:user_id": (False, 13, 1)}
    assert found["range:amount"].detail == "quarantined: 2"


def test_reason_that_is_no_rule_counts_as_unreadable() -> None:
    found = settled(undecodable=4, type__zip=1)["readable"]

    assert (found.unexpected, found.detail) == (5, "quarantined: 1 type:zip, 4 undecodable")


def test_row_without_place_in_time_counts_for_event_time() -> None:
    found = settle([a_result(r) for r in RULES], 10, {"event time missing": 1, "event time too far ahead": 2})

    assert {r.rule: r.unexpected for r in found if r.unexpected} == {"event time": 3}


def test_accepted_row_that_fails_is_a_disagreement() -> None:
    found = settled(a_result(success=False, unexpected=3))["range:amount"]

    assert not found.success
    assert found.detail == "disagreement: 3 of 10 accepted rows"


def test_hand_written_expectation_may_be_stricter_than_the_border() -> None:
    found = settled(a_result(success=False, unexpected=3, source="overrides/orders.json"))["range:amount"]

    assert found.detail == "3 of 10 accepted rows"


def test_share_of_rows_counts_quarantined_ones_too() -> None:
    tolerant = a_result(success=True, unexpected=1, mostly=0.8)

    assert settled(tolerant, range__amount=1)["range:amount"].success
    assert not settled(tolerant, range__amount=5)["range:amount"].success


def test_failure_without_counted_rows_is_no_share() -> None:
    assert not settled(a_result(success=False, unexpected=0, mostly=0.5))["range:amount"].success


def test_nothing_is_held_against_no_rows() -> None:
    found = settled(a_result(success=False, evaluated=0), accepted=0)["range:amount"]

    assert (found.success, found.detail) == (True, "")


@given(st.dictionaries(st.sampled_from([*RULES, "type:zip", "undecodable", "event time missing"]), st.integers(1, 99)))
def test_every_quarantined_row_is_counted_once(reasons: dict[str, int]) -> None:
    found = settle([a_result(rule) for rule in RULES], 10, reasons)

    assert sum(r.unexpected for r in found) == sum(reasons.values())


@given(st.lists(st.integers(1, 300), max_size=30), st.integers(1, 400))
def test_slices_cover_every_batch_in_order(rows: list[int], limit: int) -> None:
    batches = [(2 * n + 1, count) for n, count in enumerate(rows)]

    cut = list(slices(batches, limit))

    covered = [[(b, c) for b, c in batches if first <= b <= last] for first, last in cut]
    assert [pair for part in covered for pair in part] == batches
    assert all(len(part) == 1 or sum(c for _, c in part) <= limit for part in covered)


def test_reason_names_its_rule() -> None:
    assert [reason_name(r) for r in ("range:amount: -5", "undecodable: a: b", "type:at: event time invalid: x")] == [
        "range:amount",
        "undecodable",
        "type:at",
    ]


def test_column_nobody_carries_fails_after_enough_events() -> None:
    column = a_result("carried:amount")

    assert [carried(column, earlier).success for earlier in (0, 9_989, 9_990)] == [True, True, False]
    assert carried(column, 9_990).detail == "none of 10000 events carried it"
