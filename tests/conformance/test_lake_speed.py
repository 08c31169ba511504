from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.lake_commits import LIMIT, measure


@pytest.mark.slow
def test_appends_stay_quick_while_maintenance_runs_beside_them(tmp_path: Path) -> None:
    result = measure(tmp_path, 2_000, pause=2.0)

    assert result.maintained > 1
    assert result.work_ratio <= LIMIT, result.as_row()
