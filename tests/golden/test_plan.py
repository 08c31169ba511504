"""``case.tsk`` gives ``case.plan.json``, or, where it is wrong, ``case.errors``. A new case needs no Python.

``UPDATE_GOLDEN=1 pytest tests/golden`` writes what is given now; read the difference before you keep it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tusk_platform.compile import compile_text
from tusk_platform.plan.page import as_json

FOLDER = Path(__file__).parent / "plan"
CASES = sorted(p.stem for p in FOLDER.glob("*.tsk"))
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


@pytest.mark.parametrize("case", CASES)
def test_config_gives_its_plan_or_its_errors(case: str) -> None:
    compiled = compile_text((FOLDER / f"{case}.tsk").read_text(), f"{case}.tsk")
    if compiled.errors:
        kind, given = "errors", "\n".join(p.render() for p in compiled.errors) + "\n"
    else:
        plan = as_json(compiled.plan)
        del plan["fingerprint"]
        kind, given = "plan.json", json.dumps(plan, indent=1, ensure_ascii=False) + "\n"
    other = {"errors": "plan.json", "plan.json": "errors"}[kind]
    file = FOLDER / f"{case}.{kind}"
    if UPDATE:
        file.write_text(given)
        (FOLDER / f"{case}.{other}").unlink(missing_ok=True)

    assert not (FOLDER / f"{case}.{other}").exists()
    assert given == file.read_text()
