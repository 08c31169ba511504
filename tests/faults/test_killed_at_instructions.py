"""Killed at a named instruction and plainly started again: nothing lost, nothing doubled, nothing to do by hand."""

from __future__ import annotations

import pytest

from tests.faults.outcomes import Outcome, Record
from tests.faults.scene import KILLED, Scene

pytestmark = pytest.mark.slow

# A commit takes what one read brings, which is at most 10,000 events.
EVERY_READ = "1 ms"


@pytest.mark.parametrize("point", ["after_poll", "inside_write", "after_commit"])
def test_ingest_killed_and_started_again_has_every_event_once(
    scene: Scene, point: str, kills: int | None, record: Record
) -> None:
    scene.configure(EVERY_READ)
    by_hand = 0
    for number in range(kills or 1):
        scene.write(12_000)
        killed = scene.dying(f"{point}:{2 - number % 2}").call("ingest", "orders", "--once")
        assert killed.code == KILLED, killed.err
        by_hand += scene.tusk.call("ingest", "orders", "--once").code != 0

    verdict = scene.verdict()
    record(Outcome(scene.feed.name, point, kills or 1, by_hand, verdict))
    assert verdict.fine, verdict
    assert by_hand == 0


def test_compaction_killed_and_started_again_keeps_every_event_once(
    scene: Scene, kills: int | None, record: Record
) -> None:
    scene.configure(EVERY_READ)
    by_hand = 0
    for _ in range(kills or 1):
        scene.write(35_000)
        scene.tusk("ingest", "orders", "--once")
        before = scene.rows()
        killed = scene.child("maintain_once", fault="in_compaction")
        assert killed.code == KILLED, killed.err
        assert scene.rows() == before
        again = scene.child("maintain_once")
        by_hand += again.code != 0
        files = {name: (int(was), int(now)) for name, was, now in map(str.split, again.out.splitlines())}
        assert files["raw.orders"][0] > files["raw.orders"][1]

    verdict = scene.verdict()
    record(Outcome(scene.feed.name, "in_compaction", kills or 1, by_hand, verdict))
    assert verdict.fine, verdict
    assert by_hand == 0


def test_publisher_killed_and_repeated_counts_every_event_once(scene: Scene, kills: int | None, record: Record) -> None:
    scene.configure(EVERY_READ)
    told = published(scene, "told", 1_500)
    by_hand = 0
    for number in range(kills or 1):
        # Published a thousand at a time: killed in the first, second or third.
        file = scene.spool(f"wave{number}", 2_500)
        killed = scene.dying(f"in_publish:{1 + (number + 1) % 3}").call("publish", "orders", file)
        assert killed.code == KILLED, killed.err
        by_hand += scene.tusk.call("publish", "orders", file).code != 0
    scene.tusk("ingest", "orders", "--once")

    verdict = scene.verdict()
    record(Outcome(scene.feed.name, "in_publish", kills or 1, by_hand, verdict))
    assert verdict.fine, verdict
    assert told <= set(scene.feed.truth().values())
    assert scene.counted() == scene.once()
    assert by_hand == 0


def published(scene: Scene, name: str, count: int) -> set[bytes]:
    """Events that the program said it has published."""
    answer = scene.tusk("publish", "orders", scene.spool(name, count), "--json").json()
    assert answer["published"] == count
    return set(scene.known)
