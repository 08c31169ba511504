"""Each section of ``platform.tsk`` alone, and each pair: what is missing, or the plan, as people read it.

``UPDATE_GOLDEN=1 pytest tests/golden`` writes what is given now; read the difference before you keep it.
"""

from __future__ import annotations

import os
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from tusk_platform.cli.plan_page import plan_page
from tusk_platform.compile import compile_text
from tusk_platform.tsk.parser import parse

FOLDER = Path(__file__).parent / "sections"
SEED = Path(__file__).resolve().parents[2] / "platform.tsk"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


@cache
def sections() -> dict[str, str]:
    """Section -> its text."""
    text = SEED.read_text(encoding="utf-8")
    entries = parse(text, "platform.tsk").root.entries
    starts = [e.key_span.line - 1 for e in entries]
    ends = [*starts[1:], len(text.split("\n"))]
    lines = text.split("\n")
    return {e.key: "\n".join(lines[a:b]) + "\n" for e, a, b in zip(entries, starts, ends, strict=True)}


CASES = [*((name,) for name in sections()), *combinations(sections(), 2)]


@pytest.mark.parametrize("case", CASES, ids="+".join)
def test_section_or_pair_gives_its_plan_or_what_is_missing(case: tuple[str, ...]) -> None:
    compiled = compile_text("".join(sections()[name] for name in case), "a.tsk")
    given = "\n".join(p.render() for p in compiled.errors) if compiled.errors else plan_page(compiled.plan)
    file = FOLDER / f"{'+'.join(case)}.txt"
    if UPDATE:
        FOLDER.mkdir(exist_ok=True)
        file.write_text(f"{given}\n")

    assert f"{given}\n" == file.read_text()


def test_there_is_no_file_without_a_case() -> None:
    assert {p.stem for p in FOLDER.glob("*.txt")} == {"+".join(case) for case in CASES}
