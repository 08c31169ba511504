"""The order of sections and tables in a file decides nothing; only that of streams does, where the rules say so."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.plan.nodes import nodes
from tests.unit.sections.mutation import seed
from tusk_platform.compile import compile_text
from tusk_platform.tsk.nodes import Array, Operator, Scalar, Table, Value
from tusk_platform.tsk.parser import parse

EVERY_KEY = (Path(__file__).resolve().parents[3] / "docs" / "every_key.tsk").read_text(encoding="utf-8")
# The first stream is taken where nothing else decides, and the first metric is shown where none is named.
ORDERED = {"data_streams", "metrics"}
TEXTS = {"seed": seed(), "every_key": EVERY_KEY}


def written(value: Value, chance: Random, name: str = "") -> str:
    """A value as text, the entries of its tables in another order."""
    match value:
        case Table():
            entries = list(value.entries)
            if name not in ORDERED:
                chance.shuffle(entries)
            return "{ " + ", ".join(f"{e.key} = {written(e.value, chance, e.key)}" for e in entries) + " }"
        case Array():
            return "[" + ", ".join(written(v, chance) for v in value.items) + "]"
        case Operator():
            return f"@{value.name}(" + ", ".join(written(v, chance) for v in value.args) + ")"
        case Scalar():
            return json.dumps(value.value)


def shuffled(text: str, number: int) -> str:
    """The same config with its sections, and the tables in them, in another order."""
    return written(parse(text, "a.tsk").root, Random(number)).removeprefix("{").removesuffix("}")


@cache
def unshuffled(name: str) -> dict[str, Any]:
    """The nodes of one of the files as it stands."""
    return found(TEXTS[name])


def found(text: str) -> dict[str, Any]:
    """The nodes of a config that is right."""
    compiled = compile_text(text, "a.tsk")
    assert [p.render() for p in compiled.errors] == []
    return nodes(compiled.plan)


@pytest.mark.parametrize("name", TEXTS)
@settings(max_examples=25, deadline=None)
@given(number=st.integers(0, 2**32))
def test_another_order_gives_the_same_nodes(name: str, number: int) -> None:
    assert found(shuffled(TEXTS[name], number)) == unshuffled(name)


@pytest.mark.parametrize(("streams", "first"), [("visits orders", "visits"), ("orders visits", "orders")])
def test_the_first_of_several_streams_is_taken_where_no_name_decides(streams: str, first: str) -> None:
    declared = "\n".join(f'{name} = {{ source = "kafka" }}' for name in streams.split())
    plan = compile_text(
        f"real_time_analytics = {{ data_streams = {{ {declared} }} }}\n"
        'real_time_aggregations = { load = { window = "1 minute", metrics = { hits = "count" } } }',
        "a.tsk",
    ).plan

    assert plan.aggregate("load").stream == first
