"""A single character too few or too many is told once, in whatever way a file is laid out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tusk_platform.tsk import parse

PLATFORM = (Path(__file__).parents[3] / "platform.tsk").read_text(encoding="utf-8")
BLOCKS = re.split(r"\n(?=// )", PLATFORM)
STRUCTURE = '"{}[]()=:,@'


def as_written(block: str) -> str:
    return block


def with_colons(block: str) -> str:
    return re.sub(r"(\w) = ", r"\1: ", block)


def without_indentation(block: str) -> str:
    return "\n".join(line.strip() for line in block.split("\n"))


def misspelled(block: str) -> Iterator[str]:
    """The block with each character of its structure missing, then doubled."""
    for at, char in enumerate(block):
        if char in STRUCTURE:
            yield block[:at] + block[at + 1 :]
            yield block[:at] + char + block[at:]


@pytest.mark.parametrize("layout", [as_written, with_colons, without_indentation])
def test_one_wrong_character_is_one_message(layout: Callable[[str], str]) -> None:
    counts = [len(parse(text, "p.tsk").problems) for block in BLOCKS for text in misspelled(layout(block))]

    # Layout is what tells which bracket is missing; without it now and then a second message remains.
    allowed = 0 if layout is not without_indentation else len(counts) // 100
    assert len(counts) > 1000
    assert sum(count > 1 for count in counts) <= allowed
    # In a query many characters may be missing or doubled without the language noticing.
    assert sum(count == 0 for count in counts) < len(counts) // 4
