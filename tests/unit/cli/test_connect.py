"""``tusk check --connect``: whoever can be asked is asked, and what comes of it stands at its line."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.packages import installed_package
from tests.fakes.streams import a_stream
from tests.services.kafka import Broker
from tests.unit.cli.conftest import Tusk
from tusk_platform.adapters.source_kafka import adapter as kafka_adapter
from tusk_platform.ports import SourceContext

# A stranger's source over MQTT, which says what the name of its broker tells it to say.
ADAPTER = """
from tusk_platform.errors import Unavailable, UsageError

class Adapter:
    name, connection, stand_in, free_form, replay, event_time, columns = "asked", "mqtt", "log", True, False, None, ()

    def check_options(self, values):
        return dict(values)

    def open(self, stream, context):
        raise Unavailable("never opened")

    def inspect(self, stream, context):
        host = context.connection["host"]
        with open(context.config_folder / "asked.txt", "a") as file:
            file.write(f"{stream.name} {host} {context.connection.get('password')}\\n")
        if host == "away":
            raise Unavailable("nobody at away answers")
        if host == "refusing":
            raise UsageError("refusing does not know us")
        return ("the queue is shorter than the config says",) if stream.name == "differs" else ()

adapter = Adapter()
"""
CONFIG = """\
connections = {{
    mqtt = {{ host = "{host}", password = @env(QUEUE_PASSWORD) }}
    redis = {{ url = "redis://redis:6379/0" }}
}}
real_time_analytics = {{
    data_streams = {{
        same = {{ source = "asked" }}
        differs = {{ source = "asked" }}
    }}
}}
"""


@pytest.fixture(scope="module", autouse=True)
def _installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("packages")
    with installed_package(folder, "asked_source", ADAPTER, "tusk.sources", 'asked = "asked_source:adapter"'):
        yield


def config(folder: Path, host: str) -> Path:
    """The config with a broker of that name."""
    path = folder / "platform.tsk"
    path.write_text(CONFIG.format(host=host))
    return path


def asked(folder: Path) -> list[str]:
    """Who was asked, and with which password."""
    file = folder / "asked.txt"
    return file.read_text().splitlines() if file.exists() else []


def test_a_difference_is_a_warning_at_its_stream(tusk: Tusk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_PASSWORD", "marker-7391")
    config(tmp_path, "there")

    answer = tusk("check", "--connect", "--json")

    [found] = answer.json()
    assert (found["severity"], found["line"], found["column"]) == ("warning", 8, 9)
    assert found["path"] == "real_time_analytics.data_streams.differs"
    assert found["message"] == "the queue is shorter than the config says"
    assert answer.code == 0
    assert asked(tmp_path) == ["same there marker-7391", "differs there marker-7391"]


@pytest.mark.parametrize(
    ("host", "message"), [("away", "nobody at away answers"), ("refusing", "refusing does not know us")]
)
def test_a_service_that_is_away_or_refuses_is_a_mistake_at_its_connection(
    tusk: Tusk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, message: str
) -> None:
    monkeypatch.setenv("QUEUE_PASSWORD", "marker-7391")
    config(tmp_path, host)

    answer = tusk("check", "--connect", "--json")

    [found] = answer.json()
    assert (found["severity"], found["line"], found["path"]) == ("error", 2, "connections.mqtt")
    assert found["message"] == message
    assert answer.code == 1
    assert len(asked(tmp_path)) == 1, "the second stream would wait as long for the same answer"


def test_a_missing_variable_is_a_mistake_where_it_is_named(tusk: Tusk, tmp_path: Path) -> None:
    config(tmp_path, "there")

    answer = tusk("check", "--connect", "--json")

    [found] = answer.json()
    assert (found["severity"], found["line"], found["path"]) == ("error", 2, "connections.mqtt.password")
    assert found["message"] == "environment variable `QUEUE_PASSWORD` is not set"
    assert answer.code == 1
    assert asked(tmp_path) == []
    assert tusk("check").code == 0


def test_people_are_told_what_was_tried(tusk: Tusk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUE_PASSWORD", "marker-7391")
    config(tmp_path, "there")

    answer = tusk("check", "--connect")

    assert answer.out.splitlines() == [
        "connections tried: mqtt",
        "not tried: redis (no stream can ask through them yet)",
        "0 mistakes, 1 warning",
    ]
    assert "marker-7391" not in answer.out + answer.err


def test_nobody_is_asked_for_a_config_with_mistakes(
    tusk: Tusk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUEUE_PASSWORD", "marker-7391")
    path = config(tmp_path, "there")
    path.write_text(path.read_text() + "demo = 5\n")

    answer = tusk("check", "--connect")

    assert answer.code == 1
    assert asked(tmp_path) == []


def test_without_connections_there_is_nothing_to_try(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "platform.tsk").write_text('real_time_analytics = { data_streams = { a = { source = "asked" } } }')

    answer = tusk("check", "--connect")

    assert (answer.code, answer.out) == (0, "connections tried: none\nall is well\n")
    assert not (tmp_path / ".tusk").exists()


@pytest.mark.service("kafka")
def test_a_topic_unlike_the_config_is_a_warning(tusk: Tusk, tmp_path: Path, kafka: Broker) -> None:
    topic = f"t-{uuid.uuid4().hex}"
    options = kafka_adapter.check_options({"topic": topic, "partition_count": 3})
    kafka_adapter.publish(a_stream(options=options), SourceContext(connection=kafka.connection), [b"{}"])
    servers = kafka.connection["bootstrap_servers"]
    (tmp_path / "platform.tsk").write_text(
        f'connections = {{ kafka = {{ bootstrap_servers = "{servers}" }} }}\n'
        "real_time_analytics = { data_streams = {\n"
        f'    orders = {{ source = "kafka", topic = "{topic}", partition_count = 8 }}\n'
        f'    visits = {{ source = "kafka", topic = "{topic}-not-there-yet" }}\n'
        "} }\n"
    )

    answer = tusk("check", "--connect", "--json")

    assert [(p["severity"], p["line"]) for p in answer.json()] == [("warning", 3)]
    assert "has 3 partitions, the config says partition_count = 8" in answer.json()[0]["message"]
    assert answer.code == 0
