"""Where the events of a fault test are: in a topic of a real broker, or in the embedded log of a stream."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # exported without saying so

from tests.e2e.test_million_events import CONFIG, PARTITIONS, Event
from tusk_platform.storage.home import Home
from tusk_platform.storage.log import EventLog

# A partition and an offset in it.
Place = tuple[str, int]
Items = Sequence[tuple[int, Event]]


class Feed(Protocol):
    """Events of the stream `orders`, written by somebody else than the platform."""

    name: str

    def config(self) -> str:
        """The part of a config that makes `orders` read from here, and what is computed of it."""
        ...

    def write(self, items: Items) -> None:
        """Add events to their partitions; they are durable on return."""
        ...

    def truth(self) -> Mapping[Place, bytes]:
        """Everything that is there, read from where it is."""
        ...


class KafkaFeed:
    """A topic of the test's own; it is made by whoever comes first."""

    name = "kafka"

    def __init__(self, address: str) -> None:
        self.topic = f"orders-{uuid.uuid4().hex[:12]}"
        self._client: dict[str, str | int | float | bool] = {"bootstrap.servers": address, "log_level": 0}
        self._address = address
        self._producer: Producer | None = None

    def config(self) -> str:
        """The stream with its connection."""
        return CONFIG.format(address=self._address).replace('topic = "orders"', f'topic = "{self.topic}"')

    def write(self, items: Items) -> None:
        """Produce, and wait until the broker has confirmed all of it."""
        if self._producer is None:
            self.make()
            self._producer = Producer({**self._client, "enable.idempotence": True, "linger.ms": 5})
        for partition, event in items:
            self._producer.produce(self.topic, event.payload, partition=partition)
        assert self._producer.flush(120) == 0

    def make(self) -> None:
        """The topic, unless the platform was first."""
        admin = AdminClient(self._client)
        try:
            admin.create_topics([NewTopic(self.topic, PARTITIONS)])[self.topic].result(60)
        except KafkaException as error:
            assert error.args[0].name() == "TOPIC_ALREADY_EXISTS", error  # noqa: PT017 - any other is raised

    def truth(self) -> Mapping[Place, bytes]:
        """The topic from its beginning to its end."""
        consumer = Consumer({**self._client, "group.id": "truth", "enable.partition.eof": True})
        consumer.assign([TopicPartition(self.topic, p, 0) for p in range(PARTITIONS)])
        found: dict[Place, bytes] = {}
        ended: set[int | None] = set()
        while len(ended) < PARTITIONS:
            for message in consumer.consume(10_000, 1.0):
                if message.error() is None:
                    found[str(message.partition()), message.offset() or 0] = message.value() or b""
                else:
                    ended.add(message.partition())
        consumer.close()
        return found


class LogFeed:
    """The log that stands in where there is no connection; all events are in its one partition."""

    name = "embedded log"

    def __init__(self, folder: Path) -> None:
        self._log = EventLog(Home(folder / ".tusk").log, "orders")

    def config(self) -> str:
        """The stream without a connection, and without events made up for it."""
        connection = CONFIG.format(address="nowhere").strip().splitlines()
        return "\n".join(["demo = false", *connection[1:]])

    def write(self, items: Items) -> None:
        """Append."""
        self._log.append([event.payload for _, event in items])

    def truth(self) -> Mapping[Place, bytes]:
        """The log from its beginning to its end."""
        return {("0", offset): payload for offset, _, payload in self._log.read(0, 2**31)}
