"""The plan as a page for people: what will exist by kind, what was inferred, what is planned but not active."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tusk_platform.core.formats import Unit
from tusk_platform.plan.cost import refresh_span
from tusk_platform.plan.learning import Model
from tusk_platform.plan.nodes import Aggregate, Assumption, Connection, Dashboard, Plan, Query, Stream
from tusk_platform.plan.page import fingerprint
from tusk_platform.plan.profile import Scaling
from tusk_platform.plan.words import aggregate_words, cadence_words, input_words, metric_words, query_words, rule_words
from tusk_platform.ports import source_adapter
from tusk_platform.units import spell, spell_long

_BYTES: Final = Unit("bytes")
NOT_ACTIVE: Final = "planned, not active"


def plan_page(plan: Plan, rows_read: Mapping[str, int] | None = None) -> str:
    """Everything a plan holds, by kind, then what was inferred and what is not active.

    ``rows_read``: rows that a refresh of an aggregate reads now, where there is a lake.
    """
    rows = rows_read or {}
    parts = [
        _head(plan),
        _section("Streams", (line for s in plan.streams for line in _stream(s))),
        _section("Aggregates", (line for a in plan.aggregates for line in _aggregate(plan, a, rows.get(a.name)))),
        _section("Queries", (line for q in plan.queries for line in _query(q))),
        _section("Dashboards", (line for d in plan.dashboards for line in _dashboard(d))),
        _section("Detectors", _detectors(plan)),
        _section("Alerts", _alerts(plan)),
        _section("Models", (line for m in plan.models for line in _model(plan, m))),
        _section("Features and serving", _learning(plan)),
        _section("Across sources", _fusion(plan)),
        _section("Rows and people", _governance(plan)),
        _section("Runtime", _runtime(plan)),
        _section("Scale and failures", _scale(plan)),
        _section("Connections", _connections(plan)),
        _section("Inferred", map(_assumption, plan.assumptions)),
        _section(NOT_ACTIVE.capitalize(), (f"{i.key}: {i.reason}" for i in plan.inactive)),
        _section("Environment", (f"{e.variable} is read by {e.key} ({e.span})" for e in plan.environment)),
    ]
    return "\n\n".join(p for p in parts if p)


def _head(plan: Plan) -> str:
    kinds = ((plan.streams, "stream"), (plan.aggregates, "aggregate"), (plan.queries, "query"),
             (plan.dashboards, "dashboard"), (plan.detectors, "detector"), (plan.models, "model"))  # fmt: skip
    counts = ", ".join(_count(nodes, name) for nodes, name in kinds if nodes)
    return f"Plan {fingerprint(plan)} of {plan.file}: {counts or 'nothing'}; timezone {plan.runtime.timezone}"


def _section(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    return f"{title}\n{body}" if body else ""


def _count(nodes: tuple[object, ...], name: str) -> str:
    plural = f"{name.removesuffix('y')}ies" if name.endswith("y") else f"{name}s"
    return f"{len(nodes)} {name if len(nodes) == 1 else plural}"


def _mark(plan: Plan, key: str) -> str:
    return f" ({NOT_ACTIVE})" if plan.waits_for(key) else ""


def _on(*, value: bool) -> str:
    return "on" if value else "off"


def _stream(s: Stream) -> Iterable[str]:
    through = f"through connection `{s.connection}`" if s.connection else f"embedded ({s.adapter})"
    demo = "; demo events until the first real one" if s.demo else ""
    kept = f"; raw kept {spell(s.retention)}" if s.retention else "; raw kept for ever"
    yield f"{s.table}: {s.source}, {through}{demo}{kept}"
    roles = {"event time": s.event_time, "key": s.key, "value": s.value, "type": s.event_type}
    yield "  " + ", ".join(f"{k} {v}" for k, v in roles.items() if v)
    yield "  columns: " + ", ".join(f"{c.name} {c.type}" for c in s.columns)
    if s.changes:
        yield "  changes of a table: raw keeps every image of a row, readers see the newest that is not deleted"
    if s.deduplicate:
        yield f"  repeated: same {', '.join(s.dedup_key)} within {spell(s.dedup_horizon)}"
    if s.rules:
        yield "  rules: " + ", ".join(r.name for r in s.rules)


def _aggregate(plan: Plan, a: Aggregate, rows: int | None) -> Iterable[str]:
    yield f"{a.table}: {aggregate_words(a)}, refreshed every {spell(a.update_frequency)}"
    yield "  metrics: " + ", ".join(["event_count", *(f"{m.name} = {metric_words(m)}" for m in a.metrics)])
    if a.where:
        yield f"  where: {a.where}"
    now = f", {rows} rows now" if rows is not None else ""
    yield f"  a refresh reads events of the last {spell_long(refresh_span(plan, a))}{now}"


def _query(q: Query) -> Iterable[str]:
    yield f"{q.table}: at most every {spell(q.update_frequency)}, {query_words(q)}"
    yield "  columns: " + ", ".join(f"{c.name} {c.type}" for c in q.columns)


def _dashboard(d: Dashboard) -> Iterable[str]:
    pace = f"every {spell(d.refresh_interval)}" if d.auto_refresh else "on demand"
    yield f"dashboard.{d.name}: {pace}, {d.columns}x{d.rows}"
    for w in d.widgets:
        yield f"  {w.name}: {w.type} of {w.source}{f'.{w.metric}' if w.metric else ''}"


def _detectors(plan: Plan) -> Iterable[str]:
    for d in plan.detectors:
        options = ", ".join(f"{k} {_option(k, v)}" for k, v in d.options.items())
        yield f"{d.name}: {d.method}, {options}{_mark(plan, d.origin.key)}"
    if plan.watched and plan.detectors:
        yield "each watches: " + ", ".join(s.name for s in plan.watched)


def _option(name: str, value: object) -> str:
    if (isinstance(value, int) and name.endswith("window")) or name.endswith("_size"):
        return spell(int(str(value)))
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _alerts(plan: Plan) -> Iterable[str]:
    for rule in plan.alert_rules:
        yield f"{rule.kind} {rule_words(rule)}{_mark(plan, rule.origin.key)}"
    if plan.alerting:
        said = {c.name for c in plan.connections}
        outs = {"email": "smtp", "slack": "slack", "webhook": "webhook"}
        to = (f"{c} ({'connected' if outs[c] in said else 'local outbox'})" for c in plan.alerting.channels)
        mark = _mark(plan, plan.alerting.origin.key)
        yield f"delivered to {', '.join(to) or 'the local outbox'}{mark}"
        for e in plan.alerting.escalations:
            yield f"{e.threshold} firing {e.severity} alerts within {spell(e.time_window)}: {e.action}{mark}"


def _model(plan: Plan, m: Model) -> Iterable[str]:
    yield f"model.{m.name}: {m.algorithm}, trained {cadence_words(m.retrain)}{_mark(plan, m.origin.key)}"
    yield f"  learns from {input_words(m.learns_from)}"
    if m.forecast_horizon:
        steps = f", {m.sequence_length} steps at once" if m.sequence_length else ""
        yield f"  forecasts {spell(m.forecast_horizon)} ahead, bounds of {m.confidence_interval:.0%}{steps}"
    if m.prediction_window:
        yield f"  no activity within {spell(m.prediction_window)}, at risk from {m.threshold:.0%}"


def _learning(plan: Plan) -> Iterable[str]:
    if f := plan.feature_engineering:
        parts = [name for name, on in (("latest windows", f.real_time), ("history", f.historical)) if on]
        outside = [f"{name} ({_outside(plan, name)})" for name in f.external]
        yield f"features: {', '.join([*parts, *outside]) or 'none'}{_mark(plan, f.origin.key)}"
        for feature in f.features:
            yield f"  {feature.name}: {feature.definition}"
    if o := plan.online_learning:
        who = f"{', '.join(o.algorithms)} for {', '.join(o.models) or 'no model'}"
        drift = "; drift is watched" if o.drift_detection else ""
        state = f"{who}, {cadence_words(o.update)}{drift}" if o.enabled else "off"
        yield f"online learning: {state}{_mark(plan, o.origin.key)}"
    if s := plan.feature_store:
        pace = "with each micro-batch" if s.real_time_ingestion else "on schedule"
        where = s.adapter if s.adapter == s.type else f"{s.adapter} (no connection `{s.type}`)"
        mark = _mark(plan, s.origin.key)
        yield f"feature store: {where}, kept {spell(s.ttl)}, written {s.batch_size} at a time {pace}{mark}"
    if v := plan.model_serving:
        switches = {
            "load balancing": v.load_balancing,
            "auto scaling": v.auto_scaling,
            "health checks": v.health_checks,
        }
        said = ", ".join(f"{name} {_on(value=on)}" for name, on in switches.items())
        yield f"predictions: {v.endpoint or 'no endpoint'}, here port {v.port}; {said}{_mark(plan, v.origin.key)}"


def _outside(plan: Plan, source: str) -> str:
    if source == "holidays":
        return "computed"
    return (
        "connected" if any(c.name == source for c in plan.connections) else f"not active without `connections.{source}`"
    )


def _fusion(plan: Plan) -> Iterable[str]:
    if f := plan.fusion:
        what = {"correlations": f.correlations, "insights": f.insights, "unified_metrics": f.unified_metrics}
        found = ", ".join(name for name, on in what.items() if on)
        mark = NOT_ACTIVE if any(i.key.startswith(f"{f.origin.key}.") for i in plan.inactive) else ""
        yield f"{found} of {', '.join(f.sources)}, a point every {spell(f.step)}{mark and f' ({mark})'}"


def _governance(plan: Plan) -> Iterable[str]:
    c, key = plan.cleansing, "data_quality_config.data_cleansing"
    if plan.streams:
        yield f"repeated events: {'left out' if c.duplicate_removal else 'kept'} in clean"
    if c.outlier_detection:
        mark = _mark(plan, f"{key}.outlier_detection")
        yield f"outliers: marked from a robust score of {c.outlier_threshold:g}{mark}"
    if c.missing_data != "none":
        yield f"missing values: {c.missing_data}{_mark(plan, f'{key}.missing_data_handling')}"
    if a := plan.audit:
        personal = ", ".join(f"{s}.{c}" for s, columns in a.personal for c in columns) or "no column"
        masked_ = f"personal data masked: {personal}" if a.masking else "personal data shown"
        yield f"audit trail: kept {spell(a.retention)}, {masked_}{_mark(plan, a.origin.key)}"


def _runtime(plan: Plan) -> Iterable[str]:
    r = plan.runtime
    engine = f"engine {r.engine}{_mark(plan, 'stream_processing.engine')}"
    yield f"{engine}, {r.parallelism} aggregates at once, a commit at least every {spell(r.commit_interval)}"
    workers = f"{r.workers} workers" if r.workers else "as many workers as cores"
    parallel = workers if r.parallel else "one thing after the other"
    yield f"{parallel}, {r.batch_rows} rows a read"
    level = f" level {r.compression.level}" if r.compression.level is not None else ""
    yield f"files and messages: {r.compression.codec}{level}"
    cache = f"{_BYTES.write(r.cache.size)} for {spell(r.cache.ttl)}" if r.cache.enabled else "off"
    yield f"cache of aggregates: {cache}"
    memory = r.memory
    yield (
        f"memory: {memory.share:.0%} of the machine, {_BYTES.write(memory.pool)} for read events, trimmed every "
        f"{spell(memory.trim_every)}"
    )
    if r.checkpoint_dir:
        mark = _mark(plan, "stream_processing.state_backend.type")
        yield f"checkpoints: {r.checkpoint_dir} every {spell(r.backup_every)}, state in {r.state_backend}{mark}"


def _scale(plan: Plan) -> Iterable[str]:
    if plan.scaling != Scaling():
        yield from _instances(plan, plan.scaling)
    f = plan.fault_tolerance
    switches = f"circuit breaker {_on(value=f.circuit_breaker)}, last good value {_on(value=f.fallback)}"
    yield f"failed calls: {f.max_retries} retries, each wait {f.backoff_multiplier:g} times the last; {switches}"


def _instances(plan: Plan, s: Scaling) -> Iterable[str]:
    mark = _mark(plan, "scalability_config.horizontal_scaling.min_instances")
    if not s.enabled:
        yield f"one instance{mark}"
    elif s.auto_scaling:
        bounds = f"up from {s.scale_up_threshold:g} %, down below {s.scale_down_threshold:g} %"
        yield f"{s.min_instances} to {s.max_instances} instances, {bounds} of load{mark}"
    else:
        yield f"{_count((None,) * s.min_instances, 'instance')}{mark}"
    affinity = f"session affinity {_on(value=s.session_affinity)}"
    mark = _mark(plan, "scalability_config.load_balancing")
    yield f"requests: {s.balancing}, health checks {_on(value=s.health_checks)}, {affinity}{mark}"


def _assumption(a: Assumption) -> str:
    return f"{a.decision} (inferred: {a.rule}{f'; say it with {a.says}' if a.says else ''})"


def _connections(plan: Plan) -> Iterable[str]:
    for c in plan.connections:
        yield _connection(c)
    needed = {name for s in plan.streams if (name := source_adapter(s.source).connection)}
    for name in sorted(needed - {c.name for c in plan.connections}):
        yield f"{name}: embedded"


def _connection(c: Connection) -> str:
    return f"{c.name}: {', '.join(f'{k} = {masked(k, v)}' for k, v in c.values.items())}"


def masked(key: str, value: object) -> str:
    """A connection's value as it may be shown: references by name, secrets not at all."""
    if isinstance(value, dict) and set(value) == {"@env"}:
        return f"@env({value['@env'][0]})"
    secret = any(word in key.lower() for word in ("password", "secret", "token", "key", "sasl"))
    return "***" if secret else str(value)
