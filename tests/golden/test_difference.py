"""``case.before.tsk`` and ``case.after.tsk`` give ``case.txt`` and ``case.json``. A new case needs no Python.

``UPDATE_GOLDEN=1 pytest tests/golden`` writes what is given now; read the difference before you keep it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tusk_platform.cli.difference_page import Comparison, difference_json, difference_page
from tusk_platform.compile import compile_text
from tusk_platform.plan.difference import difference
from tusk_platform.plan.impact import impact
from tusk_platform.plan.page import as_json

FOLDER = Path(__file__).parent / "difference"
CASES = sorted(p.name.removesuffix(".before.tsk") for p in FOLDER.glob("*.before.tsk"))
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


@pytest.mark.parametrize("case", CASES)
def test_two_configs_give_their_difference(case: str) -> None:
    before, after = (_plan(f"{case}.{side}.tsk") for side in ("before", "after"))
    nodes = difference(before, after)
    comparison = Comparison("before", before, after, nodes, impact(before, after, nodes, None))
    values = difference_json(comparison)
    for side in ("before", "after"):
        del values[side]["fingerprint"]  # that of all there is in a plan, not of what is compared
    page, text = difference_page(comparison) + "\n", json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    if UPDATE:
        (FOLDER / f"{case}.txt").write_text(page)
        (FOLDER / f"{case}.json").write_text(text)

    assert page == (FOLDER / f"{case}.txt").read_text()
    assert text == (FOLDER / f"{case}.json").read_text()


def _plan(name: str) -> dict[str, object]:
    compiled = compile_text((FOLDER / name).read_text(), name)
    assert not compiled.errors, [p.render() for p in compiled.errors]
    return as_json(compiled.plan)
