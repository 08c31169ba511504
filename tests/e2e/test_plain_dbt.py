"""The generated project is a dbt project like any other: plain commands in a fresh shell, from its folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.oracle.engine import Event, rows
from tests.oracle.histories import ORIGIN, START, STREAM, TUMBLING, plan
from tests.oracle.project import add, stored_rows, write_project
from tusk_platform.adapters.engine_dbt import open_engine
from tusk_platform.plan.nodes import Column, Dashboard, Query, QueryInput, Widget
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.units import SECOND

PAGE = Dashboard("overview", (Widget("w", "counter", "aggregate", "everything", ORIGIN),), ORIGIN, SECOND)
QUERY = Query(
    "people",
    'SELECT e."user" AS "user", COUNT(*) AS "n", MAX(p."event_count") AS "most" FROM clean."events" AS e '
    'CROSS JOIN agg."patient" AS p WHERE e."_event_time" >= NOW() - INTERVAL \'100\' YEAR GROUP BY e."user"',
    (QueryInput("clean.events"), QueryInput("agg.patient")),
    ORIGIN,
    columns=(Column("user", "string"), Column("n", "integer"), Column("most", "integer")),
    streams=("events",),
    uses_now=True,
)
PLAN = replace(plan(*TUMBLING[:2]), dashboards=(PAGE,), queries=(QUERY,))
# Every warning is an error, deprecations of dbt's included.
STRICT = ("--warn-error",)


def dbt(folder: Path, *command: str, home: Path | None = None) -> str:
    """Output of a dbt command that must succeed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TUSK_", "DBT_"))}
    # Where the person sits must not move a window.
    environment["TZ"] = "America/New_York"
    if home is not None:
        environment["TUSK_HOME"] = str(home)
    program = [str(Path(sys.executable).with_name("dbt")), "--no-use-colors", *command]
    done = subprocess.run(
        program, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def some_events(batch: int) -> list[Event]:
    return [Event(START + n * SECOND, batch, batch * 100 + n, values={"user": "u"}) for n in range(30)]


@pytest.mark.slow
def test_every_command_works_from_the_folder_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "state")
    folder = write_project(PLAN, home)
    lake = Lake(home.lake)

    dbt(folder, *STRICT, "build")
    assert not lake.exists("agg.everything")
    assert not lake.open("query.people").files()
    add(lake, STREAM, some_events(1), 1)
    dbt(folder, *STRICT, "run", "-s", "patient")
    assert stored_rows(lake, PLAN, "patient").keys() == rows(PLAN, TUMBLING[1], some_events(1)).keys()
    assert not stored_rows(lake, PLAN, "everything")

    built = dbt(folder, *STRICT, "build")
    assert "3 lake models" in built
    assert [f.rows for f in lake.open("query.people").files()] == [1]
    dbt(folder, *STRICT, "test")
    dbt(folder, *STRICT, "docs", "generate")
    catalog = json.loads((folder / "target" / "catalog.json").read_text())
    columns = catalog["nodes"]["model.tusk.everything"]["columns"]
    assert {"window_start", "event_count", "revenue", "is_final"} <= columns.keys()
    assert catalog["sources"].keys() >= {"source.tusk.raw.events", "source.tusk.clean.events"}


@pytest.mark.slow
def test_full_refresh_rebuilds_from_raw_and_tusk_home_says_where(tmp_path: Path) -> None:
    home = Home(tmp_path / "elsewhere")
    folder = write_project(PLAN, Home(tmp_path / "state"))
    lake = Lake(home.lake)
    add(lake, STREAM, some_events(1), 1)
    dbt(folder, *STRICT, "run", home=home.root)
    right = stored_rows(lake, PLAN, "everything")
    table = lake.open("agg.everything")
    table.delete("_window_date >= '0001-01-01'", {})

    dbt(folder, *STRICT, "run", "--full-refresh", home=home.root)

    assert stored_rows(lake, PLAN, "everything").keys() == right.keys()
    assert not (tmp_path / "state" / "lake").exists()


@pytest.mark.slow
def test_a_broken_model_hinders_no_other_and_says_why(tmp_path: Path) -> None:
    home = Home(tmp_path / "state")
    broken = replace(TUMBLING[1], name="broken", where='"no_such_column" > 1')
    the_plan = plan(TUMBLING[0], broken)
    folder, lake = write_project(the_plan, home), Lake(home.lake)
    add(lake, STREAM, some_events(1), 1)
    engine = open_engine(the_plan, folder, home)
    bad, good = engine.refresh(["broken", "everything"])
    engine.close()

    assert bad.error is not None
    assert bad.error.splitlines()[0].startswith('Binder Error: Referenced column "no_such_column" not found')
    assert (good.error, good.through_batch) == (None, 1)
    assert not list(home.scratch.glob("dbt/process-*"))
