"""MQTT topics as a source: messages come to rest in a log of the stream's own, and only then the broker is told.

Without a connection the embedded log stands in.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field

from tusk_platform.adapters.log_reader import LogHistory, LogReader, ReceivedSource
from tusk_platform.adapters.mqtt import ANSWER, Link, where
from tusk_platform.core.messages import event_of, without_topic
from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Batch, Chunk, Position, SourceContext, Stated
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, PlainText, came, wrong
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.log import EventLog
from tusk_platform.units import DAY, MINUTE

if TYPE_CHECKING:
    from paho.mqtt.client import MQTTMessage

# A topic holds no NUL, so the first one ends it.
_END_OF_TOPIC: Final = b"\0"
# Messages and bytes that are put into the log at once; seconds to wait for the rest of what the broker is sending.
_MOST: Final = 5_000
_MOST_BYTES: Final = 16 * 2**20
_GATHER: Final = 0.002
# What the lake holds stays in the log for a day: a lake restored from an older copy goes on from there.
_KEPT: Final = DAY
# Seconds within which a publisher must hear something.
_DELIVERED: Final = 30.0


def _filter(topic: str) -> str:
    levels = topic.split("/")
    whole = all(level in {"+", "#"} or not set(level) & set("+#") for level in levels)
    if not whole or "#" in levels[:-1]:
        hint = "`+` stands for one whole level, `#` for all levels at the end: `sensor/+/temperature`, `sensor/#`"
        raise wrong(f"expected an MQTT topic filter, got {came(topic)}", hint)
    return topic


def _apart(topics: tuple[str, ...]) -> tuple[str, ...]:
    """Filters of which no topic fits two: brokers may send a message once for each."""
    for index, topic in enumerate(topics):
        for earlier in topics[:index]:
            if _meet(earlier.split("/"), topic.split("/")):
                raise wrong(
                    f"a topic may fit both {came(earlier)} and {came(topic)}, and its messages would come twice",
                    "write one filter for both",
                    at=(index,),
                )
    return topics


def _meet(one: Sequence[str], other: Sequence[str]) -> bool:
    if "#" in {*one[:1], *other[:1]}:
        return True  # where the other has ended too: `a/#` is also `a`
    if not one or not other:
        return not one and not other
    return (one[0] == other[0] or "+" in (one[0], other[0])) and _meet(one[1:], other[1:])


class MqttOptions(Block):
    """Keys of an ``mqtt`` stream."""

    topics: Annotated[
        AtLeastOne[Annotated[PlainText, AfterValidator(_filter)]], AfterValidator(_apart)
    ] = Field(description="Topic filters to subscribe to.", examples=[["sensor/temperature"]])  # fmt: skip
    qos: int = Field(
        default=1, ge=0, le=2, description="Quality of service to subscribe with; 2 is asked for as 1.", examples=[1]
    )


class MqttReader(LogReader):
    """The messages of the log as events; what is none keeps its bytes and says why."""

    def take(self, position: Position, rows: int) -> Batch:
        """What is there now from a position on."""
        batch = super().take(position, rows)
        return Batch(tuple(c for chunk in batch.chunks for c in _events(chunk)), batch.at_end)


def _events(chunk: Chunk) -> list[Chunk]:
    stored = [(p or b"").partition(_END_OF_TOPIC) for p in chunk.payloads or ()]
    events = [event_of(topic.decode(), payload) for topic, _, payload in stored]
    runs = [list(run) for _, run in groupby(range(len(events)), key=lambda i: events[i].broken)]
    return [
        Chunk(
            chunk.partition,
            [chunk.offsets[i] for i in run],
            chunk.next_offset if run is runs[-1] else chunk.offsets[run[-1]] + 1,
            [events[i].payload for i in run],
            arrivals=[chunk.arrivals[i] for i in run] if chunk.arrivals else None,
            broken=events[run[0]].broken,
        )
        for run in runs
    ]


class MqttReceiver:
    """Messages of one persistent session into the log, acknowledged once they are on disk.

    The broker sends again what it did not see acknowledged, marked so. Which packets those may be is remembered in the
    log itself, in the commit that took them, until the broker is known to have heard: from then on their ids may be
    those of other messages.
    """

    def __init__(self, stream: Stream, context: SourceContext, log: EventLog) -> None:
        options = MqttOptions.model_construct(**stream.options)
        self._stream = stream.name
        self._context = context
        self._log = log
        self._filters = tuple(options.topics)
        # A library that keeps half-received messages in memory would lose them in a crash; each once is the log's work.
        self._qos = min(options.qos, 1)
        self._link: Link | None = None
        self._arrived: list[MQTTMessage] = []
        # Packets that the broker may send again: id and what it held.
        self._unheard: dict[int, str] = {}
        self._stored: dict[int, str] = {}
        # Those of an earlier connection: a broker sends them again in portions, so an answer between proves nothing.
        self._earlier: set[int] = set()
        # The question that is not answered yet, the packets whose acknowledgement it follows, and what came since.
        self._asked: int | None = None
        self._covered: set[int] = set()
        self._took_since = False
        self._settled = False
        self._trimmed_at = 0.0

    def receive(self, seconds: float) -> bool:
        """Messages that come within the time; whether the broker has no more for now."""
        deadline = time.monotonic() + seconds
        try:
            link = self._connected()
            waits = self._settled
            while True:
                self._gather(link, 0.0 if self._arrived else deadline - time.monotonic())
                if self._arrived:
                    self._take_in(link)
                    return False
                self._hear(link)
                # A reader who wants all there is must not wait for more once the end is reached.
                if (self._settled and not waits) or time.monotonic() >= deadline:
                    return self._settled
        except BaseException:
            # What was not put into the log is not acknowledged either: it comes again.
            self.close()
            raise

    def subscribe_once(self) -> None:
        """Have the broker keep messages for us from now on, where it does not do so already."""
        if self._log.mark("filters") is None:
            self._connected()
            self.close()

    def committed(self, offset: int) -> None:
        """Remove from the log what the lake has held for a day."""
        if time.monotonic() - self._trimmed_at > MINUTE / 1e6:
            self._trimmed_at = time.monotonic()
            self._log.trim(time.time_ns() // 1000 - _KEPT, through=offset)

    def behind(self) -> int | None:
        """Nothing where the broker has no more for now; else it does not say how much it has."""
        return 0 if self._settled and not self._arrived else None

    def close(self) -> None:
        """Let go of the connection; the session stays, and the broker keeps what comes for it."""
        link, self._link = self._link, None
        self._arrived, self._settled, self._asked = [], False, None
        if link is not None:
            link.close()

    def _connected(self) -> Link:
        if self._link is not None and self._link.is_stale:
            self.close()
        if self._link is not None:
            return self._link
        link = Link(self._context, self._client_id(), clean=False, on_message=self._arrived.append)
        link.open()
        self._link = link
        # Another session knows nothing of the packets of the one before it.
        present = link.session_present
        known: dict[str, str] = orjson.loads(self._log.mark("unheard") or "{}") if present else {}
        self._stored = {int(number): print_ for number, print_ in known.items()}
        self._unheard = dict(self._stored)
        self._earlier = set(self._stored)
        had = orjson.loads(self._log.mark("filters") or "[]") if present else []
        wanted = [*self._filters, self._qos]
        if had != wanted:
            self._subscribe(link, had)
            self._log.append([], marks={"filters": orjson.dumps(wanted).decode(), **self._marks()})
        self._ask(link)
        return link

    def _subscribe(self, link: Link, had: list[Any]) -> None:
        """Only to what is new: for each subscription the broker sends the messages it retains."""
        before = frozenset(had[:-1])
        if gone := sorted(before - set(self._filters)):
            link.unsubscribe(gone)
        same_quality = had[-1:] == [self._qos]
        new = [f for f in self._filters if not same_quality or f not in before]
        if refused := link.subscribe(new, self._qos) if new else ():
            raise Unavailable(f"{where(self._context)} refuses the subscription to {', '.join(refused)}")

    def _client_id(self) -> str:
        said = self._context.connection.get("client_id")
        if said:
            return f"{said}-{self._stream}"
        known = self._log.mark("client_id")
        if known is None:
            # Made up once: two platforms with a stream of that name must not be one client to the broker.
            known = f"tusk-{self._stream}-{uuid.uuid4().hex[:8]}"
            self._log.append([], marks={"client_id": known})
        return known

    def _gather(self, link: Link, seconds: float) -> None:
        """Wait for the first message, then take what has arrived."""
        before = len(self._arrived)
        link.turn(seconds)
        size = sum(len(m.payload) for m in self._arrived)
        while before < len(self._arrived) < _MOST and size < _MOST_BYTES:
            before = len(self._arrived)
            link.turn(_GATHER)
            size += sum(len(m.payload) for m in self._arrived[before:])

    def _take_in(self, link: Link) -> None:
        """The messages into the log, then the acknowledgements."""
        messages = self._arrived[:]
        self._arrived.clear()
        events: list[bytes] = []
        retained: dict[str, str] = {}
        for message in messages:
            print_ = _print(message)
            if not self._came_before(message, print_, retained):
                events.append(message.topic.encode() + _END_OF_TOPIC + message.payload)
                if message.retain:
                    retained[f"retained {message.topic}"] = print_
            if message.qos:
                self._unheard[message.mid] = print_
                self._covered.discard(message.mid)
                self._earlier.discard(message.mid)
        if events:
            self._log.append(events, producer="mqtt", marks={**self._marks(), **retained})
        reach("before_acknowledgement")
        for message in messages:
            if message.qos:
                link.client.ack(message.mid, message.qos)
        self._took_since, self._settled = True, False
        if self._asked is None:
            self._ask(link)

    def _came_before(self, message: MQTTMessage, print_: str, retained: Mapping[str, str]) -> bool:
        """Whether this is a packet that the broker sends again, or a retained message that counted already."""
        if message.dup and message.qos and self._unheard.get(message.mid) == print_:
            return True
        if not message.retain:
            return False
        name = f"retained {message.topic}"
        return (retained.get(name) or self._log.mark(name)) == print_

    def _ask(self, link: Link) -> None:
        """Ask the broker for an answer that comes after all it has for us, once it has heard what we said."""
        self._asked = link.ask(f"tusk/nothing/{self._stream}")
        self._covered, self._took_since = self._unheard.keys() - self._earlier, False

    def _hear(self, link: Link) -> None:
        if self._asked is None or not link.answered(self._asked):
            return
        self._asked = None
        for number in self._covered:
            del self._unheard[number]
        if self._took_since:
            self._ask(link)
            return
        self._settled = True
        self._unheard, self._earlier = {}, set()
        if self._stored:
            self._log.append([], marks=self._marks())

    def _marks(self) -> dict[str, str]:
        """What must be remembered of packets that may come again."""
        self._stored = dict(self._unheard)
        return {"unheard": orjson.dumps({str(n): p for n, p in self._unheard.items()}).decode()}


def _print(message: MQTTMessage) -> str:
    return hashlib.sha256(message.topic.encode() + _END_OF_TOPIC + message.payload).hexdigest()[:32]


def _log_of(stream: Stream, context: SourceContext) -> EventLog:
    """The log of a connected stream: the stand-in's is another, so that the two never mix."""
    return EventLog(context.log_folder, f"{stream.name}.mqtt")


def publish(stream: Stream, context: SourceContext, events: Sequence[bytes]) -> None:
    """Send events to the topic that each names, else to the first that the stream reads; confirmed on return."""
    filters = MqttOptions.model_construct(**stream.options).topics
    messages = [_message(number, event, filters) for number, event in enumerate(events, start=1)]
    with closing(_log_of(stream, context)) as log:
        # Without a session nobody keeps them.
        MqttReceiver(stream, context, log).subscribe_once()
    link = Link(context, f"tusk-publish-{uuid.uuid4().hex[:8]}", clean=True, on_message=lambda _: None)
    link.open()
    try:
        sent = [link.client.publish(topic, payload, qos=1) for topic, payload in messages]
        waiting, deadline = len(sent), time.monotonic() + _DELIVERED
        while waiting and time.monotonic() < deadline:
            link.turn(ANSWER)
            left = sum(not s.is_published() for s in sent)
            if left < waiting:
                waiting, deadline = left, time.monotonic() + _DELIVERED
    except Unavailable as error:
        raise Unavailable(f"{error}; {_confirmed(sent)}") from error
    finally:
        link.close()
    if waiting:
        raise Unavailable(f"{where(context)} does not confirm; {_confirmed(sent)}")


def _confirmed(sent: Sequence[Any]) -> str:
    numbers = [n for n, s in enumerate(sent, start=1) if not s.is_published()]
    return f"{len(numbers)} of {len(sent)} events were not confirmed, the first of them number {numbers[0]}"


def _message(number: int, event: bytes, filters: Sequence[str]) -> tuple[str, bytes]:
    from paho.mqtt.client import topic_matches_sub

    named = without_topic(event)
    if named is None:
        plain = next((f for f in filters if not set(f) & set("+#")), None)
        if plain is None:
            raise UsageError(
                f"event {number} names no `topic`, and the stream reads none without wildcards: {', '.join(filters)}"
            )
        return plain, event
    topic, payload = named
    if set(topic) & set("+#\0") or not any(topic_matches_sub(f, topic) for f in filters):
        raise UsageError(f"event {number} names topic `{topic}`; the stream reads {', '.join(filters)}")
    return topic, payload


class MqttAdapter:
    """``type = "mqtt"``."""

    name: str = "mqtt"
    connection: str | None = "mqtt"
    stand_in: str | None = "log"
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = (("topic", "string"), ("value", "double"))
    options = MqttOptions
    publish = staticmethod(publish)

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return MqttOptions.model_validate(values).model_dump(mode="json")

    def stated(self, options: Mapping[str, Any]) -> Stated:  # noqa: ARG002 - the contract's
        """A message without a time of its own happened when it arrived."""
        return Stated(arrival_time=True)

    def open(self, stream: Stream, context: SourceContext) -> ReceivedSource:
        """A reader of the stream's messages; the connection is made on first use."""
        log = _log_of(stream, context)
        return ReceivedSource(MqttReader(stream.name, log), MqttReceiver(stream, context, log))

    def history(self, stream: Stream, context: SourceContext) -> LogHistory:
        """What the stream's log still holds."""
        return LogHistory(MqttReader(stream.name, _log_of(stream, context)))

    def inspect(self, stream: Stream, context: SourceContext) -> tuple[str, ...]:
        """Which topics the broker lets nobody like us read; the stream's own session is left alone."""
        options = MqttOptions.model_construct(**stream.options)
        link = Link(context, f"tusk-check-{uuid.uuid4().hex[:8]}", clean=True, on_message=lambda _: None)
        link.open()
        try:
            refused = link.subscribe(options.topics, min(options.qos, 1))
        finally:
            link.close()
        return tuple(f"topic `{topic}` is refused by {where(context)}" for topic in refused)


adapter = MqttAdapter()
