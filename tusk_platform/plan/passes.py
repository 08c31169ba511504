"""The passes that decide open questions: which stream, which columns, which metrics, which rules."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from tusk_platform.errors import Problem, nearest
from tusk_platform.plan.columns import StreamColumns
from tusk_platform.plan.drafts import AggregateDraft
from tusk_platform.plan.metrics import (
    FORMS,
    MetricScope,
    UnknownMetric,
    resolve_metrics,
    specificity,
    summary_metric,
)
from tusk_platform.plan.models import find_inputs
from tusk_platform.plan.nodes import Assumption, Inactive, Metric
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.queries import read_queries
from tusk_platform.plan.resolution import Resolution
from tusk_platform.plan.rules import WHICH_STREAM, Tie, WhichStream, decide

RESERVED: Final = frozenset({"window_start", "window_end", "event_count", "is_final", "updated_at"})


def _unique_names(r: Resolution) -> None:
    for kind in ("streams", "aggregates", "dashboards"):
        seen: dict[str, Origin] = {}
        for node in r.draft.every(kind):
            if node.name in seen:
                r.refuse(node.origin, f"`{node.name}` is declared twice", f"first at {seen[node.name].span}")
            seen.setdefault(node.name, node.origin)


def _start_columns(r: Resolution) -> None:
    r.columns = {s.name: StreamColumns(s) for s in r.streams}
    r.windows = {w.name: w for w in r.draft.every("windows")}


def _check_event_type_streams(r: Resolution) -> None:
    for name in r.draft.every("event_type_streams"):
        if name not in r.columns:
            key = "event_driven_analytics"
            origin = Origin(key, r.draft.spans(f"{key}.streams"))
            r.refuse(origin, f"event types of unknown stream `{name}`", nearest(name, r.columns), "streams")


def _choose_streams(r: Resolution) -> None:
    for a in r.draft.every("aggregates"):
        if a.first_event_stream and not r.streams:
            r.inactive.append(Inactive(a.origin.key, "there is no stream for this window's aggregate to read"))
            continue
        typed = next(iter(r.typed_streams), None) if a.event_type else None
        decision = decide(WHICH_STREAM, WhichStream(a.name, a.stream, r.streams, a.first_event_stream, typed))
        if decision is None:
            hint = "" if a.event_type else ', or name it: `stream = "..."`'
            r.refuse(a.origin, f"no stream for `{a.name}` to read",
                     f"declare one in `real_time_analytics.data_streams`{hint}")  # fmt: skip
        elif isinstance(decision.answer, Tie):
            r.refuse(a.origin, f"`{a.name}` could read several streams: {_listed(decision.answer.candidates)}",
                     f'say which: `stream = "{decision.answer.candidates[0]}"`')  # fmt: skip
        elif decision.answer not in r.columns and a.event_type:
            continue  # refused where the streams of all types are named
        elif decision.answer not in r.columns:
            r.refuse(
                a.origin,
                f"`{a.name}` reads unknown stream `{decision.answer}`",
                nearest(decision.answer, r.columns),
                "stream",
            )
        else:
            r.reads[a.name] = decision.answer
            if not decision.explicit:
                says = _says_stream(a)
                reads = f"`{a.name}` reads stream `{decision.answer}`"
                r.assumptions.append(Assumption(a.origin.key, decision.rule, reads, says))


def _says_stream(a: AggregateDraft) -> str:
    """The key that would say which stream an aggregate reads."""
    if a.event_type:
        return "event_driven_analytics.streams"
    return "" if a.first_event_stream else f"{a.origin.key}.stream"


def _gather_columns(r: Resolution) -> None:
    for columns in r.columns.values():
        columns.role("event_time")
    for typed_stream in r.typed_streams if r.event_types else ():
        columns = r.columns[typed_stream]
        columns.role("event_type")
        for event_type in r.event_types:
            for name in event_type.dimensions:
                columns.add(name)
    for a in r.aggregates:
        columns = r.columns[r.reads[a.name]]
        if a.event_type:
            columns.role("event_type")
        for name in a.dimensions:
            columns.add(name)
        columns.mention(a.mentions)


def _resolve_metrics(r: Resolution) -> None:
    found: dict[str, dict[str, tuple[Metric, ...]]] = {a.name: {} for a in r.aggregates}
    todo = [(specificity(m), a, m) for a in r.aggregates for m in a.metrics]
    for _, a, m in sorted(todo, key=lambda item: item[0]):
        scope = _scope(r, a)
        try:
            found[a.name][m.name] = resolve_metrics(m, scope)
        except UnknownMetric as e:
            r.refuse(m.origin, str(e), FORMS)
    for a in r.aggregates:
        scope = _scope(r, a)
        metrics = [metric for m in a.metrics for metric in found[a.name].get(m.name, ())]
        for function in a.summaries:
            try:
                summary = summary_metric(function, scope)
            except UnknownMetric as e:
                r.refuse(a.origin, str(e), 'name the column in the stream: `value = "..."` or `key = "..."`')
                continue
            metrics += [summary] if summary else []
        _check_names(r, a, metrics)
        r.metrics[a.name] = tuple(metrics)


def _check_names(r: Resolution, a: AggregateDraft, metrics: list[Metric]) -> None:
    names = [*a.dimensions, *(m.name for m in metrics)]
    for name in sorted({n for n in names if names.count(n) > 1}):
        r.refuse(
            a.origin, f"`{name}` stands twice among the dimensions and metrics of `{a.name}`", "give one another name"
        )
    for name in sorted(RESERVED & set(names)):
        r.refuse(a.origin, f"`{name}` is a column every aggregate has", "give the metric or dimension another name")


def _scope(r: Resolution, a: AggregateDraft) -> MetricScope:
    return MetricScope(a, r.columns[r.reads[a.name]], r.event_types)


def _apply_rules(r: Resolution) -> None:
    for rules in r.draft.every("rules"):
        unknown = [s for s in rules.streams if s not in r.columns]
        for name in unknown:
            r.refuse(rules.origin, f"rules for unknown stream `{name}`", nearest(name, r.columns), "streams")
        named = [s for s in rules.streams if s in r.columns]
        whole = named or [n for n, c in r.columns.items() if c.shows("key") and c.shows("event_type")]
        for name in whole:
            for column in (*rules.required, *rules.types, *rules.ranges):
                r.columns[name].add(column)
        for name, columns in r.columns.items():
            if rules.streams and name not in named:
                continue
            for column, column_type in rules.types.items():
                if columns.has(column):
                    columns.types[columns.add(column)] = column_type
            for column in rules.ranges:
                if columns.has(column):
                    columns.add(column, "compared")
            r.whole.setdefault(name, []).append(rules)


def _settle_roles(r: Resolution) -> None:
    for columns in r.columns.values():
        for role in ("key", "value", "event_type"):
            if columns.shows(role):
                columns.role(role)
        columns.dedup_key()


def _doubt_columns(r: Resolution) -> None:
    """Warn of a column that is nearly one of a stream's `schema`: read by that name it would always be null."""
    for name, columns in r.columns.items():
        schema = columns.draft.schema
        known = {*schema, *columns.draft.derive, *(c for c, _ in columns.draft.facts.columns)}
        for column in columns.names if schema else ():
            near = get_close_matches(column, schema, n=1, cutoff=0.8) if column not in known else []
            if near:
                key = f"{columns.draft.origin.key}.schema"
                message = f"something reads a column `{column}` of stream `{name}`, whose `schema` has `{near[0]}`"
                hint = f"mend the name where it is read, or add `{column}` to the schema"
                r.problems.append(Problem(r.draft.spans(key), key, message, hint, "warning"))


PASSES: Final[tuple[Callable[[Resolution], None], ...]] = (
    _unique_names,
    _start_columns,
    _check_event_type_streams,
    _choose_streams,
    _gather_columns,
    read_queries,
    _resolve_metrics,
    find_inputs,
    _apply_rules,
    _settle_roles,
    _doubt_columns,
)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{n}`" for n in names)
