"""What every judge of rows keeps to: the one the platform runs, and the one the tests use in its place."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.quality import BARE, GOOD, PLAN, STREAM, RuleJudge, decoded, with_status
from tests.services.installed import REPOSITORY
from tusk_platform import ports
from tusk_platform.core.quality import reason_name
from tusk_platform.errors import UsageError
from tusk_platform.generate.expectations import files
from tusk_platform.ports import Quality
from tusk_platform.storage.home import Home


@pytest.fixture(
    scope="module", params=["fake", pytest.param("great_expectations", marks=pytest.mark.slow)], name="quality"
)
def _quality(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Quality:
    if request.param == "fake":
        return RuleJudge(PLAN)
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(REPOSITORY / "expectations" / "plugins", folder / "plugins")
    for path, text in files(PLAN).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    opened: Quality = ports.find("quality", request.param)(PLAN, folder, Home(folder.parent / "home"))
    return opened


def test_values_of_every_type_and_nulls_pass(quality: Quality) -> None:
    results = quality.validate("orders", decoded(GOOD, BARE), through_batch=4)

    assert [r for r in results if not r.success] == []
    assert {(r.evaluated, r.unexpected, r.through_batch) for r in results} == {(2, 0, 4)}


def test_every_rule_has_one_result(quality: Quality) -> None:
    results = quality.validate("orders", decoded(GOOD), through_batch=1)

    rules = ["columns", "event time", "readable", *(r.name for r in STREAM.rules)]
    assert sorted(r.rule for r in results) == sorted(rules)


def test_no_rows_are_no_failure(quality: Quality) -> None:
    results = quality.validate("orders", decoded(GOOD).slice(0, 0), through_batch=1)

    assert {(r.success, r.evaluated, r.unexpected) for r in results} == {(True, 0, 0)}


def test_judge_finds_what_the_border_keeps_out(quality: Quality) -> None:
    high = {**GOOD, "amount": "1e7"}
    rows = decoded(GOOD, {**GOOD, "amount": -1}, high, {**GOOD, "score": 0.51}, {**BARE, "user_id": None})
    kept_out = [reason_name(r) for r in with_status(rows, "quarantined")["_reason"].to_pylist()]

    found = {r.rule: r.unexpected for r in quality.validate("orders", rows, through_batch=1)}

    assert kept_out == ["range:amount", "range:amount", "range:score", "required:user_id"]
    assert {rule: found[rule] for rule in kept_out} == {rule: kept_out.count(rule) for rule in kept_out}


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just("5.50")
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.text(max_size=2), scalars, max_size=2)
events = st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, values)).map(lambda changed: {**GOOD, **changed})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(events, min_size=1, max_size=5))
def test_whatever_the_border_accepts_passes(quality: Quality, batch: list[dict[str, object]]) -> None:
    accepted = with_status(decoded(*batch), "ok")

    results = quality.validate("orders", accepted, through_batch=1)

    assert [r for r in results if not r.success] == []


def test_missing_column_is_named(quality: Quality) -> None:
    found = {r.rule: r for r in quality.validate("orders", decoded(GOOD).drop_columns(["page"]), through_batch=1)}

    assert (found["columns"].success, found["columns"].detail) == (False, "missing columns: page")


def test_unknown_stream_is_named(quality: Quality) -> None:
    with pytest.raises(UsageError, match=r"no expectation suite for stream `order`; did you mean `orders`"):
        quality.validate("order", decoded(GOOD), through_batch=1)


def test_publishing_twice_is_harmless(quality: Quality) -> None:
    quality.validate("orders", decoded(GOOD), through_batch=1)

    quality.publish()
    quality.publish()
