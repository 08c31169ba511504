"""What a dashboard stands on: for each widget, how much there is to show and how new it is."""

from __future__ import annotations

from collections.abc import Callable

from tusk_platform.plan.nodes import Dashboard, Plan, Widget
from tusk_platform.storage.duck import query
from tusk_platform.storage.lake import Lake


def dashboard_values(plan: Plan, dashboard: Dashboard, lake: Lake, *, clock: Callable[[], int]) -> dict[str, str]:
    """A line for each widget: rows within its range, and the newest of them."""
    now = clock()
    return {w.name: _standing(plan, w, lake, now) for w in dashboard.widgets}


def _standing(plan: Plan, widget: Widget, lake: Lake, now: int) -> str:
    if widget.kind == "alerts":
        return "no alerts yet"
    if widget.kind == "query":
        sql = f'select count(*) as rows from query."{widget.source}"'  # noqa: S608 - a name of the plan
        return f"{query(lake, plan, sql).to_pylist()[0]['rows']} rows"
    schema, time = ("agg", "window_start") if widget.kind == "aggregate" else ("clean", "_event_time")
    sql = f"""
        select count(*) as rows, strftime(max({time}), '%Y-%m-%d %H:%M:%S') as newest
        from {schema}."{widget.source}" where epoch_us({time}) > {now - widget.time_range}"""  # noqa: S608 - names of the plan
    row = query(lake, plan, sql).to_pylist()[0]
    return f"{row['rows']} rows, newest {row['newest']} UTC" if row["rows"] else "no rows yet"
