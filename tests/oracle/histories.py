"""A plan with every kind of tumbling aggregate, and random histories of its stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from tests.oracle.engine import Condition, Event
from tusk_platform.errors import Span
from tusk_platform.plan.nodes import Aggregate, Column, Metric, Plan, Session, Sliding, Stream, Tumbling, Window
from tusk_platform.plan.origin import Origin
from tusk_platform.plan.profile import Runtime
from tusk_platform.units import DAY, HOUR, MINUTE, SECOND, WEEK

ORIGIN: Final = Origin("real_time_aggregations.test", Span("platform.tsk", 1, 1))
# Thursday noon UTC before the Sunday on which summer time ends in Berlin.
START: Final = 1_698_321_600 * SECOND
CONDITIONS: Final[Mapping[str, Condition]] = {
    "\"kind\" = 'buy'": lambda v: v.get("kind") == "buy",
    "\"kind\" = 'look'": lambda v: v.get("kind") == "look",
    '"amount" > 5': lambda v: v.get("amount") is not None and v["amount"] > 5,
}
BUY, LOOK, DEAR = CONDITIONS

STREAM: Final = Stream(
    name="events",
    source="kafka",
    adapter="log",
    columns=(
        Column("timestamp", "timestamp"),
        Column("event_id", "string"),
        Column("user", "string"),
        Column("place", "integer"),
        Column("kind", "string"),
        Column("amount", "decimal"),
        Column("duration", "double"),
    ),
    event_time="timestamp",
    origin=ORIGIN,
    dedup_key=("event_id",),
    deduplicate=True,
    dedup_horizon=20 * SECOND,
)
METRICS: Final = (
    Metric("count", "count", "integer"),
    Metric("buys", "count", "integer", where=BUY),
    Metric("paid", "count", "integer", column="amount"),
    Metric("revenue", "sum", "decimal", column="amount", money=True),
    Metric("dear_revenue", "sum", "decimal", column="amount", where=DEAR, money=True),
    Metric("time_spent", "sum", "double", column="duration"),
    Metric("avg_amount", "avg", "double", column="amount"),
    Metric("avg_duration", "avg", "double", column="duration", where=BUY),
    Metric("least", "min", "decimal", column="amount"),
    Metric("longest", "max", "double", column="duration"),
    Metric("last_kind", "max", "string", column="kind"),
    Metric("users", "distinct", "integer", column="user"),
    Metric("conversion", "ratio", "double", numerator=BUY),
    Metric("dear_share", "ratio", "double", numerator=DEAR, denominator=BUY),
    Metric("window_share", "ratio", "double", numerator=BUY, denominator=LOOK, denominator_scope="window"),
    Metric("throughput", "rate", "double"),
    Metric("spread", "stddev", "double", column="duration"),
    Metric("p50", "p50", "double", column="duration"),
    Metric("p95", "p95", "double", column="amount"),
    Metric("p99", "p99", "double", column="duration", where=BUY),
)
GROUPED: Final = tuple(m for m in METRICS if m.denominator_scope == "group")
NOT_PANES: Final = {"users", "window_share", "spread", "p50", "p95", "p99"}
FEW: Final = (METRICS[0], METRICS[3], METRICS[11])


def aggregate(name: str, window: Window, **changes: Any) -> Aggregate:  # noqa: ANN401 - any field
    """An aggregate of the stream `events` with few metrics unless said."""
    usual: dict[str, Any] = {"dimensions": ("user",), "metrics": FEW}
    return Aggregate(name=name, stream="events", window=window, origin=ORIGIN, **{**usual, **changes})


TUMBLING: Final = (
    aggregate("everything", Tumbling(10 * SECOND), dimensions=("user", "place"), metrics=METRICS),
    aggregate("patient", Tumbling(10 * SECOND), allowed_lateness=15 * SECOND),
    aggregate("in_total", Tumbling(7 * SECOND, offset=3 * SECOND), dimensions=(), allowed_lateness=SECOND),
    aggregate("filtered", Tumbling(MINUTE), where=BUY, metrics=METRICS),
    aggregate("filtered_early", Tumbling(MINUTE), where=BUY, allowed_lateness=MINUTE),
)
# Days and weeks of the plan's timezone.
DAYS: Final = (
    aggregate("daily", Tumbling(DAY), allowed_lateness=5 * HOUR),
    aggregate("weekly", Tumbling(WEEK, offset=-HOUR), dimensions=("place",)),
    aggregate("two_days", Tumbling(2 * DAY, offset=HOUR), dimensions=(), metrics=METRICS),
)
SLIDING: Final = (
    aggregate("panes", Sliding(10 * SECOND, 5 * SECOND), metrics=tuple(m for m in METRICS if m.name not in NOT_PANES)),
    aggregate("exact", Sliding(10 * SECOND, 4 * SECOND, offset=SECOND), metrics=METRICS, allowed_lateness=7 * SECOND),
    aggregate("overlapping", Sliding(9 * SECOND, 2 * SECOND), dimensions=(), where=BUY, metrics=METRICS[:4]),
    aggregate("sampled", Sliding(4 * SECOND, 10 * SECOND), metrics=METRICS[:4]),
)
LONG_SLIDING: Final = (
    aggregate("rolling_week", Sliding(WEEK, DAY, offset=HOUR), allowed_lateness=DAY),
    aggregate("three_by_two", Sliding(3 * DAY, 2 * DAY), dimensions=(), metrics=METRICS),
)
SESSIONS: Final = (
    aggregate("visits", Session(10 * SECOND, 100 * SECOND)),
    aggregate("short_visits", Session(10 * SECOND, 15 * SECOND), allowed_lateness=5 * SECOND),
    aggregate("all_visits", Session(6 * SECOND, 10 * SECOND), dimensions=(), metrics=GROUPED),
    aggregate("buys", Session(20 * SECOND, 70 * SECOND), where=BUY, dimensions=("user", "place")),
)


def plan(*aggregates: Aggregate, timezone: str = "UTC", stream: Stream = STREAM) -> Plan:
    """A plan of these aggregates alone."""
    return Plan("platform.tsk", (stream,), aggregates, runtime=Runtime(timezone=timezone))


@dataclass(frozen=True, slots=True)
class Batch:
    """Events committed together; ``refreshed`` says whether aggregates are refreshed after it."""

    events: tuple[Event, ...]
    refreshed: bool


def histories(span: int, unit: int = SECOND, *, users: int = 2, most: int = 14) -> st.SearchStrategy[list[Batch]]:
    """Batches of events within ``span`` units: out of order, repeated, with null keys, some of them replays.

    The watermark only rises, from whatever value; a batch before the first, or a replayed one, has none.
    """
    # Borders of windows are where mistakes live: whole units, and the microsecond before.
    time = st.integers(0, span).flatmap(lambda s: st.sampled_from([s * unit, s * unit - 1, s * unit + unit // 2]))
    values = st.fixed_dictionaries(
        {
            "event_id": st.one_of(st.none(), st.sampled_from("abcdefgh")),
            "user": st.one_of(st.none(), st.sampled_from("uvwxyz"[:users])),
            "place": st.one_of(st.none(), st.integers(1, 2)),
            "kind": st.sampled_from([None, "buy", "look"]),
            "amount": st.one_of(st.none(), st.integers(-10, 100_000).map(lambda n: Decimal(n).scaleb(-4))),
            "duration": st.one_of(st.none(), st.floats(-1e6, 1e6, allow_nan=False, width=32)),
        }
    )
    event = st.tuples(time, values, st.sampled_from("01"), st.integers(0, 9).map(bool))
    batch = st.tuples(
        st.lists(event, max_size=most), st.one_of(st.none(), st.integers(0, 20)), st.booleans(), st.booleans()
    )
    return st.lists(batch, min_size=1, max_size=7).map(lambda drawn: _history(drawn, unit))


def dense(span: int) -> st.SearchStrategy[list[Batch]]:
    """Many events of one key close together, in time or little late: wrong cuts of long sessions show only there."""
    event = st.integers(0, span).map(lambda s: (s * SECOND, {"user": "u"}, "0", True))
    batch = st.tuples(st.lists(event, min_size=2, max_size=20), st.integers(0, 12), st.just(value=False), st.booleans())
    return st.lists(batch, min_size=1, max_size=6).map(lambda drawn: _history(drawn, SECOND))


def _history(drawn: list[Any], unit: int) -> list[Batch]:
    watermark: int | None = None
    offsets = {"0": 0, "1": 0}
    batches = []
    for number, (events, step, replayed, refreshed) in enumerate(drawn, start=1):
        if step is not None:
            watermark = (START if watermark is None else watermark) + step * unit
        made = []
        for time, values, partition, ok in events:
            known = None if replayed else watermark
            made.append(Event(START + time, number, offsets[partition], known, partition, values, ok))
            offsets[partition] += 1
        batches.append(Batch(tuple(made), refreshed))
    return batches
