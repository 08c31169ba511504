"""The generated dbt project of a plan, byte for byte: what a person reads when they open it.

``UPDATE_GOLDEN=1 pytest tests/golden`` writes what is given now; read the difference before you keep it.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from tests.oracle.histories import DAYS, ORIGIN, SESSIONS, SLIDING, TUMBLING, plan
from tests.oracle.macros import compiled
from tusk_platform.generate.dbt_project import GENERATED_FOLDERS, files, sql
from tusk_platform.plan.nodes import Column, Dashboard, Plan, Query, QueryInput, Widget
from tusk_platform.units import HOUR, SECOND

FOLDER = Path(__file__).parent / "dbt"
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))
PAGE = Dashboard(
    "overview",
    (
        Widget("sales", "line_chart", "aggregate", "filtered", ORIGIN),
        Widget("clicks", "counter", "stream", "events", ORIGIN),
        Widget("best", "counter", "query", "best_kinds", ORIGIN),
        Widget("alarms", "alert_panel", "alerts", "alerts", ORIGIN),
    ),
    ORIGIN,
    refresh_interval=5 * SECOND,
)
QUERY = Query(
    "best_kinds",
    """\
SELECT e."kind" AS "kind", '{{ x }}' AS "mark", COUNT(*) AS "n"
FROM clean."events" AS "e"
JOIN agg."filtered" AS "f" ON f."kind" = e."kind"
WHERE e."_event_time" >= NOW() - INTERVAL '1' HOUR
GROUP BY ALL""",
    (QueryInput("clean.events", HOUR), QueryInput("agg.filtered")),
    ORIGIN,
    columns=(Column("kind", "string"), Column("mark", "string"), Column("n", "integer")),
    streams=("events",),
    uses_now=True,
    look_back=HOUR,
)
AGGREGATES = (TUMBLING[0], TUMBLING[3], TUMBLING[4], DAYS[0], SLIDING[0], SESSIONS[0])


def the_plan() -> Plan:
    return replace(plan(*AGGREGATES, timezone="Europe/Berlin"), dashboards=(PAGE,), queries=(QUERY,))


def given() -> dict[str, str]:
    """The project's files, and beside each model the query for people."""
    texts = files(the_plan())
    readable = {f"readable/{a.name}.sql": sql(the_plan(), a) + "\n" for a in AGGREGATES[:4]}
    return texts | readable


@pytest.mark.parametrize("path", sorted(given()))
def test_project_file_reads_as_agreed(path: str) -> None:
    text, file = given()[path], FOLDER / path
    if UPDATE:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    assert text == file.read_text()


@pytest.mark.skipif(UPDATE, reason="the files are being written")
def test_no_file_is_left_over() -> None:
    assert {p.relative_to(FOLDER).as_posix() for p in FOLDER.rglob("*.*")} == given().keys()


def test_everything_generated_stands_where_nothing_else_may() -> None:
    assert all(any(path == g or path.startswith(f"{g}/") for g in GENERATED_FOLDERS) for path in files(the_plan()))


def test_braces_and_quotes_in_a_condition_stay_what_they_are() -> None:
    awkward = """"kind" <> '{{ x }}' and "kind" <> '{% y' and "kind" <> 'it''s "z" \\ {#'"""
    metric = replace(TUMBLING[0].metrics[1], where=awkward)
    condition_inside = compiled(plan(replace(TUMBLING[0], metrics=(metric,))))["everything"]
    condition_in_call = compiled(plan(replace(TUMBLING[0], metrics=(), where=awkward)))["everything"]

    assert awkward in condition_inside
    assert awkward in condition_in_call


def test_every_model_is_sql_of_duckdb() -> None:
    connection = duckdb.connect(":memory:")
    for name, text in compiled(the_plan()).items():
        found = connection.execute("select json_serialize_sql(?)", [text]).fetchall()
        assert '"error":false' in found[0][0], name
