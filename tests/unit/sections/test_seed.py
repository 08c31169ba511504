"""The seed is right as it stands, and each of its leaves is told apart from a wrong one."""

from __future__ import annotations

import re

import pytest

from tests.unit.sections.mutation import Leaf, leaves, seed, with_key, with_value, without
from tusk_platform.errors import Problem
from tusk_platform.sections.validate import SECTIONS, validate
from tusk_platform.tsk.nodes import Array, Operator, Scalar
from tusk_platform.tsk.parser import parse

# Tables whose keys are the reader's own names.
OWN_NAMES = re.compile(r"real_time_aggregations\.\w+\.metrics|.*\.data_types|analytics_data_sources")
JARGON = re.compile(r"pydantic|https?://errors|\bInput should\b|\bstr\b|\bint\b|\bdict\b|NoneType|<class")
EVERY_LEAF = pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.path)


def wrong_values(leaf: Leaf) -> tuple[str, ...]:
    """Values of another type than the leaf's."""
    match leaf.value:
        case Operator(name="query"):
            return ('"SELECT 1"', "5", "true")
        case Operator():
            return ("5", "true")
        case Array():
            return ('"a word"', "3", "true")
        case Scalar(value=bool()):
            return ('"yes"', "1", "[true]")
        case Scalar(value=str()):
            return ("7.25", "true", "{ }" if OWN_NAMES.fullmatch(leaf.path.rpartition(".")[0]) is None else "7")
        case _:
            return ('"a word"', "true", "[1]")


def only_problem(problems: tuple[Problem, ...]) -> Problem:
    """The one problem there is."""
    assert len(problems) == 1, [p.render() for p in problems]
    assert not JARGON.search(problems[0].message + problems[0].hint), problems[0].render()
    assert problems[0].hint
    return problems[0]


def test_the_whole_seed_is_right() -> None:
    validated = validate(parse(seed(), "platform.tsk"))

    assert [p.render() for p in validated.problems] == []
    assert set(validated.sections) == set(SECTIONS) - {"connections"}
    assert [use.variable for use in validated.environment] == ["GA_PROPERTY_ID"]


def test_the_seed_has_all_its_leaves() -> None:
    assert len(leaves()) == 179


@EVERY_LEAF
def test_a_wrong_type_is_reported_at_the_value(leaf: Leaf) -> None:
    for written in wrong_values(leaf):
        problem = only_problem(validate(with_value(leaf, written)).problems)

        assert (problem.span.line, problem.span.column) == (leaf.value.span.line, leaf.value.span.column)
        assert problem.path == leaf.path
        assert problem.message.startswith("expected ")


@EVERY_LEAF
def test_an_unknown_key_is_reported_at_the_key(leaf: Leaf) -> None:
    problems = validate(with_key(leaf, f"{leaf.entry.key}x")).problems
    table = leaf.path.rpartition(".")[0]
    if OWN_NAMES.fullmatch(table):
        assert problems == ()
        return
    problem = only_problem(problems)

    assert (problem.span.line, problem.span.column) == (leaf.key.line, leaf.key.column)
    assert problem.span.length == len(leaf.entry.key) + 1
    assert problem.message == f"unknown key `{leaf.entry.key}x` in `{table}`"
    assert problem.hint == f"did you mean `{leaf.entry.key}`?"


@EVERY_LEAF
def test_a_missing_key_is_reported_at_its_table(leaf: Leaf) -> None:
    problems = validate(without(leaf)).problems
    if not problems:
        return
    problem = only_problem(problems)

    assert (problem.span.line, problem.span.column) == (leaf.parent.key_span.line, leaf.parent.key_span.column)
    assert problem.message == f"`{leaf.entry.key}` is missing in `{leaf.path.rpartition('.')[0]}`"


def test_the_keys_without_which_nothing_can_be_done_are_required() -> None:
    required = {leaf.entry.key for leaf in leaves() if validate(without(leaf)).problems}

    assert required == {
        "source", "type", "window_size", "widgets", "size", "slide", "gap", "window", "metrics", "data_source",
        "method", "threshold", "time_window", "action", "algorithm", "forecast_horizon", "features", "property_id",
        "dimensions", "object", "fields", "endpoints", "topics", "table",
    }  # fmt: skip
