"""Realistic made-up events of a stream: those of a second are a pure function of the stream, the seed and the second.

Visitors come and go, buy, meet errors; the day has a curve and now and then an incident. A small share of the events
arrives late, arrives twice, or is broken on purpose, so that every part of the platform has something to show.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import math
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import orjson

from tusk_platform.core.demo_values import MARKS, Maker, Moment, belongs, incident, maker, person
from tusk_platform.plan.nodes import Column, RowRule, Stream
from tusk_platform.units import HOUR, MINUTE, SECOND

LATE_SHARE: Final = 0.01
BROKEN_SHARE: Final = 0.005
REPEATED_SHARE: Final = 0.005
# A repeated event comes this many seconds after its first copy, so mostly in another batch.
_REPEATED_AFTER: Final = 3
_WEIGHTS: Final[Mapping[str, float]] = {
    "page_view": 60, "click": 18, "api_request": 12, "purchase": 6, "error": 2, "support_ticket": 0.5,
}  # fmt: skip
_ALWAYS: Final = ("page_view", "click", "purchase")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events in the order of their offsets (the microsecond in which each arrives), and the offset to go on from."""

    offsets: list[int]
    payloads: list[bytes]
    next_offset: int


Break = Callable[["Generator", Mapping[str, Any]], bytes]


class Generator:
    """The made-up events of one stream, about ``rate`` a second.

    >>> from tusk_platform.errors import Span
    >>> from tusk_platform.plan.origin import Origin
    >>> visits = Stream("visits", "demo", "demo", (), "timestamp", Origin("visits", Span("", 1, 1)))
    >>> Generator(visits).second(1_800_000_000) == Generator(visits).second(1_800_000_000)
    True
    """

    def __init__(self, stream: Stream, *, seed: int = 1, rate: float = 3.0) -> None:
        self._stream = stream
        self._seed = seed
        self._rate = rate
        self._types = _event_types(stream)
        self._carried = {t: _carried(stream, t) for t in self._types or ("",)}
        self._rules = {r.column: r for r in stream.rules if r.kind == "range"}
        self._breaks: list[Break] = [_truncated, *(b for r in stream.rules if (b := _break(stream, r)))]
        self._topics: tuple[str, ...] = tuple(stream.options.get("topics", ()))

    def between(self, position: int, now: int, limit: int) -> Stretch:
        """At most ``limit`` events from offset ``position`` on, of seconds that are over at ``now`` (microseconds)."""
        offsets: list[int] = []
        payloads: list[bytes] = []
        second, last = position // SECOND, now // SECOND
        while second < last and len(offsets) < limit:
            for offset, payload in self.second(second):
                if offset < position:
                    continue
                if len(offsets) == limit:
                    return Stretch(offsets, payloads, offsets[-1] + 1)
                offsets.append(offset)
                payloads.append(payload)
            second += 1
        return Stretch(offsets, payloads, max(position, second * SECOND))

    def second(self, second: int) -> list[tuple[int, bytes]]:
        """The events that arrive in one second of the epoch: (offset, payload), offsets ascending."""
        events = self._own(second)
        repeated = Random(f"{self._name}:repeat:{second}")  # noqa: S311 - made-up events need no secrecy
        if repeated.random() < REPEATED_SHARE * _expected(self._rate, second):
            earlier = self._own(second - _REPEATED_AFTER)
            if earlier:
                events.append((_free_offset(events, second), repeated.choice(earlier)[1]))
        return events

    @property
    def _name(self) -> str:
        return f"{self._seed}:{self._stream.name}"

    def _own(self, second: int) -> list[tuple[int, bytes]]:
        random = Random(f"{self._name}:{second}")  # noqa: S311 - as above
        count = _poisson(random, _expected(self._rate, second))
        offsets = sorted(random.sample(range(SECOND - SECOND // 10), count))
        return [(second * SECOND + o, self._event(random, second * SECOND + o)) for o in offsets]

    def _event(self, random: Random, arrival: int) -> bytes:
        trouble = incident(self._seed, arrival // SECOND)
        moment = Moment(
            random=random,
            at=self._happened(random, arrival),
            person=person(random, self._seed, arrival // SECOND),
            event_type=self._type(random, trouble=trouble),
            topic=random.choice(self._topics) if self._topics else "",
            trouble=trouble,
        )
        event = self._values(moment)
        if random.random() < BROKEN_SHARE:
            return random.choice(self._breaks)(self, event)
        return self.write(event)

    def write(self, event: Mapping[str, Any]) -> bytes:
        """An event as the stream's senders would write it."""
        if self._stream.format == "json":
            return orjson.dumps(event)
        line = io.StringIO()
        columns = [c.name for c in self._stream.columns if c.name not in self._stream.expressions]
        csv.writer(line, lineterminator="").writerow([event.get(c, "") for c in columns])
        return line.getvalue().encode()

    def _values(self, moment: Moment) -> dict[str, Any]:
        stream = self._stream
        event: dict[str, Any] = {name: self._identity(moment.random, name) for name in ("event_id", *stream.dedup_key)}
        event[stream.event_time] = _written_time(moment.at, stream.time_format)
        if stream.event_type:
            event[stream.event_type] = moment.event_type
        for column, make in self._carried[moment.event_type]:
            event[column.name] = self._value(column, make, moment)
        return event

    def _identity(self, random: Random, name: str) -> object:
        column = self._stream.column(name) or Column(name, "string")
        bits = random.getrandbits(53)
        value: int | str = bits if column.type == "integer" else f"{bits:014x}"
        return _typed(column, value, 0)

    def _value(self, column: Column, make: Maker, moment: Moment) -> Any:  # noqa: ANN401 - whatever JSON can say
        value = _typed(column, make(moment), moment.at)
        rule = self._rules.get(column.name)
        if rule and isinstance(value, int | float) and not isinstance(value, bool):
            return _within(value, rule)
        return value

    def _happened(self, random: Random, arrival: int) -> int:
        """Event time: a moment before arrival, and for a late event so long that most windows are final."""
        if random.random() < LATE_SHARE:
            return arrival - round((11 + 9 * random.random()) * MINUTE)
        return arrival - round(random.random() ** 4 * 2 * SECOND)

    def _type(self, random: Random, *, trouble: bool) -> str:
        if not self._types:
            return ""
        weights = [_WEIGHTS.get(t, 1.0) * (8 if trouble and t == "error" else 1) for t in self._types]
        return random.choices(self._types, weights)[0]


def _event_types(stream: Stream) -> tuple[str, ...]:
    """Declared types, and those of the usual ones whose columns the stream has."""
    if stream.event_type is None:
        return ()
    names = {c.name for c in stream.columns}
    usual = [t for t in _WEIGHTS if t in _ALWAYS or MARKS[t] & names]
    return tuple(dict.fromkeys((*stream.event_types, *usual)))


def _carried(stream: Stream, event_type: str) -> list[tuple[Column, Maker]]:
    """The columns that events of a type carry, beside their identity, time and type, and how their values are made."""
    set_elsewhere = {"event_id", *stream.dedup_key, stream.event_time, stream.event_type, *stream.expressions}
    required = {r.column for r in stream.rules if r.kind == "required"} | {stream.key}
    return [
        (column, maker(column, value=column.name == stream.value))
        for column in stream.columns
        if column.name not in set_elsewhere
        and (not stream.event_type or column.name in required or belongs(column.name, event_type))
    ]


def _expected(rate: float, second: int) -> float:
    """Events a second at that time of day: least at four in the morning UTC, most in the afternoon."""
    phase = (second % 86_400) / 86_400 - 4 / 24
    return rate * (1 - 0.5 * math.cos(2 * math.pi * phase))


def _poisson(random: Random, expected: float) -> int:
    if expected > 50:
        return max(0, round(random.gauss(expected, math.sqrt(expected))))
    bound, product, count = math.exp(-expected), random.random(), 0
    while product > bound:
        product *= random.random()
        count += 1
    return count


def _free_offset(events: list[tuple[int, bytes]], second: int) -> int:
    """An offset after all others of the second: the last tenth of it is kept free."""
    return max(second * SECOND + SECOND - SECOND // 10, events[-1][0] + 1 if events else 0)


def _written_time(micros: int, time_format: str | None) -> str:
    moment = dt.datetime.fromtimestamp(micros // SECOND, dt.UTC).replace(microsecond=micros % SECOND)
    if time_format:
        return moment.strftime(time_format)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _typed(column: Column, value: object, at: int) -> object:
    """The made-up value in the type of its column, as JSON says it."""
    number = value if isinstance(value, int | float) else len(str(value))
    match column.type:
        case "string":
            return str(value)
        case "uuid":
            # The same value is the same identifier, whoever it is made for.
            return str(uuid.UUID(bytes=hashlib.blake2b(str(value).encode(), digest_size=16).digest(), version=4))
        case "integer":
            return round(number)
        case "double":
            return float(number)
        case "decimal":
            return round(float(number), 2)
        case "boolean":
            return bool(number)
        case "timestamp":
            return _written_time(at - (at % HOUR), None)
        case "date":
            return _written_time(at, "%Y-%m-%d")
        case "json":
            return {"value": value}


def _within(value: float, rule: RowRule) -> float:
    """The value, or the nearest one of as many decimals that the rule allows."""
    steps = 1 if isinstance(value, int) else 100
    if rule.minimum is not None and value < rule.minimum:
        value = math.ceil(rule.minimum * steps)
        return value if steps == 1 else value / steps
    if rule.maximum is not None and value > rule.maximum:
        value = math.floor(rule.maximum * steps)
        return value if steps == 1 else value / steps
    return value


def _truncated(generator: Generator, event: Mapping[str, Any]) -> bytes:
    whole = generator.write(event)
    return whole[: len(whole) // 2]


def _break(stream: Stream, rule: RowRule) -> Break | None:
    """What makes an event break this rule, or None where nothing can (everything is a string)."""
    column = stream.column(rule.column)
    value: Any
    match rule.kind:
        case "required":
            value = None
        case "range":
            value = (rule.minimum or 0) - 1 if rule.minimum is not None else (rule.maximum or 0) + 1
        case "type":
            if column is None or column.type in {"string", "json"}:
                return None
            value = f"no {column.type}"

    def broken(generator: Generator, event: Mapping[str, Any]) -> bytes:
        return generator.write({**event, rule.column: value})

    return broken
