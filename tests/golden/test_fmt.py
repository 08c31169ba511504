"""``case.tsk`` is formatted as ``case.formatted.tsk`` says. A new case needs no Python: put the two files there.

``UPDATE_GOLDEN=1 pytest tests/golden`` writes what is given now; read the difference before you keep it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tusk_platform.tsk import parse, plain
from tusk_platform.tsk.formatting import format_text

FOLDER = Path(__file__).parent / "fmt"
CASES = sorted(p.stem for p in FOLDER.glob("*.tsk") if not p.name.endswith(".formatted.tsk"))
PLATFORM = Path(__file__).parents[2] / "platform.tsk"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_formatted_as_written_beside_it(case: str) -> None:
    written = (FOLDER / f"{case}.tsk").read_bytes().decode("utf-8")
    expected = FOLDER / f"{case}.formatted.tsk"
    given = format_text(written, case)
    if UPDATE:
        expected.write_text(given, encoding="utf-8")

    assert given == expected.read_bytes().decode("utf-8")
    assert format_text(given, case) == given
    assert repr(plain(parse(given, case).root)) == repr(plain(parse(written, case).root))


def test_the_config_of_this_repository_loses_only_blanks_at_the_ends_of_lines() -> None:
    written = PLATFORM.read_text(encoding="utf-8")

    given = format_text(written, "platform.tsk")

    assert [line.rstrip() for line in given.split("\n")] == [line.rstrip() for line in written.split("\n")]
