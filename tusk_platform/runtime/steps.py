"""Which assets to materialize, in which order, and how: what ``tusk run`` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from tusk_platform.errors import UsageError, nearest
from tusk_platform.jobs.ingest import Until
from tusk_platform.jobs.show import dashboard_values
from tusk_platform.plan.nodes import Plan
from tusk_platform.runtime.duties import ingest_stream, refresh_aggregates, validate_stream
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.duck import query

Kind = Literal["raw", "clean", "quality", "agg", "query", "dashboard"]
_ORDER: Final[tuple[Kind, ...]] = ("raw", "clean", "quality", "agg", "query", "dashboard")
_COMMAND: Final = "tusk run"


@dataclass(frozen=True, slots=True)
class Step:
    """One asset to materialize."""

    kind: Kind
    name: str

    @property
    def asset(self) -> str:
        """The asset's name as people write it."""
        return f"{self.kind}.{self.name}"


def steps(plan: Plan, assets: Sequence[str], *, upstream: bool, everything: bool) -> tuple[Step, ...]:
    """The steps for the assets asked for, in dependency order; UsageError with the nearest match for an unknown one."""
    known = {s.asset: s for s in _all(plan)}
    if everything:
        return tuple(known.values())
    wanted = set()
    for asset in assets:
        name = asset.replace("/", ".")
        if name not in known:
            raise UsageError(f"no asset `{asset}`; {nearest(name, known)}")
        wanted.add(name)
        if upstream:
            wanted |= _upstream(plan, known[name])
    return tuple(step for name, step in known.items() if name in wanted)


def _all(plan: Plan) -> list[Step]:
    names: Mapping[Kind, Sequence[str]] = {
        "raw": plan.stream_names,
        "clean": plan.stream_names,
        "quality": plan.stream_names,
        "agg": [a.name for a in plan.aggregates],
        "query": [q.name for q in plan.queries],
        "dashboard": [d.name for d in plan.dashboards],
    }
    return [Step(kind, name) for kind in _ORDER for name in names[kind]]


def _upstream(plan: Plan, step: Step) -> set[str]:
    match step.kind:
        case "raw":
            return set()
        case "clean" | "quality":
            return {f"raw.{step.name}"}
        case "agg":
            stream = plan.aggregate(step.name).stream
            return {f"raw.{stream}", f"clean.{stream}"}
        case "query":
            inputs = {i.table for i in plan.query(step.name).inputs}
            return inputs.union(*(_upstream(plan, _step(table)) for table in inputs))
        case "dashboard":
            page = next(d for d in plan.dashboards if d.name == step.name)
            found: set[str] = set()
            for widget in page.widgets:
                if widget.kind == "aggregate":
                    found |= {f"agg.{widget.source}"} | _upstream(plan, Step("agg", widget.source))
                elif widget.kind == "query":
                    found |= {f"query.{widget.source}"} | _upstream(plan, Step("query", widget.source))
                elif widget.kind == "stream":
                    found.add(f"raw.{widget.source}")
            return found


def _step(table: str) -> Step:
    schema, _, name = table.partition(".")
    return Step(next(kind for kind in _ORDER if kind == schema), name)


def perform(platform: Platform, step: Step) -> dict[str, Any]:
    """Materialize one asset and return its numbers."""
    return _PERFORM[step.kind](platform, step.name)


def _raw(platform: Platform, name: str) -> dict[str, Any]:
    report = ingest_stream(platform, platform.plan.stream(name), Until(once=True), command=_COMMAND)
    return {
        "rows": report.rows,
        "quarantined": report.quarantined,
        "late": report.late,
        "duplicates": report.duplicates,
    }


def _clean(platform: Platform, name: str) -> dict[str, Any]:
    sql = f'select count(*) as rows from clean."{name}"'  # noqa: S608 - a name of the plan
    return {"rows": query(platform.lake, platform.plan, sql).to_pylist()[0]["rows"]}


def _quality(platform: Platform, name: str) -> dict[str, Any]:
    report = validate_stream(platform, platform.plan.stream(name), command=_COMMAND)
    failed = [r.rule for r in report.results if not r.success]
    return {"expectations": len(report.results), "failed": ", ".join(failed) or 0}


def _refreshed(platform: Platform, name: str) -> dict[str, Any]:
    [result] = refresh_aggregates(platform, [name], command=_COMMAND)
    return {"rows": result.rows}


def _dashboard(platform: Platform, name: str) -> dict[str, Any]:
    page = next(d for d in platform.plan.dashboards if d.name == name)
    return dict(dashboard_values(platform.plan, page, platform.lake, clock=platform.clock))


_PERFORM: Final[Mapping[Kind, Callable[[Platform, str], dict[str, Any]]]] = {
    "raw": _raw,
    "clean": _clean,
    "quality": _quality,
    "agg": _refreshed,
    "query": _refreshed,
    "dashboard": _dashboard,
}
