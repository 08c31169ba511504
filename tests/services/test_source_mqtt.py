"""The MQTT source against a real broker: what is sent again, what is retained, and what can happen to either side."""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
import random
import subprocess
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.fakes.streams import a_stream
from tests.reference import reference_data
from tests.services.certificates import certificate
from tests.services.installed import REPOSITORY
from tests.services.mosquitto import Mosquitto
from tusk_platform.adapters.log_reader import ReceivedSource
from tusk_platform.adapters.source_mqtt import adapter
from tusk_platform.core.decode import decode
from tusk_platform.errors import TuskError, Unavailable, UsageError
from tusk_platform.plan.nodes import Column, Stream
from tusk_platform.ports import Batch, Budget, SourceContext
from tusk_platform.storage.log import EventLog

pytestmark = pytest.mark.service("mosquitto")

COLUMNS = (Column("timestamp", "timestamp", ("time",)), Column("topic", "string"), Column("value", "double"))


class Scene:
    """A stream over topics of the test's own, read from a state folder of the test's own."""

    def __init__(self, broker: Mosquitto, folder: Path, **changes: Any) -> None:  # noqa: ANN401 - any value of a connection
        self.broker = broker
        self.folder = folder
        self.base = f"t/{uuid.uuid4().hex}"
        self.context = SourceContext(connection={**broker.connection, **changes}, log_folder=folder)
        self.opened: list[ReceivedSource] = []

    def stream(self, *topics: str, **options: Any) -> Stream:  # noqa: ANN401 - any key of a stream
        """The stream that reads these topics, ``#`` below the test's own if none is said."""
        named = [f"{self.base}/{t}" for t in topics or ("#",)]
        return a_stream(
            source="mqtt",
            options=adapter.check_options({"topics": named, **options}),
            columns=COLUMNS,
            rules=(),
            arrival_time=True,
        )

    def open(self, *topics: str, **options: Any) -> ReceivedSource:  # noqa: ANN401 - as above
        """A source as a process makes it when it starts."""
        self.opened.append(adapter.open(self.stream(*topics, **options), self.context))
        return self.opened[-1]

    def again(self, *topics: str, **options: Any) -> list[bytes]:  # noqa: ANN401 - as above
        """Everything in the log and outside, as the next process finds it."""
        self.close()
        return payloads(drained(self.open(*topics, **options)))

    def send(self, *payloads: bytes, to: str = "a", **how: Any) -> None:  # noqa: ANN401 - what the broker takes
        """Messages from somebody else."""
        self.broker.publish(f"{self.base}/{to}", *payloads, **how)

    def close(self) -> None:
        for source in self.opened:
            source.close()


@pytest.fixture
def scene(mosquitto: Mosquitto, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(mosquitto, tmp_path)
    yield made
    made.close()


@pytest.fixture
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker that the test may kill."""
    broker = Mosquitto(tmp_path_factory.mktemp("own"))
    broker.start()
    yield broker
    broker.stop()


def drained(source: ReceivedSource) -> list[Batch]:
    """All batches from the beginning to the end of what the broker has."""
    batches: list[Batch] = []
    position: dict[str, int] = {}
    while True:
        batches.append(source.read(position, Budget(10_000, 5)))
        position |= {c.partition: c.next_offset for c in batches[-1].chunks}
        if batches[-1].at_end:
            return batches


def payloads(batches: list[Batch]) -> list[bytes]:
    """What the events are, without their topics."""
    found = [p or b"" for b in batches for c in b.chunks for p in c.payloads or ()]
    return [p.partition(b'"value":')[2].removesuffix(b"}") or p for p in found]


def rows(stream: Stream, batches: list[Batch]) -> list[dict[str, Any]]:
    """The rows of the raw table."""
    now = time.time_ns() // 1000
    found: list[dict[str, Any]] = pa.concat_tables([decode(stream, b, now).rows for b in batches]).to_pylist()
    return found


def test_messages_wait_for_a_reader_that_is_away(scene: Scene) -> None:
    drained(scene.open())
    scene.close()
    scene.send(*(b"%d" % n for n in range(1000)))

    assert scene.again() == [b"%d" % n for n in range(1000)]
    assert scene.again() == [b"%d" % n for n in range(1000)]


def test_what_was_taken_but_not_acknowledged_counts_once(scene: Scene) -> None:
    drained(scene.open())
    scene.close()
    scene.send(*(b"%d" % n for n in range(50)))
    for round_ in (1, 2):
        with receiving(scene, {"TUSK_FAULT": f"before_acknowledgement:{round_}"}) as died:
            assert died.wait(30) == -9

    assert scene.again() == [b"%d" % n for n in range(50)]


def test_what_is_sent_again_in_portions_counts_once(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    many = "max_inflight_messages 200\n"
    broker = Mosquitto(tmp_path_factory.mktemp("portions"), many)
    broker.start()
    scene = Scene(broker, tmp_path)
    drained(scene.open())
    scene.close()
    scene.send(*(b"%d" % n for n in range(150)))
    with receiving(scene, {"TUSK_FAULT": "before_acknowledgement"}) as died:
        assert died.wait(30) == -9
    broker.stop()
    broker._config.write_text(broker._config.read_text().replace(many, ""))
    broker.start()
    found = scene.again()
    broker.stop()

    assert found == [b"%d" % n for n in range(150)]


def receiving(scene: Scene, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process that receives the test's messages until it is killed."""
    command = [sys.executable, "-m", "tests.services.receive_mqtt", f"{scene.base}/#"]
    return subprocess.Popen(
        [*command, json.dumps(scene.context.connection), str(scene.folder)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
    )


def test_a_copy_sent_again_counts_where_the_first_was_never_seen(scene: Scene) -> None:
    drained(scene.open())
    scene.close()
    scene.send(b"1", b"2", b"2")
    somebody_takes_and_drops(scene)

    assert scene.again() == [b"1", b"2", b"2"]


def somebody_takes_and_drops(scene: Scene) -> None:
    """The broker sends all it has to a client of that name, which acknowledges nothing."""
    with closing(EventLog(scene.folder, "orders.mqtt")) as log:
        name = log.mark("client_id")
    assert name
    client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False, manual_ack=True)
    seen: list[bytes] = []
    client.on_message = lambda _c, _u, message: seen.append(bytes(message.payload))
    client.connect("127.0.0.1", scene.broker.port)
    client.loop_start()
    deadline = time.monotonic() + 5
    while len(seen) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    client.disconnect()
    client.loop_stop()


def test_equal_messages_all_count(scene: Scene) -> None:
    source = scene.open()
    drained(source)
    scene.send(*[b"21.5"] * 100)

    assert payloads(drained(source)) == [b"21.5"] * 100


def test_packet_ids_of_another_session_mean_nothing(tmp_path: Path, own_broker: Mosquitto) -> None:
    scene = Scene(own_broker, tmp_path)
    source = scene.open()
    drained(source)
    scene.send(b"7", b"7")
    drained(source)
    scene.close()
    own_broker.stop()
    (own_broker.folder / "data" / "mosquitto.db").unlink()
    own_broker.start()
    drained(scene.open())
    scene.close()
    scene.send(b"7", b"7")

    assert scene.again() == [b"7"] * 4


def test_retained_message_counts_once_however_often_it_is_told(scene: Scene) -> None:
    scene.send(b"1", retain=True)
    first = scene.again()
    other_filter = scene.again("+")
    scene.send(b"2", retain=True)

    assert (first, other_filter) == ([b"1"], [b"1"])
    assert scene.again("+") == [b"1", b"2"]
    assert scene.again("#") == [b"1", b"2", b"2"], "live it came without the mark, so who subscribes anew is told once"
    assert scene.again("+") == [b"1", b"2", b"2"]


def test_quality_of_service_decides_what_waits(scene: Scene) -> None:
    for qos in (0, 1, 2):
        scene.again(qos=qos)
        scene.close()
        scene.send(b"%d" % qos, qos=qos)

    assert scene.again(qos=2) == [b"1", b"2"]


def test_topic_that_left_the_config_is_read_no_more(scene: Scene) -> None:
    drained(scene.open("a", "b"))
    scene.again("b", "c")
    for name in "abc":
        scene.send(name.encode(), to=name)

    assert sorted(scene.again("b", "c")) == [b'"b"', b'"c"']


def test_killed_reader_and_stopped_broker_cost_nothing(tmp_path: Path, own_broker: Mosquitto) -> None:
    scene = Scene(own_broker, tmp_path)
    drained(scene.open())
    scene.close()
    for round_ in range(6):
        with receiving(scene, {}) as process:
            scene.send(*(b"%d" % (round_ * 100 + n) for n in range(100)))
            if round_ % 2:
                assert process.stdout is not None
                process.stdout.readline()
            time.sleep(random.random() * 0.3)
            process.kill()
        if round_ % 3 == 2:
            own_broker.restart()

    assert sorted(map(int, scene.again())) == list(range(600))


def test_broker_that_is_away_is_told_and_waited_for(tmp_path: Path, own_broker: Mosquitto) -> None:
    scene = Scene(own_broker, tmp_path)
    source = scene.open()
    drained(source)
    own_broker.kill()

    with pytest.raises(Unavailable, match=f"the MQTT broker at 127.0.0.1:{own_broker.port} closed the connection"):
        source.read({}, Budget(10, 1))
    with pytest.raises(Unavailable, match="does not answer: Connection refused"):
        source.read({}, Budget(10, 1))
    own_broker.start()
    scene.send(b"1")

    assert payloads(drained(source)) == [b"1"]
    scene.close()


def test_payload_that_is_no_event_is_quarantined_with_its_bytes(scene: Scene) -> None:
    stream = scene.stream()
    source = scene.open()
    drained(source)
    sent = [
        b"21.5",
        b"\x00\xff\x01",
        b'{"value":',
        b'{"a":{"x":1,"x":2}}',
        b"Offline",
        b"",
        b'{"value": 3, "t": {"u": 1}}',
    ]
    scene.send(*sent)

    found = rows(stream, drained(source))

    assert [r["value"] for r in found if r["_status"] == "ok"] == [21.5, None, 3.0]
    assert [r["_extra"] for r in found if r["_extra"]] == ['{"t_u":1}']
    bad = [r for r in found if r["_status"] != "ok"]
    assert [r["_payload"] for r in bad][:3] == sent[1:4]
    assert json.loads(bad[3]["_payload"]) == {"topic": f"{scene.base}/a", "value": "Offline"}
    assert all(f"{scene.base}/a" in r["_reason"] for r in bad[:3])


def test_real_sensors_are_read(scene: Scene) -> None:
    samples = json.loads((reference_data("mqtt_payloads") / "tasmota_samples.json").read_text())["messages"]
    stream = scene.stream()
    source = scene.open()
    drained(source)
    for sample in samples:
        scene.send(sample["payload"].encode(), to=sample["topic"])

    found = rows(stream, drained(source))

    assert len(found) == len(samples)
    for row, sample in zip(found, samples, strict=True):
        if sample.get("note", "").startswith("not JSON"):
            assert (row["_status"], b"Offline" in row["_payload"]) == ("quarantined", True)
        elif "time" in sample:
            said = json.loads(row["_extra"])
            assert row["timestamp"] == dt.datetime.fromisoformat(sample["time"]).replace(tzinfo=dt.UTC)
            temperature = sample["temperature"]
            of_it = temperature["AM2301"] if isinstance(temperature, dict) else temperature
            assert said["AM2301_Temperature"] == of_it
            assert said.get("AM2301_Humidity") == sample["humidity"]


def test_published_events_go_to_the_topic_they_name(scene: Scene) -> None:
    stream = scene.stream("a", "b/+")
    adapter.publish(
        stream, scene.context, [b'{"value": 1}', b'{"topic": "%s/b/c", "value": 2.50}' % scene.base.encode()]
    )

    found = rows(stream, drained(scene.open("a", "b/+")))

    assert [(r["topic"].removeprefix(f"{scene.base}/"), r["value"]) for r in found] == [("a", 1.0), ("b/c", 2.5)]


def test_event_without_a_place_to_go_is_named(scene: Scene) -> None:
    with pytest.raises(UsageError, match="event 1 names no `topic`, and the stream reads none without wildcards"):
        adapter.publish(scene.stream("+"), scene.context, [b"{}"])
    with pytest.raises(UsageError, match=r"event 2 names topic `else`; the stream reads t/"):
        adapter.publish(scene.stream("a"), scene.context, [b"{}", b'{"topic": "else"}'])


def said(connection: dict[str, Any], folder: Path) -> str:
    """What is said when this connection does not work."""
    stream = a_stream(source="mqtt", options=adapter.check_options({"topics": ["a"]}))
    source = adapter.open(stream, SourceContext(connection=connection, log_folder=folder))
    with pytest.raises(TuskError) as caught:
        source.read({}, Budget(1, 0))
    source.close()
    with pytest.raises(TuskError) as looked:
        adapter.inspect(stream, SourceContext(connection=connection))
    assert str(looked.value) == str(caught.value)
    return str(caught.value)


def test_login_is_used_and_never_told(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    broker = Mosquitto(tmp_path_factory.mktemp("login"), login=("who", "hush"))
    broker.start()
    right = {**broker.connection, "username": "who", "password": "hush"}
    stream = a_stream(source="mqtt", options=adapter.check_options({"topics": ["a"]}))

    assert adapter.inspect(stream, SourceContext(connection=right)) == ()
    wrong = said({**right, "password": "wrong-one"}, tmp_path)
    broker.stop()

    assert wrong == f"the MQTT broker at 127.0.0.1:{broker.port} refuses: not authorized"


def test_encrypted_connection_trusts_only_whom_it_is_told(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    trusted, key = certificate(tmp_path)
    broker = Mosquitto(tmp_path_factory.mktemp("tls"), f"certfile {trusted}\nkeyfile {key}\n")
    broker.start()
    connection = {"host": "localhost", "port": str(broker.port), "tls": True}
    stream = a_stream(source="mqtt", options=adapter.check_options({"topics": ["a"]}))

    assert adapter.inspect(stream, SourceContext(connection={**connection, "ca_location": str(trusted)})) == ()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the library drops a connection that is refused so
        unknown = said(connection, tmp_path)
        gc.collect()
    broker.stop()

    assert "does not answer: its certificate is not trusted (self-signed certificate)" in unknown


def test_nobody_there_is_told(tmp_path: Path) -> None:
    assert said({"host": "127.0.0.1", "port": 1}, tmp_path) == (
        "the MQTT broker at 127.0.0.1:1 does not answer: Connection refused"
    )
    assert "is `many`, which is no port" in said({"host": "127.0.0.1", "port": "many"}, tmp_path)
