"""What a plan's nodes become: each asset with its place in the config, its SQL, its readers, pages and tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tusk_platform.generate.dbt_project import sql
from tusk_platform.generate.expectations import suite
from tusk_platform.generate.model_sql import model
from tusk_platform.plan.nodes import Aggregate, Dashboard, Plan, Query, Stream, Tumbling, Widget
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.words import aggregate_words, cadence_words, input_words, metric_words, query_words
from tusk_platform.units import spell


@dataclass(frozen=True, slots=True)
class Asset:
    """One table, page or model. ``columns`` are its metrics or columns in words; ``node`` is the plan's own word."""

    name: str
    node: str
    words: str
    origin: Origin
    reads: tuple[str, ...] = ()
    sql: str = ""
    tests: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)


def assets(plan: Plan) -> dict[str, Asset]:
    """Every asset of a plan by its name, inputs first."""
    found: list[Asset] = []
    for s in plan.streams:
        found += _of_stream(s)
    found += [_of_aggregate(plan, a) for a in plan.aggregates]
    found += [_of_query(q) for q in plan.queries]
    found += [_of_dashboard(d) for d in plan.dashboards]
    for m in plan.models:
        words = f"{m.algorithm} that learns from {input_words(m.learns_from)}, trained {cadence_words(m.retrain)}"
        found.append(Asset(f"model.{m.name}", m.name, words, m.origin, reads=(m.learns_from.table,)))
    return {a.name: a for a in found}


def readers(known: Mapping[str, Asset], asset: str) -> tuple[str, ...]:
    """Names of the assets that read one directly."""
    return tuple(a.name for a in known.values() if asset in a.reads)


def shown_in(plan: Plan, asset: str, metric: str | None = None) -> tuple[str, ...]:
    """The widgets that show an asset, or one metric of it: ``dashboard.executive_dashboard: revenue_counter``."""
    return tuple(
        f"dashboard.{d.name}: {w.name} ({w.type}{', one of its choices' if metric and w.metric != metric else ''})"
        for d in plan.dashboards
        for w in d.widgets
        if _table(w) == asset and (metric is None or metric in {w.metric, *w.choices})
    )


def _of_stream(s: Stream) -> Iterator[Asset]:
    columns = {c.name: c.type for c in s.columns}
    rules = [str(e["meta"]["rule"]) for e in suite(s)["expectations"]]
    read = f"connection `{s.connection}`" if s.connection else f"the embedded {s.adapter}"
    words = f"events of `{s.name}` ({s.source}) from {read}, every row with its verdict and position"
    checks = tuple(f"check {rule} of {s.table}" for rule in rules)
    yield Asset(s.table, s.name, words, s.origin, tests=checks, columns=columns)
    words = f"events of `{s.name}` that kept every row rule"
    if s.changes:
        words += ", of each row the newest image that is not deleted"
    elif s.deduplicate:
        words += f", repeated ones (same {', '.join(s.dedup_key)}) once"
    yield Asset(f"clean.{s.name}", s.name, words, s.origin, reads=(s.table,), columns=columns)
    words = f"verdicts of the expectation suite over `{s.name}`"
    yield Asset(f"quality.{s.name}", s.name, words, s.origin, reads=(s.table,), tests=checks)


def _of_aggregate(plan: Plan, a: Aggregate) -> Asset:
    keys = "one row per window and group" if a.dimensions else "one row per window"
    tests = (f"dbt test {keys}", "dbt test not null: window_start, window_end, event_count")
    return Asset(
        a.table,
        a.name,
        f"{aggregate_words(a)}, refreshed every {spell(a.update_frequency)}",
        a.origin,
        reads=(f"clean.{a.stream}",),
        sql=sql(plan, a) if isinstance(a.window, Tumbling) else model(plan, a),
        tests=tests,
        columns={**dict.fromkeys(a.dimensions, "dimension"), **{m.name: metric_words(m) for m in a.metrics}},
    )


def _of_query(q: Query) -> Asset:
    words = f"{query_words(q)}, at most every {spell(q.update_frequency)}"
    reads = tuple(dict.fromkeys(i.table for i in q.inputs))
    return Asset(q.table, q.name, words, q.origin, reads=reads, sql=q.sql, columns={c.name: c.type for c in q.columns})


def _of_dashboard(d: Dashboard) -> Asset:
    tables = (t for w in d.widgets if (t := _table(w)))
    words = f"page of {len(d.widgets)} widgets, updated every {spell(d.refresh_interval)}"
    return Asset(f"dashboard.{d.name}", d.name, words, d.origin, reads=tuple(dict.fromkeys(tables)))


def _table(widget: Widget) -> str:
    schema = {"aggregate": "agg", "stream": "raw", "query": "query"}.get(widget.kind)
    return f"{schema}.{widget.source}" if schema else ""
