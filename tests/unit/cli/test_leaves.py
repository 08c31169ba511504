"""Whatever becomes of a value of the config, there is a plan or a message, and never an exception."""

from __future__ import annotations

import pytest

from tests.unit.sections.mutation import Leaf, _written, leaves, seed
from tests.unit.sections.test_seed import wrong_values
from tusk_platform.compile import Compiled, compile_text

SECTIONS = list(dict.fromkeys(leaf.path.split(".")[0] for leaf in leaves()))


def changed(leaf: Leaf, written: str | None) -> str:
    """The whole file with another value of a leaf, or without the leaf."""
    lines = seed().split("\n")
    first = leaf.key if written is None else leaf.value.span
    at = sum(len(line) + 1 for line in lines[: first.line - 1]) + first.column - 1
    value = sum(len(line) + 1 for line in lines[: leaf.value.span.line - 1]) + leaf.value.span.column - 1
    return seed()[:at] + (written or "") + seed()[value + len(_written(leaf)) :]


def of_section(section: str) -> list[Leaf]:
    """The leaves of one section."""
    return [leaf for leaf in leaves() if leaf.path.split(".")[0] == section]


def said(compiled: Compiled) -> None:
    """All that there is to say can be said."""
    for problem in compiled.problems:
        assert problem.render()
        assert problem.span.line >= 1


@pytest.mark.parametrize("section", SECTIONS)
def test_without_any_leaf_there_is_a_plan_or_a_message(section: str) -> None:
    for leaf in of_section(section):
        compiled = compile_text(changed(leaf, None), "platform.tsk")

        said(compiled)
        assert compiled.errors or compiled.plan.streams


@pytest.mark.parametrize("section", SECTIONS)
def test_a_value_of_another_kind_is_a_message_at_its_line(section: str) -> None:
    for leaf in of_section(section):
        written = wrong_values(leaf)[0]

        compiled = compile_text(changed(leaf, written), "platform.tsk")

        said(compiled)
        assert [p.span.line for p in compiled.errors] == [leaf.value.span.line], leaf.path


@pytest.mark.parametrize("section", SECTIONS)
def test_a_variable_in_place_of_any_value_is_a_plan_or_a_message(section: str) -> None:
    for leaf in of_section(section):
        said(compile_text(changed(leaf, "@env(NOT_SET)"), "platform.tsk"))
