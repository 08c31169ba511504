"""Killed at random moments while events keep coming: afterwards all is as if nothing had happened."""

from __future__ import annotations

import random
import threading
import time

import pytest

from tests.e2e.test_million_events import aggregate, recomputed
from tests.faults.outcomes import Outcome, Record
from tests.faults.scene import KILLED, Scene, kill, wait_until
from tests.faults.verdict import TABLE
from tusk_platform.runtime.duties import maintain_all
from tusk_platform.runtime.platform import open_platform
from tusk_platform.storage.lake import Lake


class Publisher:
    """Writes a few events every few milliseconds, as somebody else, until it is asked to stop."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Publisher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            self._scene.write(20)


@pytest.mark.slow
def test_killed_at_random_moments_under_load_loses_and_doubles_nothing(
    scene: Scene, kills: int | None, record: Record
) -> None:
    # A commit takes about 20 ms, so of those who die once they read every third or so dies in one.
    scene.configure("50 ms")
    chance = random.Random(scene.feed.name)
    rounds, by_hand = kills or 3, 0
    with Publisher(scene):
        for number in range(rounds):
            by_hand += not killed_at_random(scene, chance, early=number % 5 == 4)
    scene.tusk("ingest", "orders", "--once")
    scene.tusk("run", "agg.per_country")

    verdict = scene.verdict()
    record(Outcome(scene.feed.name, "random moments", rounds, by_hand, verdict))
    assert verdict.fine, verdict
    assert aggregate(scene.tusk) == recomputed(scene.produced(), watermarks(scene.lake))
    assert by_hand == 0


def killed_at_random(scene: Scene, chance: random.Random, *, early: bool) -> bool:
    """Start the program and kill it, while it starts or at work on a table that is compacted meanwhile.

    Whether it ran until then.
    """
    before = scene.batch()
    process = scene.tusk.start("ingest", "orders")
    try:
        if not early:
            wait_until(lambda: process.poll() is not None or scene.batch() > before, "the first batch after a start")
            maintain_all(open_platform(scene.tusk.folder / "platform.tsk"), command="tests")
        time.sleep(chance.uniform(0, 3 if early else 1))
    finally:
        code = kill(process)
    return code == KILLED


def watermarks(lake: Lake) -> list[dict[str, object]]:
    """Of every row where its event was, which batch brought it and the watermark it met."""
    columns = ["_partition", "_offset", "_batch", "_watermark"]
    rows: list[dict[str, object]] = lake.open(TABLE).delta.to_pyarrow_table(columns=columns).to_pylist()
    return rows
