"""What does not come back is waited for, then named in one line; once it is back, everything is there once."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.tusk import Tusk
from tests.faults.feeds import KafkaFeed, LogFeed
from tests.faults.scene import Scene, kill
from tests.services.kafka import free_ports

pytestmark = pytest.mark.slow


def test_broker_and_disk_that_stay_away_are_named(tmp_path: Path) -> None:
    [port] = free_ports(1)
    away = Scene(Tusk(tmp_path / "away"), KafkaFeed(f"127.0.0.1:{port}"))
    full = Scene(Tusk(tmp_path / "full"), LogFeed(tmp_path / "full"))
    for scene in (away, full):
        scene.tusk.folder.mkdir()
        scene.configure("50 ms")
    full.write(20_000)
    # Both wait for half a minute, so they do it at the same time.
    with ExitStack() as stack:
        readers = [t.start("ingest", "orders", "--once") for t in (away.tusk, full.starved(65_536))]
        for reader in readers:
            stack.callback(kill, reader)
        publisher = away.tusk.call("publish", "orders", away.spool("events", 10))
        assert [reader.wait(300) for reader in readers] == [1, 1]

    assert publisher.code == 1
    nobody = f"Kafka at 127.0.0.1:{port} does not answer: "
    assert one_line(publisher.err).startswith(f"tusk: {nobody}")
    assert one_line(output(away)).startswith(f"tusk: stream `orders`: {nobody}")
    assert one_line(output(full)).startswith("tusk: stream `orders`: writing to raw.orders: ")
    assert "File too large" in output(full)
    assert (full.rows(), list(Path(full.lake.path("raw.orders")).rglob("*.parquet"))) == (0, [])
    full.tusk("ingest", "orders", "--once")
    assert full.verdict().fine, full.verdict()


def test_publisher_says_how_many_are_durable_when_the_disk_is_full(log_scene: Scene) -> None:
    scene = log_scene
    scene.configure("50 ms")
    scene.tusk("ingest", "orders", "--once")
    # So large that a thousand of them are written to the disk before they are committed.
    file = scene.spool("events", 5_000, note=3_000)
    refused = scene.starved(4_500_000).call("publish", "orders", file)

    assert refused.code == 1
    said = re.search(
        r"the log of `orders` .*: disk I/O error; the (\d+) events before these were published", one_line(refused.err)
    )
    assert said, refused.err
    assert 0 < int(said[1]) < 5_000
    assert len(scene.feed.truth()) == int(said[1])
    scene.tusk("publish", "orders", file)
    scene.tusk("ingest", "orders", "--once")
    assert scene.verdict().fine, scene.verdict()
    assert scene.counted() == scene.once()


def test_first_start_on_a_full_disk_leaves_nothing_half_made(log_scene: Scene) -> None:
    log_scene.configure("50 ms")
    refused = log_scene.starved(2_000).call("ingest", "orders", "--once")

    assert refused.code == 1
    assert one_line(refused.err).startswith("tusk: writing the generated projects to ")
    assert list(log_scene.home.build.iterdir()) == []


def output(scene: Scene) -> str:
    """What the reader in the background said."""
    return (scene.tusk.folder / "output.log").read_text()


def one_line(text: str) -> str:
    """The text, which must be one line and no traceback."""
    assert text.count("\n") == 1, text
    return text
