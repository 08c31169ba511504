"""What reading from Kafka and writing to it share: how to connect, topics, and sending events."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.ports import SourceContext
from tusk_platform.storage.faultpoints import reach

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer
    from confluent_kafka.admin import AdminClient

Bound = Literal["first", "last"]

# Seconds: for an answer of the cluster, and for it to confirm an event.
ANSWER: Final = 5.0
_DELIVERED: Final = 30.0
_HOUR_MS: Final = 3_600_000
# The library's bound for every codec; zstd itself goes on to 22.
_HIGHEST_LEVEL: Final = 12
_CONNECTION: Final = {
    "bootstrap_servers": "bootstrap.servers",
    "security_protocol": "security.protocol",
    "sasl_mechanism": "sasl.mechanism",
    "username": "sasl.username",
    "password": "sasl.password",
    "ca_location": "ssl.ca.location",
}
_CLIENT: Final = {
    "client.id": "tusk",
    # What is wrong is raised as Unavailable; the library would fill standard error with it.
    "log_level": 0,
    "reconnect.backoff.max.ms": 1_000,
}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the config wants it."""

    name: str
    partition_count: int
    retention_hours: int


class Trouble:
    """The last that was heard of the connections, which says why nobody answers."""

    def __init__(self) -> None:
        self.error: KafkaError | None = None

    def hear(self, error: KafkaError) -> None:
        """Called by the library; that all brokers are down only sums up what it said before."""
        if error.name() != "_ALL_BROKERS_DOWN":
            self.error = error

    def clear(self) -> None:
        """Somebody answered."""
        self.error = None


def client_settings(context: SourceContext, trouble: Trouble) -> dict[str, Any]:
    """What every client of the library is made with."""
    given = {theirs: context.connection[ours] for ours, theirs in _CONNECTION.items() if context.connection.get(ours)}
    if "bootstrap.servers" not in given:
        raise Unavailable("`connections.kafka` has no value for `bootstrap_servers`")
    return {**_CLIENT, **given, "error_cb": trouble.hear}


def address(context: SourceContext) -> str:
    """The cluster's address as the config gives it; who we are is left out."""
    return _shown(str(context.connection.get("bootstrap_servers", "")))


def _shown(text: str) -> str:
    return re.sub(r"[^\s,]*@", "", text)


def unavailable(context: SourceContext, error: KafkaError, trouble: Trouble) -> Unavailable:
    """What to raise for an error: that no answer came, and why, or what the answer was."""
    cause = trouble.error if trouble.error and _local(error) else error
    refused = cause.name() == "_AUTHENTICATION" or not (_local(cause) or cause.retriable())
    does = "refuses" if refused else "does not answer"
    return Unavailable(f"Kafka at {address(context)} {does}: {_shown(cause.str())}")


def _local(error: KafkaError) -> bool:
    """Whether the library says it, and not a broker."""
    return error.name().startswith("_")


def admin_client(context: SourceContext, trouble: Trouble) -> AdminClient:
    """A client that asks about topics and makes them; UsageError where the connection's settings make no sense."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        return AdminClient(client_settings(context, trouble))
    except KafkaException as error:
        raise UsageError(f"`connections.kafka`: {error.args[0].str()}") from error


def partitions_of(admin: AdminClient, topic: str) -> tuple[int, ...]:
    """Numbers of the topic's partitions; none where there is no such topic. KafkaException where nobody answers."""
    from confluent_kafka import KafkaException

    try:
        found = admin.list_topics(topic, timeout=ANSWER).topics.get(topic)
    except KafkaException:
        admin.poll(0)  # lets the library say what it knows of the reason
        raise
    if found is None or (found.error and found.error.name() == "UNKNOWN_TOPIC_OR_PART"):
        return ()
    if found.error:
        raise KafkaException(found.error)
    return tuple(sorted(found.partitions))


def bounds(admin: AdminClient, topic: str, partitions: Iterable[int], which: Bound, timeout: float) -> dict[int, int]:
    """First offset of each partition, or the one after its last committed record. KafkaException unless all answer."""
    from confluent_kafka import IsolationLevel, TopicPartition
    from confluent_kafka.admin import OffsetSpec  # type: ignore[attr-defined]  # the library's stubs do not export it

    wanted: Callable[[], OffsetSpec] = OffsetSpec.earliest if which == "first" else OffsetSpec.latest
    answers = admin.list_offsets(
        {TopicPartition(topic, p): wanted() for p in partitions},
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=timeout,
    )
    return {at.partition: answer.result().offset for at, answer in answers.items()}


def create(admin: AdminClient, topic: Topic) -> None:
    """Make the topic; fine if it is there. KafkaException where that is refused."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # as above

    retention = {"retention.ms": str(topic.retention_hours * _HOUR_MS)}
    wanted = NewTopic(topic.name, num_partitions=topic.partition_count, config=retention)
    try:
        admin.create_topics([wanted], request_timeout=ANSWER)[topic.name].result()
    except KafkaException as error:
        # Another process of ours may have been first.
        if error.args[0].name() != "TOPIC_ALREADY_EXISTS":
            raise


def differences(topic: Topic, context: SourceContext) -> tuple[str, ...]:
    """How the topic differs from what is wanted, a sentence each. No topic yet is no difference: it will be made."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]  # as above

    trouble = Trouble()
    admin = admin_client(context, trouble)
    try:
        partitions = partitions_of(admin, topic.name)
        if not partitions:
            return ()
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic.name)
        configs = admin.describe_configs([resource], request_timeout=ANSWER)[resource].result()
    except KafkaException as error:
        raise unavailable(context, error.args[0], trouble) from error
    found = []
    if len(partitions) != topic.partition_count:
        found.append(
            f"topic `{topic.name}` has {len(partitions)} partitions, the config says partition_count = "
            f"{topic.partition_count}"
        )
    kept = int(configs["retention.ms"].value)
    if kept != topic.retention_hours * _HOUR_MS:
        actual = "for ever" if kept < 0 else f"{kept / _HOUR_MS:g} hours"
        found.append(
            f"topic `{topic.name}` keeps records {actual}, the config says retention_hours = {topic.retention_hours}"
        )
    return tuple(found)


def producer_settings(context: SourceContext, trouble: Trouble) -> dict[str, Any]:
    """What a producer is made with: each event once, confirmed, compressed as the context says."""
    compression = context.compression
    level = {} if compression.level is None else {"compression.level": min(compression.level, _HIGHEST_LEVEL)}
    return {
        **client_settings(context, trouble),
        "enable.idempotence": True,
        "compression.type": "none" if compression.codec == "uncompressed" else compression.codec,
        **level,
        "linger.ms": 20,
        "delivery.timeout.ms": round(_DELIVERED * 1000),
    }


def send(topic: Topic, context: SourceContext, events: Iterable[bytes]) -> None:
    """Send events, each once, confirmed on return; Unavailable names by number what was not delivered."""
    from confluent_kafka import KafkaException, Producer

    trouble = Trouble()
    admin = admin_client(context, trouble)
    try:
        if not partitions_of(admin, topic.name):
            create(admin, topic)
    except KafkaException as error:
        raise unavailable(context, error.args[0], trouble) from error
    producer = Producer(producer_settings(context, trouble))
    delivered = bytearray()
    reasons: list[str] = []

    def heard(index: int, error: KafkaError | None, _message: Message | None) -> None:
        if error is None:
            delivered[index] = 1
        else:
            reasons.append(error.str())

    for event in events:
        if reasons:  # the rest would fare no better
            break
        delivered.append(0)
        _send(producer, topic.name, event, partial(heard, len(delivered) - 1))
    reach("in_publish")
    producer.flush(_DELIVERED + ANSWER)
    lost = [i for i, mark in enumerate(delivered, start=1) if not mark]
    if lost:
        raise Unavailable(
            f"{len(lost)} of the first {len(delivered)} events were not delivered to topic `{topic.name}` at "
            f"{address(context)} ({reasons[0] if reasons else 'no answer'}): {_ranges(lost)}; nothing after number "
            f"{len(delivered)} was sent"
        )


def _send(producer: Producer, topic: str, event: bytes, heard: Callable[[KafkaError | None, Any], None]) -> None:
    from confluent_kafka import KafkaException

    while True:
        try:
            producer.produce(topic, event, on_delivery=heard)
        except BufferError:  # the queue is full: wait until some are delivered, or given up
            producer.poll(1)
        except KafkaException as error:  # too large to be sent at all
            heard(error.args[0], None)
            return
        else:
            producer.poll(0)
            return


def _ranges(numbers: list[int]) -> str:
    """Ascending numbers in words, at most three stretches of them.

    >>> _ranges([1, 2, 3, 7])
    'numbers 1 to 3, 7'
    """
    stretches: list[tuple[int, int]] = []
    for number in numbers:
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1] = (stretches[-1][0], number)
        else:
            stretches.append((number, number))
    words = [str(a) if a == b else f"{a} to {b}" for a, b in stretches[:3]]
    return f"numbers {', '.join(words)}{' and others' if len(stretches) > 3 else ''}"
