"""What every test may use. Tests without a mark are fast: no service, no waiting, nothing outside their own folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings

from tests.services.installed import lacking
from tests.services.kafka import Broker
from tests.services.mosquitto import Mosquitto
from tests.services.postgres import Server
from tests.services.prometheus import Prometheus
from tusk_platform.storage.home import Home

# A slow machine is no defect: what is too slow shows in the benchmarks.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test whose service is missing is skipped with the reason, and fails where CI promises that all are there."""
    for mark in item.iter_markers("service"):
        reason = lacking(mark.args[0])
        if reason and os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        elif reason:
            pytest.skip(reason)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting of the person who runs the tests must not decide what they find."""
    for name in [n for n in os.environ if n.startswith("TUSK_") and n != "TUSK_SERVICES"]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty state folder of the test's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    return Home(folder)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A running Kafka broker that all tests of the session share: each uses topics of its own and leaves it running."""
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running PostgreSQL server that all tests of the session share: each uses tables of its own."""
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = Server(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A running MQTT broker that all tests of the session share: each uses topics and clients of its own."""
    broker = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A running Prometheus server that all tests of the session share: each writes series of its own."""
    server = Prometheus(tmp_path_factory.mktemp("prometheus"))
    server.start()
    yield server
    server.stop()
