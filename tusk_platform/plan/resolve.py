"""From drafts to a plan: run the passes, then assemble frozen nodes from what they decided."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Final

from tusk_platform.errors import Problem, nearest
from tusk_platform.plan.columns import StreamColumns
from tusk_platform.plan.drafts import AggregateDraft, Draft, RuntimeDraft, StreamDraft
from tusk_platform.plan.governance import resolve_audit, resolve_fusion
from tusk_platform.plan.learning import FeatureStore
from tusk_platform.plan.metrics import literal, quoted, typed
from tusk_platform.plan.nodes import (
    Aggregate,
    Assumption,
    Connection,
    Plan,
    RowRule,
    Session,
    Sliding,
    Stream,
    Tumbling,
    Window,
)
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.passes import PASSES
from tusk_platform.plan.profile import BACKED_UP_TO, Cleansing, FaultTolerance, Runtime, Scaling
from tusk_platform.plan.queries import resolve_queries
from tusk_platform.plan.resolution import Resolution
from tusk_platform.plan.retention import raw_retention
from tusk_platform.plan.shown import resolve_dashboards
from tusk_platform.plan.watched import resolve_watching
from tusk_platform.units import HOUR, MINUTE, SECOND, spell

_KINDS: Final = {Tumbling: "tumbling", Sliding: "sliding", Session: "session"}


def resolve(draft: Draft) -> tuple[Plan, tuple[Problem, ...]]:
    """The plan of a draft, and every name in it that could not be resolved (then the plan is not whole)."""
    r = Resolution(draft)
    for each in PASSES:
        each(r)
    runtime = _runtime(r)
    connections = draft.every("connections")
    aggregates = tuple(a for d in r.aggregates if (a := _aggregate(r, d)) is not None)
    streams = tuple(_stream(r, s, connections, aggregates) for s in r.streams if _has_time(r, s))
    draft_plan = Plan(file=draft.file, streams=streams, aggregates=aggregates, connections=connections, runtime=runtime)
    draft_plan = replace(draft_plan, queries=resolve_queries(draft_plan, r))
    dashboards = resolve_dashboards(draft_plan, r)
    watched = resolve_watching(replace(draft_plan, dashboards=dashboards), r)
    online, alerting = r.draft.first("online_learning"), r.draft.first("alerting")
    features = r.draft.first("feature_engineering")
    streams = tuple(_with_retention(s, replace(draft_plan, dashboards=dashboards), r) for s in streams)
    columns = (a for c in r.columns.values() for a in c.assumptions)
    plan = replace(
        draft_plan,
        streams=streams,
        dashboards=dashboards,
        detectors=draft.every("detectors"),
        watched=watched.series,
        alert_rules=watched.rules,
        alerting=alerting,
        models=tuple(r.models),
        feature_engineering=features and replace(features, features=tuple(r.features.values())),
        online_learning=online and replace(online, models=tuple(m.name for m in r.models)),
        feature_store=_feature_store(r, connections),
        model_serving=r.draft.first("model_serving"),
        fusion=resolve_fusion(streams, r),
        cleansing=r.draft.first("cleansing") or Cleansing(),
        audit=resolve_audit(streams, r),
        scaling=r.draft.first("scaling") or Scaling(),
        fault_tolerance=r.draft.first("fault_tolerance") or FaultTolerance(),
        assumptions=(*r.assumptions, *columns),
        inactive=(*draft.every("inactive"), *r.inactive),
        environment=draft.environment,
    )
    return plan, tuple(r.problems)


def _has_time(r: Resolution, s: StreamDraft) -> bool:
    if r.columns[s.name].role("event_time") is not None:
        return True
    r.refuse(s.origin, f"no column of stream `{s.name}` looks like its event time", 'name it: `event_time = "..."`')
    return False


def _stream(
    r: Resolution, s: StreamDraft, connections: tuple[Connection, ...], aggregates: tuple[Aggregate, ...]
) -> Stream:
    columns = r.columns[s.name]
    cleansing: Cleansing = r.draft.first("cleansing") or Cleansing()
    # What has a stand-in and needs no connection (pushed events) is always read through the stand-in.
    connected = s.facts.connection in {c.name for c in connections} if s.facts.connection else not s.facts.stand_in
    adapter = s.source if connected else (s.facts.stand_in or s.source)
    windows = [_span(a.window) + a.allowed_lateness for a in aggregates if a.stream == s.name]
    dedup = columns.dedup_key()
    changes = connected and s.facts.changes
    return Stream(
        name=s.name,
        source=s.source,
        adapter=adapter,
        columns=columns.columns(),
        event_time=columns.role("event_time") or "",
        origin=s.origin,
        key=columns.roles.get("key"),
        value=columns.roles.get("value"),
        event_type=columns.roles.get("event_type"),
        dedup_key=dedup,
        options=s.options,
        connection=s.facts.connection if connected else None,
        expressions=s.derive,
        rules=_row_rules(r, s.name),
        format=s.format,
        time_format=s.time_format,
        timezone=s.timezone or "UTC",
        max_future=s.max_future or HOUR,
        idle_timeout=s.idle_timeout or MINUTE,
        replay=s.facts.replay,
        demo=not connected and adapter == "log" and (r.draft.demo if s.demo is None else s.demo),
        free_form=s.facts.free_form,
        # Of a row's images the newest counts; that it comes again is no repetition.
        deduplicate=bool(dedup) and cleansing.duplicate_removal and not changes,
        dedup_horizon=cleansing.dedup_horizon or max([HOUR, *windows]),
        topic_retention=s.topic_retention,
        retention=s.lake_retention,
        poll_interval=s.poll_interval,
        arrival_time=s.facts.arrival_time,
        changes=changes,
        event_types=tuple(e.name for e in r.event_types) if s.name in r.typed_streams else (),
    )


def _row_rules(r: Resolution, stream: str) -> tuple[RowRule, ...]:
    columns = r.columns[stream]
    found: dict[str, RowRule] = {}
    for rules in r.whole.get(stream, ()):
        for name in filter(columns.has, rules.required):
            at = _below(r, rules.origin, "required_fields")
            rule = RowRule(f"required:{columns.add(name)}", "required", columns.add(name), origin=at)
            found[rule.name] = rule
        for name in filter(columns.has, rules.types):
            at = _below(r, rules.origin, f"data_types.{name}")
            rule = RowRule(f"type:{columns.add(name)}", "type", columns.add(name), origin=at)
            found[rule.name] = rule
        for name in filter(columns.has, rules.ranges):
            at = _below(r, rules.origin, f"value_ranges.{name}")
            rule = RowRule(f"range:{columns.add(name)}", "range", columns.add(name), *rules.ranges[name], origin=at)
            found[rule.name] = rule
    return tuple(found.values())


def _below(r: Resolution, origin: Origin, key: str) -> Origin:
    path = f"{origin.key}.{key}"
    return Origin(path, r.draft.spans(path))


def _aggregate(r: Resolution, d: AggregateDraft) -> Aggregate | None:
    window, lateness = d.window, d.allowed_lateness
    if isinstance(window, str):
        if window not in r.windows:
            windows = (
                nearest(window, r.windows) or 'a size such as `"5 minutes"`; `stream_processing.windows` names none'
            )
            r.refuse(d.origin, f"`{d.name}` uses unknown window `{window}`", windows, "window")
            return None
        lateness = r.windows[window].allowed_lateness if lateness is None else lateness
        window = r.windows[window].window
    if lateness is None:
        lateness = _lateness_of_kind(r, d, window)
    columns = r.columns[r.reads[d.name]]
    frequency = d.update_frequency or min(_span(window), MINUTE)
    return Aggregate(
        name=d.name,
        stream=r.reads[d.name],
        dimensions=tuple(columns.add(x) for x in d.dimensions),
        metrics=tuple(typed(m, columns.column_type) for m in r.metrics[d.name]),
        window=window,
        origin=d.origin,
        allowed_lateness=lateness,
        where=_filter(d, columns),
        update_frequency=max(frequency, SECOND),
        group=d.group,
    )


def _lateness_of_kind(r: Resolution, d: AggregateDraft, window: Window) -> int:
    """What holds for all windows of a kind: the lateness of the window that has the kind's name."""
    usual = r.windows.get(_KINDS[type(window)])
    lateness = usual.allowed_lateness if usual and type(usual.window) is type(window) else None
    if lateness:
        r.assumptions.append(Assumption(d.origin.key, "lateness of its window kind",
                                        f"`{d.name}` waits {spell(lateness)} for late events",
                                        f"{d.origin.key}.allowed_lateness"))  # fmt: skip
    return lateness or 0


def _filter(d: AggregateDraft, columns: StreamColumns) -> str | None:
    if d.event_type is None:
        return d.where
    of_type = f"{quoted(columns.role('event_type') or '')} = {literal(d.event_type)}"
    return f"({of_type}) and ({d.where})" if d.where else of_type


def _feature_store(r: Resolution, connections: tuple[Connection, ...]) -> FeatureStore | None:
    store: FeatureStore | None = r.draft.first("feature_store")
    if store is None or store.type == "embedded" or "redis" in {c.name for c in connections}:
        return store
    return replace(store, adapter="embedded")


def _span(window: Window) -> int:
    return window.size if isinstance(window, Tumbling | Sliding) else window.max_size + window.gap


def _with_retention(s: Stream, plan: Plan, r: Resolution) -> Stream:
    if s.replay:
        return s
    if s.changes and s.retention is None:
        # A row that nobody changes for years is still there, and its only image is as old as that.
        return s
    need, reader = raw_retention(s, plan.aggregates, plan.dashboards, tuple(r.models), plan.queries)
    if s.retention is not None:
        if s.retention < need:
            kept = f"`{s.name}` is kept {spell(s.retention)} (`lake_retention`)"
            r.refuse(s.origin, f"{kept}, but {reader} needs {spell(need)}",
                     f'keep at least that long: `lake_retention = "{spell(need)}"`', "lake_retention")  # fmt: skip
        return s
    r.assumptions.append(Assumption(s.origin.key, "kept for its longest reader",
                                    f"raw rows of `{s.name}` are kept {spell(need)}, for {reader}",
                                    f"{s.origin.key}.lake_retention"))  # fmt: skip
    return replace(s, retention=need)


def _runtime(r: Resolution) -> Runtime:
    """The profile that the sections say together, the usual values for the rest."""
    said = {
        f.name: next((v for part in r.draft.fragments if (v := getattr(part.runtime, f.name)) is not None), None)
        for f in fields(RuntimeDraft)
    }
    runtime = replace(Runtime(timezone=r.draft.timezone), **{name: v for name, v in said.items() if v is not None})
    if (runtime.checkpoint_dir or "").startswith("s3://") and "s3" not in {
        c.name for c in r.draft.every("connections")
    }:
        r.assumptions.append(Assumption(BACKED_UP_TO, "`connections.s3` names no object store",
                                        "checkpoints go to the folder `checkpoints` in the state folder",
                                        ""))  # fmt: skip
    checkpoint = runtime.checkpoint_interval or runtime.commit_interval
    return replace(runtime, commit_interval=min(runtime.commit_interval, checkpoint))
