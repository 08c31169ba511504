"""A broker that is not there yet or goes away: the reader waits, or says so and is started again; nothing is lost."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.tusk import Tusk
from tests.faults.feeds import KafkaFeed
from tests.faults.scene import Scene, kill, wait_until
from tests.services.kafka import Broker

pytestmark = [pytest.mark.slow, pytest.mark.service("kafka")]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own, not started."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Broker(folder)
    yield broker
    broker.stop()


class Reader:
    """`tusk ingest orders` under a supervisor, which starts it again where its patience was at an end."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.log = scene.tusk.folder / "reader.log"
        self.process = self._start()

    def has_read(self, rows: int) -> bool:
        """Whether so many rows are in the lake."""
        if self.process.poll() is not None:
            said = self.log.read_text()
            assert self.process.returncode == 1, said
            assert "nothing is lost" in said
            assert "Traceback" not in said
            self.process = self._start()
        return self.scene.rows() == rows

    def _start(self) -> subprocess.Popen[bytes]:
        return self.scene.tusk.start("ingest", "orders", log=self.log)


def test_broker_away_at_the_start_and_in_the_middle_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    scene = Scene(Tusk(tmp_path), KafkaFeed(broker.address))
    scene.configure("50 ms")
    reader = Reader(scene)
    try:
        wait_until((scene.home.leases / "ingest-orders.json").exists, "the reader is at work")
        broker.start()
        scene.write(2_000)
        wait_until(lambda: reader.has_read(2_000), "everything read after the broker came")
        broker.kill()
        time.sleep(2)
        broker.start()
        scene.write(2_000)
        wait_until(lambda: reader.has_read(4_000), "everything read after the broker came back")
    finally:
        kill(reader.process)

    verdict = scene.verdict()
    assert verdict.fine, verdict
