"""What detectors watch and what raises alerts, once streams, aggregates and pages are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tusk_platform.errors import nearest
from tusk_platform.plan.drafts import SeriesDraft, WatchDraft
from tusk_platform.plan.nodes import Aggregate, Assumption, Inactive, Plan, Sliding, Tumbling, Widget
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.resolution import Resolution
from tusk_platform.plan.watching import AlertRule, Series
from tusk_platform.units import spell

NOT_WATCHED: Final = "detectors and alerts are not carried out yet"
_SILENT_WINDOWS: Final = 3


@dataclass(frozen=True, slots=True)
class Watched:
    """The series that every detector watches, and the alert rules."""

    series: tuple[Series, ...]
    rules: tuple[AlertRule, ...]


def resolve_watching(plan: Plan, r: Resolution) -> Watched:
    """The series and alert rules of a plan whose aggregates and dashboards are known; what is not found is refused."""
    aggregates = {a.name: a for a in plan.aggregates}
    drafts: list[WatchDraft] = [w for w in r.draft.every("watches") if w.aggregate in aggregates]
    series = {s.name: s for w in drafts if w.watched for s in _all_of(aggregates[w.aggregate], w)}
    for draft in r.draft.every("series"):
        found = _said(draft, aggregates, r)
        if found:
            # Split by dimensions it takes the place of the total.
            series.pop(f"{found.table}.{found.metric}", None)
            series[found.name] = found
    if series and not r.draft.every("detectors"):
        first = next(iter(series.values()))
        r.inactive.append(Inactive(first.origin.key, "no detector watches: `anomaly_detection.algorithms` names none"))
    shown = [w for d in plan.dashboards for w in d.widgets]
    rules = [rule for w in drafts for rule in _rules(w, aggregates[w.aggregate], shown, r)]
    unique: dict[tuple[object, ...], AlertRule] = {}
    for rule in [*rules, *_of_pages(plan)]:
        # One widget on two pages is one rule; two widgets with bounds of their own are two.
        unique.setdefault((rule.kind, rule.table, rule.metric, rule.warning, rule.critical), rule)
    return Watched(tuple(series.values()), tuple(unique.values()))


def _all_of(aggregate: Aggregate, w: WatchDraft) -> Iterable[Series]:
    metrics = [m.name for m in aggregate.metrics]
    if w.counts or not metrics:
        metrics.insert(0, "event_count")
    return (Series(aggregate.table, metric, _switch(w, "anomaly")) for metric in metrics)


def _said(draft: SeriesDraft, aggregates: dict[str, Aggregate], r: Resolution) -> Series | None:
    table, _, metric = draft.metric.rpartition(".")
    table = table.removeprefix("agg.")
    holders = [a for a in aggregates.values() if metric in {"event_count", *(m.name for m in a.metrics)}]
    known = [f"{a.name}.{m.name}" for a in aggregates.values() for m in a.metrics]
    found = [a for a in holders if a.name == table] if table else holders
    if not found:
        hint = nearest(draft.metric, [*known, *(k.partition(".")[2] for k in known)])
        r.refuse(draft.origin, f"unknown metric `{draft.metric}`", hint, "metric")
        return None
    if len(found) > 1:
        several = ", ".join(f"`{a.name}`" for a in found)
        r.refuse(
            draft.origin, f"several aggregates have a metric `{metric}`: {several}",
            f'say which: `"{found[0].name}.{metric}"`', "metric",
        )  # fmt: skip
        return None
    for dimension in draft.by:
        if dimension not in found[0].dimensions:
            hint = nearest(dimension, found[0].dimensions) or f"`{found[0].name}` has no dimensions"
            r.refuse(draft.origin, f"`{found[0].name}` has no dimension `{dimension}`", hint, "by")
            return None
    return Series(found[0].table, metric, draft.origin, draft.by)


def _rules(w: WatchDraft, aggregate: Aggregate, shown: list[Widget], r: Resolution) -> Iterable[AlertRule]:
    name, table = aggregate.name, aggregate.table
    if w.anomalies:
        yield AlertRule(f"{name}.anomaly", "anomaly", table, _switch(w, "anomaly"))
    if w.threshold_alerts:
        thresholds = _thresholds(w, aggregate, shown, r)
        yield from thresholds
        if w.silence and not thresholds and isinstance(aggregate.window, Tumbling | Sliding):
            limit = _SILENT_WINDOWS * aggregate.window.size
            r.assumptions.append(Assumption(
                w.origin.key, "no threshold is said of any of its metrics",
                f"no event for {spell(limit)} in `{name}` is an alert", "",
            ))  # fmt: skip
            yield AlertRule(f"{name}.silence", "silence", table, _switch(w, "threshold"), limit=limit)
    if w.freshness:
        limit = w.limit or _usual_limit(aggregate)
        least = _usual_limit(aggregate) - aggregate.update_frequency
        if limit < least:
            r.refuse(
                w.origin, f"a window of `{name}` is final {spell(least)} after its start, and is promised within "
                f"{spell(limit)}", f'such as `"{spell(_usual_limit(aggregate))}"`', "sla",
            )  # fmt: skip
        if w.limit is None:
            r.assumptions.append(Assumption(
                w.origin.key, "window, lateness and update frequency together",
                f"`{name}` is late `{spell(limit)}` after the start of its newest window", f"{w.origin.key}.sla",
            ))  # fmt: skip
        yield AlertRule(f"{name}.freshness", "freshness", table, _switch(w, "freshness"), limit=limit)


def _switch(w: WatchDraft, kind: str) -> Origin:
    return w.switches.get(kind, w.origin)


def _usual_limit(a: Aggregate) -> int:
    span = a.window.size if isinstance(a.window, Tumbling | Sliding) else a.window.max_size + a.window.gap
    return span + a.allowed_lateness + a.update_frequency


def _thresholds(w: WatchDraft, a: Aggregate, shown: list[Widget], r: Resolution) -> list[AlertRule]:
    metrics = ["event_count", *(m.name for m in a.metrics)]
    for name in w.thresholds:
        if name not in metrics:
            key = f"alerting_rules.thresholds.{name}"
            r.refuse(w.origin, f"`{a.name}` has no metric `{name}`", nearest(name, metrics), key)
    found = []
    of_widgets = {x.metric: (x.warning, x.critical) for x in reversed(shown) if x.source == a.name and _has_bounds(x)}
    for metric in metrics:
        bounds = w.thresholds.get(metric) or of_widgets.get(metric)
        if bounds:
            found.append(
                AlertRule(f"{a.name}.{metric}", "threshold", a.table, _switch(w, "threshold"), metric, *bounds)
            )
    return found


def _has_bounds(w: Widget) -> bool:
    return w.warning is not None or w.critical is not None


def _of_pages(plan: Plan) -> Iterable[AlertRule]:
    """Thresholds of what a page shows, where its alerting is on."""
    prefix = {"aggregate": "agg", "stream": "raw", "query": "query"}
    for d in plan.dashboards:
        for w in d.widgets if d.alerting else ():
            if _has_bounds(w) and w.kind in prefix and w.metric:
                table, switch = f"{prefix[w.kind]}.{w.source}", Origin(f"{d.origin.key}.alerting", d.origin.span)
                yield AlertRule(f"{w.source}.{w.metric}", "threshold", table, switch, w.metric, w.warning, w.critical)
