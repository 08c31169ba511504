"""The language by example: ``case.tsk`` beside ``case.json``, its plain values, or ``case.errors``, every message.

A case needs no Python: put the three (or two) files into the folder. One without ``case.errors`` has no mistake.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tusk_platform.tsk import parse, plain

CASES = sorted((Path(__file__).parent / "tsk").glob("*.tsk"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_every_case_reads_as_written_beside_it(case: Path) -> None:
    document = parse(case.read_text(encoding="utf-8"), case.name)

    messages = "".join(problem.render() + "\n" for problem in document.problems)
    values, errors = case.with_suffix(".json"), case.with_suffix(".errors")
    assert messages == (errors.read_text(encoding="utf-8") if errors.exists() else "")
    assert values.exists() or errors.exists()
    if values.exists():
        assert json.dumps(plain(document.root), indent=2, ensure_ascii=False) + "\n" == values.read_text("utf-8")
