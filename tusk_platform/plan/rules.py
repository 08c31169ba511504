"""The rules that decide what a config leaves open: one ordered table a question, the first rule that answers wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar

from tusk_platform.plan.drafts import StreamDraft
from tusk_platform.plan.names import most_shared, normal, parts, plural, singular
from tusk_platform.plan.nodes import ColumnType

Role = Literal["event_time", "key", "value", "event_type"]

ROLE_NAMES: Final[dict[Role, tuple[str, ...]]] = {
    "event_time": ("timestamp", "event_time", "created_at", "occurred_at", "time", "ts", "date"),
    "key": ("user_id", "customer_id", "account_id", "device_id", "id"),
    "value": ("amount", "value", "revenue", "price", "total"),
    "event_type": ("event_type", "type", "event"),
}
MONEY_WORDS: Final = frozenset({"amount", "revenue", "price", "cost", "spent", "order_value", "total_spent"})
_VALUE_WORDS: Final = frozenset({"revenue", "sale", "order_value", "spent"})
_KEY_WORDS: Final = frozenset({"user", "visitor", "customer"})
_PREFIXES: Final = ("total_", "sum_", "avg_", "min_", "max_", "p50_", "p95_", "p99_", "unique_", "distinct_")
_SUFFIXES: Final = ("_total", "_sum", "_count")

Question = TypeVar("Question")


@dataclass(frozen=True, slots=True)
class Tie:
    """Several answers that are equally good: the person must say which."""

    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule(Generic[Question]):
    """One way to answer a question; None: this rule does not apply. ``explicit`` rules are no assumption."""

    name: str
    decide: Callable[[Question], Any]
    explicit: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer and the rule that gave it."""

    answer: Any
    rule: str
    explicit: bool


def decide(rules: Sequence[Rule[Question]], question: Question) -> Decision | None:
    """The first answer of an ordered table of rules, or None where no rule applies."""
    for rule in rules:
        answer = rule.decide(question)
        if answer is not None:
            return Decision(answer, rule.name, rule.explicit)
    return None


# -- Which stream does a pipeline or an aggregate read? ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WhichStream:
    """A node's name, the stream it names if any, and the streams there are in declared order.

    ``typed_stream``: for an aggregate of one event type, the stream that has the event types.
    """

    name: str
    said: str | None
    streams: tuple[StreamDraft, ...]
    first_event_stream: bool = False
    typed_stream: str | None = None


def _sharing(q: WhichStream) -> str | Tie | None:
    if q.first_event_stream:
        return None
    found = most_shared(q.name, [s.name for s in q.streams])
    if len(found) > 1:
        return Tie(found)
    return found[0] if found else None


WHICH_STREAM: Final[tuple[Rule[WhichStream], ...]] = (
    Rule("said by `stream`", lambda q: q.said, explicit=True),
    Rule("the stream that has the event types", lambda q: q.typed_stream),
    Rule("shares most words with it", _sharing),
    Rule("first event stream", lambda q: next((s.name for s in q.streams if s.facts.free_form), None)),
)


# -- Which column plays a role? ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WhichRole:
    """A role, the stream that needs it, and the columns known so far."""

    role: Role
    stream: StreamDraft
    columns: tuple[str, ...]


def _present(q: WhichRole) -> str | None:
    known = {normal(c): c for c in q.columns}
    return next((known[normal(n)] for n in ROLE_NAMES[q.role] if normal(n) in known), None)


def _usual(q: WhichRole) -> str | None:
    return ROLE_NAMES[q.role][0] if q.stream.facts.free_form and not q.stream.schema else None


WHICH_ROLE: Final[tuple[Rule[WhichRole], ...]] = (
    Rule("said by the stream's own key", lambda q: getattr(q.stream, q.role), explicit=True),
    Rule(
        "stated by the source", lambda q: q.stream.facts.event_time if q.role == "event_time" else None, explicit=True
    ),
    Rule("first usual name that is a column", _present),
    Rule("usual name, no column shows another", _usual),
)


# -- Which column does a metric read? ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WhichColumn:
    """A metric's name, the column it names if any, the columns known so far, and the columns of two roles."""

    metric: str
    said: str | None
    columns: tuple[str, ...]
    value: Callable[[], str | None]
    key: Callable[[], str | None]


def bare(metric: str) -> str:
    """A metric's name without the words that name its function.

    >>> bare("avg_session_duration"), bare("unique_pages"), bare("revenue_total")
    ('session_duration', 'pages', 'revenue')
    """
    for prefix in _PREFIXES:
        if metric.startswith(prefix):
            metric = metric.removeprefix(prefix)
            break
    for suffix in _SUFFIXES:
        metric = metric.removesuffix(suffix)
    return metric


def _number_variant(q: WhichColumn) -> str | None:
    name = bare(q.metric)
    return next((v for v in (singular(name), plural(name)) if v in q.columns), None)


def _end_token(q: WhichColumn) -> str | None:
    word = singular(bare(q.metric))
    ends = [c for c in q.columns if word in {parts(c)[0], parts(c)[-1]}] if "_" not in word else []
    return ends[0] if len(ends) == 1 else None


def _word(words: frozenset[str], role: Callable[[WhichColumn], str | None]) -> Callable[[WhichColumn], str | None]:
    def answer(q: WhichColumn) -> str | None:
        return role(q) if "_".join(parts(bare(q.metric))) in words else None

    return answer


WHICH_COLUMN: Final[tuple[Rule[WhichColumn], ...]] = (
    Rule("said by `column`", lambda q: q.said, explicit=True),
    Rule("column of the metric's name", lambda q: bare(q.metric) if bare(q.metric) in q.columns else None),
    Rule("singular or plural of a column", _number_variant),
    Rule("only column that begins or ends with the word", _end_token),
    Rule("a word for the value column", _word(_VALUE_WORDS, lambda q: q.value())),
    Rule("a word for the key column", _word(_KEY_WORDS, lambda q: q.key())),
    Rule("the metric's name is the column", lambda q: bare(q.metric)),
)


# -- Which type does a column have? ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WhichType:
    """A column, what is said of its type, and how it is used."""

    column: str
    schema: ColumnType | None
    source: ColumnType | None
    rule: ColumnType | None
    uses: frozenset[str] = field(default_factory=frozenset)


def is_money(column: str) -> bool:
    """Whether a column's name says money: one of the money words, or ending with one (``unit_price``)."""
    return any(column == w or column.endswith(f"_{w}") for w in MONEY_WORDS)


WHICH_TYPE: Final[tuple[Rule[WhichType], ...]] = (
    Rule("said by `schema`", lambda q: q.schema, explicit=True),
    Rule("stated by the source", lambda q: q.source, explicit=True),
    Rule("said by `data_types`", lambda q: q.rule, explicit=True),
    Rule("event time", lambda q: "timestamp" if "event_time" in q.uses else None),
    Rule(
        "computed with, and named like money",
        lambda q: "decimal" if "number" in q.uses and is_money(q.column) else None,
    ),
    Rule("computed with or compared with a number", lambda q: "double" if q.uses & {"number", "compared"} else None),
    Rule("a yes-or-no column", lambda q: "boolean" if "boolean" in q.uses else None),
    Rule("nothing computes with it", lambda _: "string"),
)


# -- What does a short dashboard name show? ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WhichShown:
    """A name in a short dashboard and what it may mean."""

    name: str
    widgets: tuple[str, ...]
    aggregates: tuple[str, ...]
    streams: tuple[str, ...]


def _exact(q: WhichShown) -> tuple[str, str] | None:
    for kind, known in (("widget", q.widgets), ("aggregate", q.aggregates), ("stream", q.streams)):
        if q.name in known:
            return kind, q.name
    return None


def _sharing_shown(kind: str, known: Callable[[WhichShown], tuple[str, ...]]) -> Callable[[WhichShown], Any]:
    def answer(q: WhichShown) -> tuple[str, str] | Tie | None:
        found = most_shared(q.name, known(q))
        if len(found) > 1:
            return Tie(found)
        return (kind, found[0]) if found else None

    return answer


WHICH_SHOWN: Final[tuple[Rule[WhichShown], ...]] = (
    Rule("a widget, aggregate or stream of that name", _exact, explicit=True),
    Rule("the widget that shares most words", _sharing_shown("widget", lambda q: q.widgets)),
    Rule("the aggregate that shares most words", _sharing_shown("aggregate", lambda q: q.aggregates)),
    Rule("the stream that shares most words", _sharing_shown("stream", lambda q: q.streams)),
)
