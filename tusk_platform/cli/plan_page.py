"""The plan as a page for people."""

from __future__ import annotations

from collections.abc import Iterable

from tusk_platform.plan.nodes import Aggregate, Assumption, Metric, Plan, Session, Sliding, Stream
from tusk_platform.plan.page import fingerprint
from tusk_platform.ports import source_adapter
from tusk_platform.units import spell


def plan_page(plan: Plan) -> str:
    """Everything a plan holds, by kind, then what was inferred and what is not active."""
    counts = f"{_count(plan.streams, 'stream')}, {_count(plan.aggregates, 'aggregate')}"
    pages = _count(plan.dashboards, "dashboard")
    parts = [
        f"Plan {fingerprint(plan)} of {plan.file}: {counts}, {pages}; timezone {plan.runtime.timezone}",
        _section("Streams", (line for s in plan.streams for line in _stream(s))),
        _section("Aggregates", (line for a in plan.aggregates for line in _aggregate(a))),
        _section("Dashboards", (line for d in plan.dashboards for line in (
            f"dashboard.{d.name}: every {spell(d.refresh_interval)}, {d.columns}x{d.rows}",
            *(f"  {w.name}: {w.type} of {w.source}{f'.{w.metric}' if w.metric else ''}" for w in d.widgets),
        ))),
        _section("Connections", _connections(plan)),
        _section("Inferred", map(_assumption, plan.assumptions)),
        _section("Not active", (f"{i.key}: {i.reason}" for i in plan.inactive)),
        _section("Environment", (f"{e.variable} is read by {e.key} ({e.span})" for e in plan.environment)),
    ]  # fmt: skip
    return "\n\n".join(p for p in parts if p)


def _section(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(f"  {line}" for line in lines)
    return f"{title}\n{body}" if body else ""


def _count(nodes: tuple[object, ...], name: str) -> str:
    return f"{len(nodes)} {name}{'' if len(nodes) == 1 else 's'}"


def _stream(s: Stream) -> Iterable[str]:
    through = f"through connection `{s.connection}`" if s.connection else f"embedded ({s.adapter})"
    demo = "; demo events until the first real one" if s.demo else ""
    kept = f"; raw kept {spell(s.retention)}" if s.retention else "; raw kept for ever"
    yield f"{s.table}: {s.source}, {through}{demo}{kept}"
    roles = {"event time": s.event_time, "key": s.key, "value": s.value, "type": s.event_type}
    yield "  " + ", ".join(f"{k} {v}" for k, v in roles.items() if v)
    yield "  columns: " + ", ".join(f"{c.name} {c.type}" for c in s.columns)
    if s.deduplicate:
        yield f"  repeated: same {', '.join(s.dedup_key)} within {spell(s.dedup_horizon)}"
    if s.rules:
        yield "  rules: " + ", ".join(r.name for r in s.rules)


def _aggregate(a: Aggregate) -> Iterable[str]:
    late = f", late events up to {spell(a.allowed_lateness)}" if a.allowed_lateness else ""
    by = f" by {', '.join(a.dimensions)}" if a.dimensions else ""
    yield f"{a.table}: {_window(a)} of {a.stream}{by}{late}, refreshed every {spell(a.update_frequency)}"
    yield "  metrics: " + ", ".join(["event_count", *(_metric(m) for m in a.metrics)])
    if a.where:
        yield f"  where: {a.where}"


def _window(a: Aggregate) -> str:
    match a.window:
        case Session(gap=gap):
            return f"sessions with gap {spell(gap)}"
        case Sliding(size=size, slide=slide):
            return f"{spell(size)} every {spell(slide)}"
        case window:
            return f"{spell(window.size)} windows"


def _metric(m: Metric) -> str:
    if m.function == "ratio":
        below = m.denominator or ("all events of the window" if m.denominator_scope == "window" else "all events")
        return f"{m.name} = {m.numerator} ÷ {below}"
    inner = m.column or ("*" if m.function == "count" else "")
    return f"{m.name} = {m.function}({inner})" + (f" where {m.where}" if m.where else "")


def _assumption(a: Assumption) -> str:
    return f"{a.decision} (inferred: {a.rule}{f'; say it with {a.says}' if a.says else ''})"


def _connections(plan: Plan) -> Iterable[str]:
    said = {c.name for c in plan.connections}
    for c in plan.connections:
        yield f"{c.name}: {', '.join(f'{k} = {masked(k, v)}' for k, v in c.values.items())}"
    needed = {name for s in plan.streams if (name := source_adapter(s.source).connection)}
    for name in sorted(needed - said):
        yield f"{name}: embedded"


def masked(key: str, value: object) -> str:
    """A connection's value as it may be shown: references by name, secrets not at all."""
    if isinstance(value, dict) and set(value) == {"@env"}:
        return f"@env({value['@env'][0]})"
    secret = any(word in key.lower() for word in ("password", "secret", "token", "key", "sasl"))
    return "***" if secret else str(value)
