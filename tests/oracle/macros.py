"""The project's own macros rendered outside dbt, so that thousands of histories can be tried in a minute."""

from __future__ import annotations

from pathlib import Path

import jinja2

from tusk_platform.generate.dbt_project import files
from tusk_platform.plan.nodes import Plan

PROJECT = Path(__file__).parents[2] / "dbt_project"


def compiled(plan: Plan) -> dict[str, str]:
    """Aggregate -> SQL of its generated model, as dbt compiles it; sources are plain table names."""
    macros = "\n".join((PROJECT / "macros" / name).read_text() for name in ("clean.sql", "windows.sql", "sessions.sql"))
    generated = files(plan)
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, extensions=["jinja2.ext.do"])  # noqa: S701 - SQL
    environment.globals["source"] = lambda schema, table: f'"{schema}"."{table}"'
    return {
        a.name: environment.from_string(macros + generated[f"models/aggregates/{a.name}.sql"]).render(
            this=f'"agg"."{a.name}"'
        )
        for a in plan.aggregates
    }
