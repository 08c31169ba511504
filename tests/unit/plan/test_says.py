"""What was decided for the reader can be said by the reader, with the key that the plan names and the same effect."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

from tests.unit.plan.nodes import nodes
from tests.unit.sections.mutation import seed
from tusk_platform.compile import compile_text
from tusk_platform.plan.nodes import Assumption
from tusk_platform.tsk.nodes import Scalar, Table
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.values import find

# Where a list of names, a window or a query stands, there is no table that could say it.
NOWHERE_TO_SAY = {
    "metric `stream_tumbling.avg_session_duration` reads column `session_duration`",
    "metric `stream_tumbling.user_count` reads column `user_id`",
    "metric `stream_tumbling.total_revenue` reads column `amount`",
    "metric `stream_sliding.avg_session_duration` reads column `session_duration`",
    "metric `stream_sliding.user_count` reads column `user_id`",
    "metric `stream_sliding.total_revenue` reads column `amount`",
    "metric `stream_session.avg_session_duration` reads column `session_duration`",
    "metric `stream_session.user_count` reads column `user_id`",
    "metric `stream_session.total_revenue` reads column `amount`",
    "metric `purchase.avg_order_value` reads column `amount`",
    "metric `page_view.unique_visitors` reads column `user_id`",
    "metric `purchase.revenue` reads column `amount`",
    "no event for 15 minutes in `user_behavior` is an alert",
    "`purchases` in query `user_segments` is events of type `purchase` of stream `user_events`",
    "`api_requests` in query `system_performance` is events of type `api_request` of stream `user_events`",
    "`created_at` in query `real_time_metrics` is the event time of stream `user_events`",
    "`created_at` in query `user_segments` is the event time of stream `user_events`",
    "`created_at` in query `system_performance` is the event time of stream `user_events`",
    "`stream_tumbling` reads stream `user_events`",
    "`stream_sliding` reads stream `user_events`",
    "`stream_session` reads stream `user_events`",
    "checkpoints go to the folder `checkpoints` in the state folder",
}


@cache
def assumptions() -> tuple[Assumption, ...]:
    """All of ``platform.tsk``."""
    return compile_text(seed(), "platform.tsk").plan.assumptions


def said(text: str, key: str, value: str) -> str:
    """The config with a key that it did not have, or with another value of one that it has."""
    path = key.split(".")
    root = parse(text, "platform.tsk").root
    table, there = find(root, path[:-1]), find(root, path)
    lines = text.split("\n")
    if there is not None:
        entry: Any = there
        line, start = entry.value.span.line, entry.value.span.column
        rest = re.sub(r"^\[[^\]]*\]", lambda _: value, lines[line - 1][start - 1 :])
        lines[line - 1] = lines[line - 1][: start - 1] + rest
        return "\n".join(lines)
    entry = table
    span = entry.value.span
    before, after = lines[span.line - 1][: span.column - 1], lines[span.line - 1][span.column - 1 :]
    if isinstance(entry.value, Table):
        assert after.startswith("{")
        changed = f"{before}{{ {path[-1]} = {value}\n{after[1:]}"
    else:
        assert isinstance(entry.value, Scalar)
        function = after[: span.length]
        changed = f"{before}{{ function = {function}, {path[-1]} = {value} }}{after[span.length :]}"
    return "\n".join([*lines[: span.line - 1], changed, *lines[span.line :]])


def value_of(a: Assumption) -> str:
    """The decision as a value of the key that says it."""
    decided = re.findall(r"`([^`]+)`", a.decision)
    match a.says.rpartition(".")[2]:
        case "allowed_lateness":
            return '"1 minute"'
        case "lake_retention":
            kept = re.search(r"are kept (\w+ \w+), for", a.decision)
            assert kept
            return f'"{kept.group(1)}"'
        case "streams":
            return f'["{decided[-1]}"]'
        case "personal":
            return "[]"
        case "numerator" | "where":
            return "\"event_type = 'purchase'\""
        case "widgets":
            shown = ("user_activity_chart", "system_health_gauge", "business_metrics")
            return "[" + ", ".join(f'"{name}"' for name in shown) + "]"
    return f'"{decided[-1]}"'


def unquoted(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The value with conditions as a person writes them."""
    if isinstance(value, dict):
        return {k: unquoted(v) for k, v in value.items()}
    if isinstance(value, list):
        return [unquoted(v) for v in value]
    return value.replace('"', "") if isinstance(value, str) else value


def saying() -> list[Assumption]:
    """Those that can be said."""
    return [a for a in assumptions() if a.says]


@pytest.mark.parametrize("assumption", saying(), ids=lambda a: a.says)
def test_the_named_key_says_what_was_inferred(assumption: Assumption) -> None:
    text = said(seed(), assumption.says, value_of(assumption))

    compiled = compile_text(text, "platform.tsk")

    assert [p.render() for p in compiled.errors] == []
    assert (assumption.key, assumption.decision) not in {(a.key, a.decision) for a in compiled.plan.assumptions}
    # The denominator of an explicit ratio is its own group: only a name speaks of the whole window.
    if not assumption.says.endswith("numerator"):
        assert unquoted(nodes(compiled.plan)) == unquoted(nodes(compile_text(seed(), "platform.tsk").plan))


def test_only_what_has_no_place_for_a_key_names_none() -> None:
    silent = {a.decision for a in assumptions() if not a.says}

    assert {d for d in silent if "error_rate" not in d} == NOWHERE_TO_SAY


def test_one_thing_is_decided_once() -> None:
    decisions = [(a.key, a.decision) for a in assumptions()]

    assert len(decisions) == len(set(decisions))
