"""How many rows a refresh reads, as the lake stands."""

from __future__ import annotations

from tusk_platform.core.views import quoted
from tusk_platform.plan.cost import refresh_span
from tusk_platform.plan.nodes import Plan
from tusk_platform.storage.duck import query
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake


def rows_read(plan: Plan, home: Home) -> dict[str, int]:
    """Aggregate -> rows of the newest span that its refresh reads, for those whose stream has a table."""
    if not home.lake.is_dir():
        return {}
    lake = Lake(home.lake)
    found: dict[str, int] = {}
    for stream in plan.streams:
        spans = {a.name: refresh_span(plan, a) for a in plan.aggregates_of(stream.name)}
        if not spans or not lake.exists(stream.table):
            continue
        table = f"raw.{quoted(stream.name)}"
        counted = [f"count(*) filter (where _event_time >= newest - to_microseconds({s})) as {quoted(n)}"
                   for n, s in spans.items()]  # fmt: skip
        sql = f"""select {", ".join(counted)} from {table}, (select max(_event_time) as newest from {table}
            where _status = 'ok') where _status = 'ok'"""  # noqa: S608 - names of the plan
        found |= query(lake, plan, sql).to_pylist()[0]
    return found
