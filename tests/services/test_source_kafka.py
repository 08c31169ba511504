"""The Kafka source against a real broker: what a topic can hold, and what can happen to a broker."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # the stubs do not export them
    AdminClient,
    NewPartitions,
    NewTopic,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.fakes.streams import a_stream
from tests.services.certificates import certificate
from tests.services.kafka import Broker
from tusk_platform.adapters import kafka as kafka_adapter
from tusk_platform.adapters import source_kafka
from tusk_platform.adapters.source_kafka import KafkaSource, adapter
from tusk_platform.core.decode import decode
from tusk_platform.errors import Refused, Unavailable, UsageError
from tusk_platform.plan.nodes import Stream
from tusk_platform.plan.profile import Codec, Compression
from tusk_platform.ports import Batch, Budget, SourceContext

pytestmark = pytest.mark.service("kafka")

PATIENT = Budget(1000, 10)


class Topic:
    """A topic of the test's own, the stream that reads it, and clients to play tricks on it."""

    def __init__(self, broker: Broker, *, partitions: int = 1) -> None:
        self.name = f"t-{uuid.uuid4().hex}"
        options = adapter.check_options({"topic": self.name, "partition_count": partitions, "retention_hours": 24})
        self.stream: Stream = a_stream(options=options)
        self.context = SourceContext(connection=broker.connection)
        self.admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
        self.source: KafkaSource = adapter.open(self.stream, self.context)

    def make(self, *, config: dict[str, str] | None = None, partitions: int = 1) -> None:
        """Make the topic as somebody else would."""
        made = self.admin.create_topics([NewTopic(self.name, num_partitions=partitions, config=config or {})])
        made[self.name].result()

    def producer(self, **settings: str) -> Producer:
        """A producer without any of our settings."""
        return Producer({"bootstrap.servers": self.context.connection["bootstrap_servers"], "log_level": 0, **settings})

    def publish(self, *events: bytes) -> None:
        """Send events as `tusk publish` does."""
        adapter.publish(self.stream, self.context, events)


@pytest.fixture
def topic(kafka: Broker) -> Iterator[Topic]:
    """A topic that does not exist yet, of one partition."""
    topic = Topic(kafka)
    yield topic
    topic.source.close()


def payloads(batch: Batch) -> list[bytes | None]:
    """All payloads of a batch."""
    return [payload for chunk in batch.chunks for payload in chunk.payloads or ()]


def read_all(source: KafkaSource, position: dict[str, int]) -> tuple[list[bytes | None], dict[str, int]]:
    """Everything up to the end of all partitions."""
    found: list[bytes | None] = []
    while True:
        batch = source.read(position, PATIENT)
        found += payloads(batch)
        position = position | {c.partition: c.next_offset for c in batch.chunks}
        if batch.at_end >= set(source.partitions()):
            return found, position


def test_absent_topic_is_made(kafka: Broker) -> None:
    topic = Topic(kafka, partitions=5)

    partitions = topic.source.partitions()
    topic.source.close()

    assert partitions == ("0", "1", "2", "3", "4")
    assert adapter.inspect(topic.stream, topic.context) == ()


def test_differences_are_told_not_mended(topic: Topic) -> None:
    topic.make(config={"retention.ms": "3600000"}, partitions=2)

    first = adapter.inspect(topic.stream, topic.context)
    topic.source.partitions()

    assert first == (
        f"topic `{topic.name}` has 2 partitions, the config says partition_count = 1",
        f"topic `{topic.name}` keeps records 1 hours, the config says retention_hours = 24",
    )
    assert adapter.inspect(topic.stream, topic.context) == first


def test_no_topic_yet_is_no_difference(topic: Topic) -> None:
    assert adapter.inspect(topic.stream, topic.context) == ()


def test_tombstone_of_a_compacted_topic_is_quarantined_with_its_key(topic: Topic) -> None:
    topic.make(config={"cleanup.policy": "compact"})
    producer = topic.producer()
    producer.produce(topic.name, key=b"k", value=b'{"user_id": 1, "timestamp": "2026-01-01T00:00:00Z", "more": 1}')
    producer.produce(topic.name, key=b"k", value=None)
    producer.flush()

    found = rows(topic, topic.source.read({}, PATIENT))

    assert [(r["_status"], r["_reason"], r["_payload"], r["_extra"]) for r in found] == [
        ("ok", None, None, '{"more":1,"_key":"k"}'),
        ("quarantined", "undecodable: no payload", None, '{"_key":"k"}'),
    ]


def rows(topic: Topic, batch: Batch) -> list[dict[str, Any]]:
    """The rows of the raw table."""
    found: list[dict[str, Any]] = decode(topic.stream, batch, 1_800_000_000_000_000).rows.to_pylist()
    return found


def test_keys_and_headers_are_kept_where_there_are_some(topic: Topic) -> None:
    topic.make()
    producer = topic.producer()
    headers: list[tuple[str, str | bytes | None]] = [("trace", b"a"), ("trace", b"b"), ("raw", b"\xff"), ("none", None)]
    producer.produce(topic.name, b"{}", headers=headers)
    producer.produce(topic.name, b"{}", key=b"\xfe")
    producer.produce(topic.name, b"{}")
    producer.flush()

    found = rows(topic, topic.source.read({}, PATIENT))

    assert [r["_extra"] and json.loads(r["_extra"]) for r in found] == [
        {"_headers": {"trace": ["a", "b"], "raw": {"base64": "/w=="}, "none": None}},
        {"_key": {"base64": "/g=="}},
        None,
    ]


def test_aborted_transaction_is_not_read(topic: Topic) -> None:
    topic.make()
    producer = topic.producer(**{"transactional.id": topic.name})
    producer.init_transactions()
    for value, commit in ((b"a", True), (b"b", False), (b"c", True)):
        producer.begin_transaction()
        producer.produce(topic.name, value)
        producer.flush()
        producer.commit_transaction() if commit else producer.abort_transaction()

    found, position = read_all(topic.source, {})
    again = topic.source.read(position, Budget(1000, 0))

    assert found == [b"a", b"c"]
    # Each transaction ends with a marker that has an offset and is no record: nothing is behind it, nothing is missing.
    assert again == Batch((), frozenset({"0"}))
    assert topic.source.lag(position) == 0


def test_open_transaction_does_not_hide_the_end(topic: Topic) -> None:
    topic.publish(b"before")
    producer = topic.producer(**{"transactional.id": topic.name})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic.name, b"pending")
    producer.flush()

    found, position = read_all(topic.source, {})
    producer.commit_transaction()
    later, _ = read_more(topic.source, position)

    assert (found, later) == ([b"before"], [b"pending"])


def read_more(source: KafkaSource, position: dict[str, int]) -> tuple[list[bytes | None], dict[str, int]]:
    """What comes next, waited for."""
    batch = source.read(position, PATIENT)
    return payloads(batch), position | {c.partition: c.next_offset for c in batch.chunks}


def test_removed_records_are_counted(topic: Topic, caplog: pytest.LogCaptureFixture) -> None:
    topic.publish(*(str(n).encode() for n in range(10)))
    _, position = read_all(topic.source, {})
    topic.publish(*(str(n).encode() for n in range(10, 20)))
    removed = topic.admin.delete_records([TopicPartition(topic.name, 0, 15)])
    [future.result() for future in removed.values()]
    fresh = adapter.open(topic.stream, topic.context)

    with caplog.at_level(logging.WARNING):
        found, end = read_all(fresh, position)
    fresh.close()

    assert (found, end) == ([str(n).encode() for n in range(15, 20)], {"0": 20})
    assert "5 records" in caplog.text
    assert "offset 15" in caplog.text


def test_topic_made_anew_is_refused(topic: Topic) -> None:
    topic.publish(b"a", b"b", b"c")
    _, position = read_all(topic.source, {})
    topic.source.close()
    topic.admin.delete_topics([topic.name])[topic.name].result()
    while topic.name in topic.admin.list_topics(timeout=5).topics:
        pass
    topic.publish(b"other")

    with pytest.raises(Refused, match="ends at 1 but was already read up to 3"):
        read_all(topic.source, position)


def test_new_partition_is_read_too(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    topic.publish(b"old")
    _, position = read_all(topic.source, {})
    grown = topic.admin.create_partitions([NewPartitions(topic.name, 2)])
    grown[topic.name].result()
    producer = topic.producer()
    producer.produce(topic.name, b"new", partition=1)
    producer.flush()
    monkeypatch.setattr(source_kafka, "_PARTITIONS_BELIEVED", 0.0)

    found, _ = read_all(topic.source, position)

    assert found == [b"new"]
    assert topic.source.partitions() == ("0", "1")


def test_acknowledged_position_shows_in_the_group(topic: Topic) -> None:
    topic.publish(b"a", b"b")
    _, position = read_all(topic.source, {})

    topic.source.acknowledge({**position, "demo": 2**62})
    topic.source.close()

    assert committed(topic) == 2


def committed(topic: Topic) -> int:
    """The group's offset of partition 0."""
    group = f"tusk.{topic.stream.name}"
    wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(topic.name, 0)])
    found: Any = topic.admin.list_consumer_group_offsets([wanted])[group].result()
    offset: int = found.topic_partitions[0].offset
    return offset


def test_undelivered_event_is_named(topic: Topic) -> None:
    topic.make(config={"max.message.bytes": "2000"})
    plain = replace(topic.context, compression=Compression("uncompressed"))

    with pytest.raises(Unavailable, match=r"Message size too large.*numbers 1;"):
        adapter.publish(topic.stream, plain, [uuid.uuid4().bytes * 1000])


def stored(kafka: Broker, compression: Compression) -> tuple[int, int]:
    """Codec and bytes of some events as the broker has them on its disk: it keeps batches as they were sent."""
    topic = Topic(kafka)
    events = [b"%d %d" % (n, n * n % 9973) for n in range(20_000)]
    adapter.publish(topic.stream, replace(topic.context, compression=compression), events)
    [segment] = (kafka.folder / "data" / f"{topic.name}-0").glob("*.log")
    batches = segment.read_bytes().rstrip(b"\0")
    return int.from_bytes(batches[21:23]) & 7, len(batches)


NUMBERS = {"uncompressed": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


@pytest.mark.parametrize("codec", NUMBERS)
def test_events_are_sent_compressed_as_asked(kafka: Broker, codec: Codec) -> None:
    assert stored(kafka, Compression(codec))[0] == NUMBERS[codec]


def test_higher_level_makes_smaller_messages(kafka: Broker) -> None:
    quick, small = (stored(kafka, Compression("gzip", level))[1] for level in (1, 9))

    assert small < 0.98 * quick


def test_a_level_beyond_the_librarys_is_its_highest(kafka: Broker) -> None:
    assert stored(kafka, Compression("zstd", 22))[0] == 4


def test_event_beyond_every_bound_is_named(topic: Topic) -> None:
    with pytest.raises(Unavailable, match="numbers 2; nothing after number 2 was sent"):
        topic.publish(b"a", b"b" * 2_000_000, b"c")


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that the test may kill."""
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


def test_killed_broker_costs_nothing(own_broker: Broker) -> None:
    topic = Topic(own_broker, partitions=3)
    topic.publish(*(str(n).encode() for n in range(100)))
    before, position = read_all(topic.source, {})

    own_broker.kill()
    with pytest.raises(Unavailable, match=f"Kafka at {own_broker.address} does not answer"):
        read_until_it_fails(topic.source, position)
    own_broker.start()
    topic.publish(*(str(n).encode() for n in range(100, 200)))
    after, _ = read_all(topic.source, position)
    topic.source.close()

    assert sorted(before + after, key=lambda p: int(p or b"")) == [str(n).encode() for n in range(200)]


def read_until_it_fails(source: KafkaSource, position: dict[str, int]) -> None:
    """Read as often as it takes to notice that nobody is there, but not for ever."""
    for _ in range(10):
        source.read(position, Budget(1000, 0.5))


LOGIN = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "username": "who", "password": "hush"}


def failure(monkeypatch: pytest.MonkeyPatch, connection: dict[str, str]) -> str:
    """What is said when the first read with this connection fails."""
    monkeypatch.setattr(kafka_adapter, "ANSWER", 1.0)
    source = adapter.open(a_stream(), SourceContext(connection=connection))
    with pytest.raises((Unavailable, UsageError)) as caught:
        source.read({}, Budget(10, 0))
    source.close()
    return str(caught.value)


def test_absent_broker_is_named_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    message = failure(monkeypatch, {"bootstrap_servers": "127.0.0.1:1", **LOGIN})

    assert message.startswith("Kafka at 127.0.0.1:1 does not answer: ")
    assert "Connection refused" in message
    assert "hush" not in message


def test_refused_login_says_so(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    message = failure(monkeypatch, {**kafka.connection, **LOGIN})

    assert message.startswith(f"Kafka at {kafka.address} refuses: ")
    assert "SASL" in message
    assert "hush" not in message


def test_wrong_setting_of_a_connection_is_named(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    message = failure(monkeypatch, {**kafka.connection, "security_protocol": "TLS"})

    assert message.startswith("`connections.kafka`: ")
    assert "security.protocol" in message


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Broker, Path]]:
    """A broker that wants to know who comes, and the certificate to trust."""
    folder = tmp_path_factory.mktemp("guarded")
    trusted, key = certificate(folder)
    (folder / "both.pem").write_bytes(key.read_bytes() + trusted.read_bytes())
    broker = Broker(folder)
    broker.guard(folder / "both.pem", "who", "hush")
    broker.start()
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 0})
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        info = ScramCredentialInfo(mechanism, 4096)
        made = admin.alter_user_scram_credentials([UserScramCredentialUpsertion("who", info, b"hush")])
        [future.result() for future in made.values()]
    yield broker, trusted
    broker.stop()


@pytest.mark.parametrize("door", ["sasl_plaintext", "sasl_ssl"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_login_opens_the_door(guarded: tuple[Broker, Path], door: str, mechanism: str) -> None:
    broker, trusted = guarded
    topic = Topic(broker)
    login = {"bootstrap_servers": broker.guarded[door], "security_protocol": door, "sasl_mechanism": mechanism,
             "username": "who", "password": "hush", "ca_location": str(trusted)}  # fmt: skip
    topic.context = SourceContext(connection=login)
    topic.source = adapter.open(topic.stream, topic.context)

    topic.publish(b"{}")
    found, _ = read_all(topic.source, {})
    topic.source.close()

    assert found == [b"{}"]
    assert adapter.inspect(topic.stream, topic.context) == ()


@pytest.mark.parametrize("door", ["sasl_plaintext", "sasl_ssl"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512"])
def test_wrong_password_is_refused_and_never_told(
    guarded: tuple[Broker, Path], monkeypatch: pytest.MonkeyPatch, door: str, mechanism: str
) -> None:
    broker, trusted = guarded
    login = {"bootstrap_servers": broker.guarded[door], "security_protocol": door, "sasl_mechanism": mechanism,
             "username": "who", "password": "marker-7391", "ca_location": str(trusted)}  # fmt: skip

    message = failure(monkeypatch, login)

    assert message.startswith(f"Kafka at {broker.guarded[door]} refuses: ")
    assert "marker-7391" not in message


def test_unknown_certificate_is_not_trusted(guarded: tuple[Broker, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"bootstrap_servers": guarded[0].guarded["sasl_ssl"], "security_protocol": "sasl_ssl",
             "sasl_mechanism": "PLAIN", "username": "who", "password": "hush"}  # fmt: skip

    message = failure(monkeypatch, login)

    assert "certificate" in message
    assert "hush" not in message
