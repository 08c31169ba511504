"""A disk that is full while events come in: no part of a batch is seen before all of it fits, and nobody helps."""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.tusk import Tusk
from tests.faults.feeds import KafkaFeed
from tests.faults.scene import Scene, kill, wait_until
from tests.services.kafka import Broker

pytestmark = pytest.mark.slow


def test_reader_goes_on_when_files_may_grow_again(log_scene: Scene) -> None:
    log_scene.configure("50 ms")
    reader = log_scene.tusk.start("ingest", "orders")
    try:
        reads_all(log_scene)
        resource.prlimit(reader.pid, resource.RLIMIT_FSIZE, (65_536, resource.RLIM_INFINITY))
        waits(log_scene)
        resource.prlimit(reader.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        reads_all(log_scene)
    finally:
        kill(reader)

    assert log_scene.verdict().fine, log_scene.verdict()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB, where this machine lets us have one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], check=False)
    if mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.service("kafka")
def test_reader_goes_on_when_the_disk_has_room_again(kafka: Broker, disk: Path, tmp_path: Path) -> None:
    scene = Scene(Tusk(disk), KafkaFeed(kafka.address))
    scene.configure("50 ms")
    reader = scene.tusk.start("ingest", "orders", log=tmp_path / "output.log")
    try:
        reads_all(scene)
        with (disk / "filler").open("wb", buffering=0) as filler:
            fill(filler)
            waits(scene)
            filler.truncate(0)
        reads_all(scene)
    finally:
        kill(reader)

    assert scene.verdict().fine, scene.verdict()


def reads_all(scene: Scene) -> None:
    """The next events come in, with all that could not before."""
    scene.write(1_000)
    wait_until(lambda: scene.rows() == len(scene.feed.truth()), "all that was written is in the lake")


def waits(scene: Scene) -> None:
    """More events than there is room for are not seen, not even some of them."""
    before = scene.rows()
    scene.write(20_000)
    time.sleep(2)
    assert scene.rows() == before


def fill(filler: IO[bytes]) -> None:
    """Write until there is no room for another byte."""
    for size in (2**20, 2**12, 1):
        while True:
            try:
                filler.write(b"\0" * size)
            except OSError:
                break
