"""What models learn from: a pass of the resolution, and the rules that find a model's data by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from tusk_platform.errors import nearest
from tusk_platform.plan.columns import StreamColumns
from tusk_platform.plan.drafts import ModelDraft
from tusk_platform.plan.features import feature, session_gap
from tusk_platform.plan.learning import Cadence, Feature, LearningInput, Model
from tusk_platform.plan.metrics import literal, quoted
from tusk_platform.plan.names import most_shared, plural, singular, tokens
from tusk_platform.plan.nodes import Assumption
from tusk_platform.plan.resolution import Resolution
from tusk_platform.plan.rules import Rule, Tie, decide
from tusk_platform.plan.words import input_words
from tusk_platform.units import DAY, HOUR, WEEK

_WEEKLY: Final = Cadence("weekly", cron="0 0 * * 1")
# A forecast is judged on a few horizons, and learns from several more; no less than two seasons of a week.
_HORIZONS: Final = 10
_LEAST_STEPS: Final = 60
# A classification needs what was known before, the window that tells how it went, and one more to judge it on.
_PREDICTION_WINDOWS: Final = 3


@dataclass(frozen=True, slots=True)
class WhichInput:
    """A model, and what it might learn from: metrics by aggregate, names of the rest.

    ``typed_streams`` are those that have the event types.
    """

    model: ModelDraft
    aggregates: Mapping[str, tuple[str, ...]]
    queries: tuple[str, ...] = ()
    streams: tuple[str, ...] = ()
    event_types: tuple[str, ...] = ()
    typed_streams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What a model learns from: an aggregate, a query, a stream, or the events of one type, by its name."""

    kind: Literal["agg", "query", "stream", "events"]
    name: str


def _said(q: WhichInput) -> Found | None:
    name = q.model.source
    if name is None:
        return None
    if name in q.aggregates:
        return Found("agg", name)
    if name in q.queries:
        return Found("query", name)
    if name in q.streams:
        return Found("stream", name)
    if singular(name) in q.event_types and len(q.typed_streams) == 1:
        return Found("events", singular(name))
    return Found("agg", name)


def _purchases(q: WhichInput) -> Found | Tie | None:
    if "demand" not in tokens(q.model.name) or q.model.algorithm == "random_forest":
        return None
    if len(q.typed_streams) > 1:
        return Tie(q.typed_streams)
    return Found("events", "purchase") if q.typed_streams else None


def _revenue(q: WhichInput) -> Found | None:
    if "revenue" not in tokens(q.model.name) or q.model.algorithm == "random_forest":
        return None
    return next((Found("agg", name) for name, metrics in q.aggregates.items() if "revenue" in metrics), None)


def _keys(q: WhichInput) -> Found | Tie | None:
    if q.model.algorithm != "random_forest" or not q.typed_streams:
        return None
    return Found("stream", q.typed_streams[0]) if len(q.typed_streams) == 1 else Tie(q.typed_streams)


def _sharing(q: WhichInput) -> Found | Tie | None:
    found = most_shared(q.model.name, q.aggregates)
    if len(found) > 1:
        return Tie(found)
    return Found("agg", found[0]) if found else None


WHICH_INPUT: Final[tuple[Rule[WhichInput], ...]] = (
    Rule("said by `source`", _said, explicit=True),
    Rule("demand is purchases", _purchases),
    Rule("first aggregate with a metric `revenue`", _revenue),
    Rule("a classification reads the history of each key", _keys),
    Rule("the aggregate that shares most words", _sharing),
)


def find_inputs(r: Resolution) -> None:
    """Pass: decide what each model learns from, and give streams the columns that takes."""
    for draft in r.draft.every("models"):
        question = WhichInput(
            draft,
            {a.name: tuple(m.name for m in r.metrics.get(a.name, ())) for a in r.aggregates},
            tuple(q.name for q in r.draft.every("queries")),
            tuple(s.name for s in r.streams),
            tuple({e.name: e for e in r.event_types}),
            r.typed_streams,
        )
        decision = decide(WHICH_INPUT, question)
        if decision is None:
            r.refuse(draft.origin, f"nothing to learn from for `{draft.name}`",
                     'declare a stream of events, or name an aggregate: `source = "..."`')  # fmt: skip
        elif isinstance(decision.answer, Tie):
            several = ", ".join(f"`{c}`" for c in decision.answer.candidates)
            r.refuse(draft.origin, f"`{draft.name}` could learn from several tables: {several}",
                     f'say which: `source = "{decision.answer.candidates[0]}"`')  # fmt: skip
        else:
            model = _model(draft, decision.answer, question, r)
            if model is None:
                continue
            r.models.append(model)
            if not decision.explicit:
                named = decision.answer.name
                said = plural(named) if decision.answer.kind == "events" else named
                decided = f"`{draft.name}` learns from `{said}`: {input_words(model.learns_from)}"
                r.assumptions.append(Assumption(draft.origin.key, decision.rule, decided, f"{draft.origin.key}.source"))


def _model(draft: ModelDraft, found: Found, q: WhichInput, r: Resolution) -> Model | None:
    kind, name = found.kind, found.name
    if kind == "agg" and name not in q.aggregates:
        known = [*q.aggregates, *q.queries, *q.streams, *map(plural, q.event_types)]
        r.refuse(draft.origin, f"`{draft.name}` learns from unknown `{name}`", nearest(name, known), "source")
        return None
    if draft.target and (
        draft.algorithm == "random_forest" or (kind in {"stream", "events"} and draft.target != "count")
    ):
        classified = "classifies by activity in `prediction_window`"
        does = classified if draft.algorithm == "random_forest" else f"counts the events of `{name}`"
        r.refuse(draft.origin, f"`{draft.name}` {does}: it has no target `{draft.target}`",
                 "leave `target` out, or name an aggregate that has it", "target")  # fmt: skip
        return None
    if draft.algorithm == "random_forest":
        learns = _histories(draft, found, r)
    elif kind in {"stream", "events"}:
        stream = name if kind == "stream" else q.typed_streams[0]
        learns = _counted(draft, r.columns[stream], name if kind == "events" else None)
    else:
        columns = q.aggregates.get(name, ()) if kind == "agg" else _columns_of_query(r, name)
        learns = _metric(draft, kind, name, columns, r)
    if learns is None:
        return None
    retrain, update = draft.retrain or draft.update, draft.update or draft.retrain
    if retrain is None:
        r.assumptions.append(Assumption(draft.origin.key, "no frequency is said", f"`{draft.name}` is trained `weekly`",
                                        f"{draft.origin.key}.retrain_frequency"))  # fmt: skip
    return Model(
        name=draft.name,
        algorithm=draft.algorithm,
        learns_from=learns,
        retrain=retrain or _WEEKLY,
        update=update or _WEEKLY,
        origin=draft.origin,
        forecast_horizon=draft.forecast_horizon,
        confidence_interval=draft.confidence_interval,
        sequence_length=draft.sequence_length,
        features=draft.features,
        prediction_window=draft.prediction_window,
        threshold=draft.threshold,
    )


def _counted(draft: ModelDraft, columns: StreamColumns, event_type: str | None) -> LearningInput:
    """Events a step, in total and by category where they have one."""
    column = columns.role("event_type") if event_type else None
    where = f"{quoted(column)} = {literal(event_type)}" if column and event_type else None
    by = ("category",) if columns.has("category") else ()
    return _forecast(draft, LearningInput(f"clean.{columns.draft.name}", "count", where, by))


def _metric(draft: ModelDraft, kind: str, name: str, metrics: tuple[str, ...], r: Resolution) -> LearningInput | None:
    known = ("event_count", *metrics) if kind == "agg" else tuple(metrics)
    if draft.target is not None:
        if known and draft.target not in known:
            r.refuse(draft.origin, f"`{name}` has no metric `{draft.target}`", nearest(draft.target, known), "target")
            return None
        return _forecast(draft, LearningInput(f"{kind}.{name}", draft.target))
    shared = most_shared(draft.name, metrics)
    if len(shared) > 1:
        several = ", ".join(f"`{m}`" for m in shared)
        r.refuse(draft.origin, f"`{draft.name}` could predict several metrics of `{name}`: {several}",
                 f'say which: `target = "{shared[0]}"`')  # fmt: skip
        return None
    if not known:
        r.refuse(draft.origin, f"`{draft.name}` does not say which column of `{name}` it predicts",
                 'name it: `target = "..."`')  # fmt: skip
        return None
    target = (*shared, *metrics, *known)[0]
    rule = "the metric that shares most words" if shared else "the first metric"
    r.assumptions.append(Assumption(draft.origin.key, rule, f"`{draft.name}` predicts `{target}`",
                                    f"{draft.origin.key}.target"))  # fmt: skip
    return _forecast(draft, LearningInput(f"{kind}.{name}", target))


def _columns_of_query(r: Resolution, name: str) -> tuple[str, ...]:
    """The columns of a query's result that its text names; none where it takes all of a table."""
    found = next(q for q in r.draft.every("queries") if q.name == name)
    outputs = found.selects[found.result].outputs if found.selects else ()
    return () if any(o.star for o in outputs) else tuple(o.name for o in outputs)


def _forecast(draft: ModelDraft, learns: LearningInput) -> LearningInput:
    """With the step that suits the horizon: a day for 2 to 90 days, an hour below, a week above."""
    horizon = draft.forecast_horizon or DAY
    step = HOUR if horizon < 2 * DAY else DAY if horizon <= 90 * DAY else WEEK
    steps = max(_LEAST_STEPS, _HORIZONS * -(-horizon // step)) + (draft.sequence_length or 0)
    return replace(learns, step=step, history=steps * step)


def _histories(draft: ModelDraft, found: Found, r: Resolution) -> LearningInput | None:
    stream = r.reads[found.name] if found.kind == "agg" else found.name
    if found.kind in {"query", "events"}:
        r.refuse(draft.origin, f"`{draft.name}` needs all events of each key, and `{found.name}` has not",
                 "name a stream or one of its aggregates", "source")  # fmt: skip
        return None
    columns = r.columns[stream]
    entity = columns.role("key")
    if entity is None:
        r.refuse(draft.origin, f"stream `{stream}` has no key column, so `{draft.name}` has nobody to judge",
                 'name it in the stream: `key = "..."`')  # fmt: skip
        return None
    for name_of_feature in draft.features:
        known = feature(name_of_feature, columns, draft.prediction_window or 0, session_gap(r))
        if isinstance(known, Feature):
            r.features[known.name] = known
        else:
            r.refuse(draft.origin, f"`{draft.name}` does not know a feature `{name_of_feature}`", known, "features")
    history = _PREDICTION_WINDOWS * (draft.prediction_window or 0)
    return LearningInput(f"clean.{stream}", entity=entity, history=history)
