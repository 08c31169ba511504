"""What a generated project knows of the plan, and when a definition is another one."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.oracle.histories import BUY, DAYS, LONG_SLIDING, SESSIONS, SLIDING, STREAM, TUMBLING, plan
from tusk_platform.core.catalog import definition, from_plain, to_plain
from tusk_platform.errors import Span
from tusk_platform.plan.nodes import Column, Plan, Session, Tumbling
from tusk_platform.plan.origin import Origin

AGGREGATES = (*TUMBLING, *DAYS, *SLIDING, *LONG_SLIDING, *SESSIONS)
PLAN = plan(*AGGREGATES, timezone="Europe/Berlin")


def test_a_plan_survives_the_file() -> None:
    known = from_plain(json.loads(json.dumps(to_plain(PLAN))))

    assert [definition(known, a) for a in known.aggregates] == [definition(PLAN, a) for a in PLAN.aggregates]
    assert to_plain(known) == to_plain(PLAN)
    assert isinstance(known.aggregate("visits").window, Session)


def test_no_two_definitions_are_equal() -> None:
    assert len({definition(PLAN, a) for a in PLAN.aggregates}) == len(AGGREGATES)


def test_position_and_pace_are_not_the_definition() -> None:
    one = TUMBLING[0]
    moved = replace(one, origin=Origin("elsewhere", Span("other.tsk", 9, 9)), update_frequency=1, group="other")

    assert definition(plan(moved), moved) == definition(plan(one), one)


def test_what_changes_rows_changes_the_definition() -> None:
    one = TUMBLING[0]
    before = definition(plan(one), one)

    def after(the_plan: Plan) -> int:
        return definition(the_plan, the_plan.aggregates[0])

    dearer = tuple(Column(c.name, "double") if c.name == "amount" else c for c in STREAM.columns)
    longer = tuple(Column(c.name, "string") if c.name == "place" else c for c in STREAM.columns)
    changes = [
        plan(replace(one, window=Tumbling(1))),
        plan(replace(one, allowed_lateness=1)),
        plan(replace(one, dimensions=("user",))),
        plan(replace(one, where=BUY)),
        plan(replace(one, metrics=one.metrics[1:])),
        plan(one, stream=replace(STREAM, deduplicate=False)),
        plan(one, stream=replace(STREAM, dedup_key=("user",))),
        plan(one, stream=replace(STREAM, columns=dearer)),
        plan(one, stream=replace(STREAM, columns=longer)),
        plan(one, stream=replace(STREAM, expressions={"amount": "duration * 2"})),
    ]

    assert len({before, *map(after, changes)}) == len(changes) + 1


def test_a_column_nobody_reads_changes_nothing() -> None:
    one = TUMBLING[0]
    more = replace(STREAM, columns=(*STREAM.columns, Column("colour", "string")), dedup_horizon=1)

    assert definition(plan(one, stream=more), one) == definition(plan(one), one)


def test_the_timezone_counts_for_days_alone() -> None:
    berlin, minute, day = "Europe/Berlin", TUMBLING[0], DAYS[0]

    assert definition(plan(minute, timezone=berlin), minute) == definition(plan(minute), minute)
    assert definition(plan(day, timezone=berlin), day) != definition(plan(day), day)
