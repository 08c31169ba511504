from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pyarrow as pa
import pytest

from tests.fakes.quality import BARE, GOOD, PLAN, STREAM, RuleJudge, decoded
from tests.fakes.streams import an_aggregate
from tusk_platform.core import transactions
from tusk_platform.core.schema import raw_schema
from tusk_platform.errors import Unavailable
from tusk_platform.jobs import validate as job
from tusk_platform.jobs.validate import QUALITY_TABLE, latest, quality_schema, totals, validate, validate_all
from tusk_platform.plan.nodes import Metric, Plan
from tusk_platform.ports import ExpectationResult
from tusk_platform.storage.duck import query
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake

BAD = {**GOOD, "amount": -1}
RULE = "range:amount"


@pytest.fixture
def lake(home: Home) -> Lake:
    lake = Lake(home.lake)
    for stream in PLAN.streams:
        lake.create(stream.table, raw_schema(stream), partition_by=("_status", "_ingested_date"))
    lake.create(QUALITY_TABLE, quality_schema())
    return lake


@pytest.fixture
def clock() -> Callable[[], int]:
    return count(1_000_000, 1_000_000).__next__


def commit(lake: Lake, batch: int, *events: object) -> None:
    rows = decoded(*events)
    numbers = pa.array([batch] * rows.num_rows, pa.int64())
    rows = rows.set_column(rows.schema.get_field_index("_batch"), "_batch", numbers)
    lake.open("raw.orders").append(rows, {transactions.batch("orders"): batch})


def kept(lake: Lake) -> list[tuple[int, int]]:
    """Evaluated and unexpected rows of one rule, a pair a validation."""
    sql = f"select evaluated, unexpected from quality where rule = '{RULE}' order by through_batch"
    return [(r["evaluated"], r["unexpected"]) for r in query(lake, PLAN, sql).to_pylist()]


def test_each_row_is_judged_once(lake: Lake, clock: Callable[[], int]) -> None:
    judge = RuleJudge(PLAN)
    commit(lake, 1, GOOD, BARE)
    validate(PLAN, STREAM, judge, lake, clock=clock)
    commit(lake, 2, GOOD)

    reports = [validate(PLAN, STREAM, judge, lake, clock=clock) for _ in range(2)]

    assert [(r.rows, r.through_batch, bool(r.results)) for r in reports] == [(1, 2, True), (0, 2, False)]
    assert kept(lake) == [(2, 0), (1, 0)]


def test_quarantined_rows_count_for_their_rule(lake: Lake, clock: Callable[[], int]) -> None:
    judge = RuleJudge(PLAN)
    commit(lake, 1, GOOD, BAD, BAD, b"no json")

    report = validate(PLAN, STREAM, judge, lake, clock=clock)

    found = {r.rule: r for r in report.results}
    assert (report.rows, report.quarantined) == (4, 3)
    assert judge.calls == [("orders", 1, 1)]
    assert (found[RULE].success, found[RULE].evaluated, found[RULE].unexpected) == (False, 4, 2)
    assert found["readable"].unexpected == 1


def test_long_backlog_is_judged_in_slices(
    lake: Lake, clock: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "SLICE_ROWS", 3)
    judge = RuleJudge(PLAN)
    for batch, events in enumerate(([GOOD], [GOOD, BAD], [GOOD] * 5, [BAD]), start=1):
        commit(lake, batch, *events)

    report = validate(PLAN, STREAM, judge, lake, clock=clock)

    assert judge.calls == [("orders", 2, 2), ("orders", 5, 3), ("orders", 0, 4)]
    assert kept(lake) == [(3, 1), (5, 0), (1, 1)]
    assert [(r.evaluated, r.unexpected) for r in report.results if r.rule == RULE] == [(9, 2)]
    assert judge.published == 1


def test_stop_is_heard_between_slices(lake: Lake, clock: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "SLICE_ROWS", 1)
    for batch in (1, 2, 3):
        commit(lake, batch, GOOD)

    report = validate(PLAN, STREAM, RuleJudge(PLAN), lake, clock=clock, stopping=lambda: True)

    assert report.through_batch == 1
    assert validate(PLAN, STREAM, RuleJudge(PLAN), lake, clock=clock).rows == 2


def test_verdicts_and_position_are_one_commit(lake: Lake, clock: Callable[[], int]) -> None:
    commit(lake, 7, GOOD)
    before = lake.open(QUALITY_TABLE).version

    validate(PLAN, STREAM, RuleJudge(PLAN), lake, clock=clock)

    handle = lake.open(QUALITY_TABLE)
    assert (handle.version, handle.transaction(transactions.validated("orders"))) == (before + 1, 7)


class Overtaken(RuleJudge):
    """While it judges, another process does the same work and commits first, once."""

    def __init__(self, plan: Plan, other: Callable[[], object]) -> None:
        super().__init__(plan)
        self._others = iter([other])

    def validate(self, stream: str, rows: pa.Table, *, through_batch: int) -> tuple[ExpectationResult, ...]:
        for other in self._others:
            other()
        return super().validate(stream, rows, through_batch=through_batch)


def test_two_processes_never_count_a_row_twice(lake: Lake, home: Home, clock: Callable[[], int]) -> None:
    commit(lake, 1, GOOD, BAD)

    def other() -> None:
        validate(PLAN, STREAM, RuleJudge(PLAN), Lake(home.lake), clock=clock)
        commit(lake, 2, GOOD)

    report = validate(PLAN, STREAM, Overtaken(PLAN, other), lake, clock=clock)

    assert (report.rows, report.through_batch) == (1, 2)
    assert kept(lake) == [(2, 1), (1, 0)]


class Broken(RuleJudge):
    """Cannot judge orders."""

    def validate(self, stream: str, rows: pa.Table, *, through_batch: int) -> tuple[ExpectationResult, ...]:
        raise Unavailable(f"cannot judge {rows.num_rows} row of {stream}, batch {through_batch}")


def test_stream_that_cannot_be_judged_keeps_no_other_from_it(lake: Lake, clock: Callable[[], int]) -> None:
    commit(lake, 1, GOOD)
    judge = Broken(PLAN)

    reports = validate_all(PLAN, judge, lake, clock=clock)

    assert judge.published == 1
    assert [(r.stream, r.error) for r in reports] == [
        ("orders", "cannot judge 1 row of orders, batch 1"),
        ("sensor/temperature", None),
    ]


def test_latest_shows_only_the_newest_validation(lake: Lake, clock: Callable[[], int]) -> None:
    for batch, event in enumerate((BAD, GOOD), start=1):
        commit(lake, batch, event)
        validate_all(PLAN, RuleJudge(PLAN), lake, clock=clock)

    verdicts = latest(lake, PLAN)

    assert {(v.result.through_batch, v.result.success, v.validated_at) for v in verdicts} == {(2, True, 2_000_000)}
    assert len({v.result.rule for v in verdicts}) == len(verdicts) == 3 + len(STREAM.rules)


def test_totals_add_up_a_span(lake: Lake, clock: Callable[[], int]) -> None:
    for batch, events in enumerate(([BAD], [BAD, GOOD], [GOOD]), start=1):
        commit(lake, batch, *events)
        validate(PLAN, STREAM, RuleJudge(PLAN), lake, clock=clock)

    [total] = [t for t in totals(lake, PLAN, since=2_000_000) if t.rule == RULE]

    assert (total.evaluated, total.unexpected, total.success, total.column) == (3, 1, True, "amount")


def test_column_that_nothing_ever_carried_fails(lake: Lake, clock: Callable[[], int]) -> None:
    metrics = tuple(Metric(name, "sum", "double", column=name) for name in ("score", "amount"))
    plan = replace(PLAN, aggregates=(replace(an_aggregate(), metrics=metrics),))
    found = []
    for batch, events in enumerate(([{**BARE, "amount": 1}], [BARE] * 9_000, [BARE] * 1_000), start=1):
        commit(lake, batch, *events)
        report = validate(plan, STREAM, RuleJudge(plan), lake, clock=clock)
        found.append({r.rule: (r.success, r.detail) for r in report.results if r.expectation == "column_is_carried"})

    assert [f["carried:amount"] for f in found] == [(True, "")] * 3
    assert [f["carried:score"][0] for f in found] == [True, True, False]
    assert found[2]["carried:score"][1] == "none of 10001 events carried it"
