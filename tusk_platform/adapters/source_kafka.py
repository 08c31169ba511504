"""A Kafka topic as a source. Partitions are assigned by hand: positions come from the lake, so no group rebalances.

The group's committed offsets are a hint for people who look at the cluster; nothing is ever read from them.
"""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field

from tusk_platform.adapters import kafka
from tusk_platform.errors import Refused, TuskError, Unavailable
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Batch, Budget, Chunk, Position, SourceContext
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import PlainText, came, wrong

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
    from confluent_kafka.admin import AdminClient

# Where a partition that was never read begins; librdkafka's number for it.
_BEGINNING: Final = -2
# Seconds: to gather what has arrived already; for an answer of a broker in trouble; that an end once seen, and the
# number of partitions, is believed.
_GATHER: Final = 0.01
_IN_TROUBLE: Final = 1.0
_BELIEVED: Final = 2.0
_PARTITIONS_BELIEVED: Final = 30.0
# Measured with one broker and 8 partitions: 941,000 messages/s with the last three, 370,000 without. A fetch waits for
# a mebibyte, but not longer than a tenth of a second.
_READING: Final = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "fetch.wait.max.ms": 100,
    "fetch.min.bytes": 2**20,
    "queued.min.messages": 1_000_000,
    "check.crcs": False,
}

_logger = logging.getLogger(__name__)


def _topic(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", text) or text in {".", ".."}:
        raise wrong(f"expected the name of a Kafka topic, got {came(text)}", "letters, digits, `.`, `_` and `-`")
    return text


class KafkaOptions(Block):
    """Keys of a ``kafka`` stream."""

    topic: Annotated[PlainText, AfterValidator(_topic)] | None = Field(
        default=None, description="The topic; not said: named like the stream.", examples=["user-events"]
    )
    partition_count: int = Field(
        default=4, ge=1, le=100_000, description="Partitions of the topic when it is made.", examples=[8]
    )
    retention_hours: int = Field(
        default=168, ge=1, le=876_000, description="How long the topic keeps events when it is made.", examples=[24]
    )


class KafkaSource:
    """Reads all partitions of one topic with one consumer, which fetches from all of them at once.

    More consumers gain nothing. Measured with 8 partitions on two cores: one takes 610,000 messages a second, two in
    threads 510,000, four 560,000; decoding them takes longer (160,000 a second).
    """

    def __init__(self, stream: Stream, context: SourceContext) -> None:
        self._stream = stream
        self._context = context
        self._wanted = topic_of(stream)
        self._topic = self._wanted.name
        self._consumer: Consumer | None = None
        self._admin: AdminClient | None = None
        self._known: tuple[int, ...] = ()
        self._known_at = -_PARTITIONS_BELIEVED
        # Where the consumer stands, a partition an entry: empty until it was placed.
        self._next: dict[int, int] = {}
        # Ends that were reached: the offset, and when that was last seen to be the end.
        self._ended: dict[int, tuple[int, float]] = {}
        # Stretches [from, to) known to hold no records: transaction markers, and what retention removed.
        self._empty: dict[int, tuple[int, int]] = {}
        self._trouble = kafka.Trouble()

    def partitions(self) -> tuple[str, ...]:
        """All partitions of the topic, which is made if it is not there."""
        self._connected()
        return tuple(map(str, self._known))

    def read(self, position: Position, budget: Budget) -> Batch:
        """Records of all partitions that have some; waits for the first, then takes what has arrived."""
        try:
            return self._read(position, budget)
        except TuskError:
            # What the library had handed out is not in our hands any more: place it anew.
            self._next, self._ended = {}, {}
            raise

    def acknowledge(self, position: Position) -> None:
        """Commit the offsets under the group's name, without waiting."""
        from confluent_kafka import KafkaException, TopicPartition

        offsets = [
            TopicPartition(self._topic, int(p), offset)
            for p, offset in position.items()
            if p.isdigit() and int(p) in self._next
        ]
        if self._consumer is None or not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            _logger.debug("stream %s: offsets not committed: %s", self._stream.name, error)

    def lag(self, position: Position) -> int | None:
        """Offsets behind the ends of the partitions as of the last fetches; transaction markers count as records."""
        consumer = self._consumer
        if consumer is None or not self._next:
            return None
        total = 0
        for partition in self._known:
            low, high = consumer.get_watermark_offsets(self._at(partition), cached=True)
            if high < 0:
                return None
            total += max(0, high - max(low, self._start(partition, position)))
        return total

    def whole(self) -> bool:
        """Whether the topic has forgotten nothing."""
        self._connected()
        return not any(self._bounds(list(self._known), "first").values())

    def close(self) -> None:
        """Let go of the consumer; the next use makes another."""
        consumer, self._consumer, self._admin = self._consumer, None, None
        self._next, self._ended, self._known_at = {}, {}, -_PARTITIONS_BELIEVED
        if consumer is not None:
            consumer.close()

    def _read(self, position: Position, budget: Budget) -> Batch:
        deadline = time.monotonic() + budget.seconds
        consumer = self._connected()
        self._place(consumer, position)
        taken: dict[int, list[Message]] = {}
        ended_before = len(self._at_end())
        while True:
            messages = consumer.consume(budget.rows, _GATHER)
            left = deadline - time.monotonic()
            if not messages and left > 0:
                first = consumer.poll(left)
                messages = [first, *consumer.consume(budget.rows - 1, _GATHER)] if first else []
            self._sort(consumer, messages, taken)
            # A reader who wants all there is must not wait for more once the last end is reached.
            all_ended = len(self._at_end()) == len(self._known) > ended_before
            if taken or all_ended or time.monotonic() >= deadline:
                break
        self._look_at_ends(taken)
        chunks = tuple(self._chunk(p, taken[p]) for p in sorted(taken))
        return Batch(chunks, frozenset(map(str, self._at_end())))

    def _connected(self) -> Consumer:
        from confluent_kafka import Consumer, KafkaException

        if self._admin is None:
            self._admin = kafka.admin_client(self._context, self._trouble)
        if time.monotonic() - self._known_at > _PARTITIONS_BELIEVED:
            try:
                self._known = kafka.partitions_of(self._admin, self._topic) or self._created(self._admin)
            except KafkaException as error:
                raise self._away(error) from error
            self._known_at = time.monotonic()
        if self._consumer is None:
            group = {"group.id": f"tusk.{self._stream.name}"}
            self._consumer = Consumer({**kafka.client_settings(self._context, self._trouble), **_READING, **group})
        return self._consumer

    def _created(self, admin: AdminClient) -> tuple[int, ...]:
        kafka.create(admin, self._wanted)
        deadline = time.monotonic() + kafka.ANSWER
        while time.monotonic() < deadline:
            found = kafka.partitions_of(admin, self._topic)
            if len(found) >= self._wanted.partition_count:
                return found
            time.sleep(_GATHER)
        raise Unavailable(f"{kafka.address(self._context)}: topic `{self._topic}` was made but does not show yet")

    def _place(self, consumer: Consumer, position: Position) -> None:
        """Put the consumer where the lake says, unless it stands there already."""
        wanted = {p: self._start(p, position) for p in self._known}
        if wanted == self._next:
            return
        consumer.assign([self._at(p, offset) for p, offset in wanted.items()])
        self._next = wanted
        self._ended = {}

    def _start(self, partition: int, position: Position) -> int:
        offset = position.get(str(partition), _BEGINNING)
        first, last = self._empty.get(partition, (0, 0))
        return last if first <= offset < last else offset

    def _sort(self, consumer: Consumer, messages: Iterable[Message], taken: dict[int, list[Message]]) -> None:
        """Records to ``taken``, by partition; what else the library tells to where it is kept."""
        for message in messages:
            error = message.error()
            if error is not None:
                self._advance(taken)
                self._hear(consumer, error, message)
                continue
            partition = _partition(message)
            if partition in taken:
                taken[partition].append(message)
            else:
                taken[partition] = [message]
        self._advance(taken)

    def _advance(self, taken: Mapping[int, list[Message]]) -> None:
        for partition, records in taken.items():
            self._next[partition] = max(self._next[partition], _offset(records[-1]) + 1)
            self._trouble.clear()

    def _hear(self, consumer: Consumer, error: KafkaError, message: Message) -> None:
        partition = _partition(message)
        match error.name():
            case "_PARTITION_EOF":
                self._skip(partition, _offset(message))
                self._ended[partition] = (_offset(message), time.monotonic())
            case "_AUTO_OFFSET_RESET":
                self._out_of_range(consumer, partition)
            case _ if partition not in self._next:
                self._trouble.hear(error)
            case _:
                self.close()
                raise Unavailable(
                    f"{kafka.address(self._context)}: topic `{self._topic}`, partition {partition}: {error.str()}"
                )

    def _at_end(self) -> set[int]:
        return {p for p, (offset, _) in self._ended.items() if offset == self._next[p]}

    def _skip(self, partition: int, to: int) -> None:
        """The consumer stands at ``to``, and there are no records between where it stood and there."""
        stood = self._next[partition]
        if stood < to:
            first, last = self._empty.get(partition, (stood, stood))
            self._empty[partition] = (first if last == stood else stood, to)
            self._next[partition] = to

    def _out_of_range(self, consumer: Consumer, partition: int) -> None:
        """Retention ran past us: say how much is gone, and go on. Past the end is another topic or a loss: Refused."""
        stood = self._next[partition]
        low = self._bounds([partition], "first")[partition]
        high = self._bounds([partition], "last")[partition]
        if stood > high:
            self.close()
            raise Refused(
                f"topic `{self._topic}` at {kafka.address(self._context)}: partition {partition} ends at {high} but "
                f"was already read up to {stood}: the topic was made anew or the broker lost data. Bring the data "
                f"back, or read the topic as a stream of another name"
            )
        if stood >= 0:
            _logger.warning(
                "stream %s: %d records of topic %s, partition %d were removed by retention before they were read; "
                "going on from offset %d",
                self._stream.name,
                low - stood,
                self._topic,
                partition,
                low,
            )
        self._skip(partition, low)
        # The library has given this partition up: it cannot be sought, only taken again.
        consumer.incremental_unassign([self._at(partition)])
        consumer.incremental_assign([self._at(partition, low)])

    def _look_at_ends(self, taken: Mapping[int, object]) -> None:
        """Ask whether the ends are still the ends, where that was seen a while ago.

        An idle consumer does not notice by itself that its broker is away. Where nothing came, this does.
        """
        old = time.monotonic() - _BELIEVED
        doubtful = [p for p in self._known if p not in taken and self._ended.get(p, (0, 0.0))[1] < old]
        if taken:
            doubtful = [p for p in doubtful if p in self._ended]
        if not doubtful:
            return
        for partition in doubtful:
            self._ended.pop(partition, None)
        try:
            ends = self._bounds(doubtful, "last")
        except Unavailable:
            if not taken:
                raise
            return
        self._ended |= {p: (end, time.monotonic()) for p, end in ends.items() if end == self._next[p]}

    def _bounds(self, partitions: list[int], which: kafka.Bound) -> dict[int, int]:
        from confluent_kafka import KafkaException

        if self._admin is None:
            self._admin = kafka.admin_client(self._context, self._trouble)
        # Who is known to be away gets less time to answer.
        timeout = _IN_TROUBLE if self._trouble.error else kafka.ANSWER
        try:
            found = kafka.bounds(self._admin, self._topic, partitions, which, timeout)
        except KafkaException as error:
            raise self._away(error) from error
        self._trouble.clear()
        return found

    def _chunk(self, partition: int, records: list[Message]) -> Chunk:
        return Chunk(
            partition=str(partition),
            offsets=[_offset(r) for r in records],
            next_offset=self._next[partition],
            payloads=[r.value() for r in records],
            beside=_beside(records),
        )

    def _at(self, partition: int, offset: int = _BEGINNING) -> TopicPartition:
        from confluent_kafka import TopicPartition

        return TopicPartition(self._topic, partition, offset)

    def _away(self, error: KafkaException) -> Unavailable:
        return kafka.unavailable(self._context, error.args[0], self._trouble)


def inspect(stream: Stream, context: SourceContext) -> tuple[str, ...]:
    """How the topic differs from the config, a sentence each; nothing is changed. No topic yet is no difference."""
    return kafka.differences(topic_of(stream), context)


def publish(stream: Stream, context: SourceContext, events: Iterable[bytes]) -> None:
    """Send events to the topic, each once, confirmed on return; Unavailable names by number what was not delivered."""
    kafka.send(topic_of(stream), context, events)


def topic_of(stream: Stream) -> kafka.Topic:
    """The topic that a stream wants: its name, partitions and retention."""
    options = KafkaOptions.model_construct(**stream.options)
    return kafka.Topic(options.topic or stream.name, options.partition_count, options.retention_hours)


# Every message that comes out of a consumer has both; the library's types say they may be missing.
def _offset(message: Message) -> int:
    return message.offset() or 0


def _partition(message: Message) -> int:
    return message.partition() or 0


def _beside(records: Sequence[Message]) -> list[str | None] | None:
    """Keys and headers of records, as ``_key`` and ``_headers``; None where no record has any."""
    found = [(r.key(), r.headers()) for r in records]
    if not any(key is not None or headers for key, headers in found):
        return None
    return [_told(key, headers) if key is not None or headers else None for key, headers in found]


def _told(key: str | bytes | None, headers: Any) -> str:  # noqa: ANN401 - the library knows several forms
    told: dict[str, Any] = {} if key is None else {"_key": _text(key)}
    if headers:
        values: dict[str, list[Any]] = {}
        for name, value in dict(headers).items() if isinstance(headers, dict) else headers:
            values.setdefault(name, []).append(_text(value))
        told["_headers"] = {name: v if len(v) > 1 else v[0] for name, v in values.items()}
    return orjson.dumps(told).decode()


def _text(value: str | bytes | None) -> Any:  # noqa: ANN401 - text, or what says that it is none
    """The text of a key or header; what is none is kept as base64."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


class KafkaAdapter:
    """``source = "kafka"``."""

    name: str = "kafka"
    connection: str | None = "kafka"
    stand_in: str | None = "log"
    free_form: bool = True
    replay: bool = False
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    options = KafkaOptions
    inspect = staticmethod(inspect)
    publish = staticmethod(publish)

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        return KafkaOptions.model_validate(values).model_dump(mode="json")

    def open(self, stream: Stream, context: SourceContext) -> KafkaSource:
        """A reader of the stream's topic; the connection is made on first use."""
        return KafkaSource(stream, context)


adapter = KafkaAdapter()
