"""Killed while rows that were read before are mended, and plainly started again: each row once, each window right."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.e2e.test_million_events import Event
from tests.e2e.tusk import Tusk
from tests.faults.feeds import Place
from tests.faults.scene import KILLED, Scene
from tests.faults.verdict import rows_of

pytestmark = pytest.mark.slow

# A commit takes what one read brings.
EVERY_READ = "1 ms"
START = "time_bucket(interval '1 minute', _event_time)"
COUNTED = f"_watermark is null or {START} + interval '90 seconds' > _watermark"
BY_HAND = f"""
    select {START} as window_start, country, count(*) as event_count,
           sum(amount) as revenue, count(distinct user_id) as buyers, max(amount) as largest
    from clean.orders where {COUNTED} group by all order by all"""
STORED = "select window_start, country, event_count, revenue, buyers, largest from agg.per_country order by all"


def computed(tusk: Tusk) -> list[dict[str, Any]]:
    """The aggregate after an ordinary refresh, which must be what raw comes to."""
    tusk("run", "agg.per_country")
    stored = tusk.sql(STORED)
    assert stored == tusk.sql(BY_HAND)
    return stored


def counted(windows: list[dict[str, Any]]) -> int:
    """Events of all windows."""
    return sum(int(row["event_count"]) for row in windows)


def without_rules(scene: Scene) -> None:
    """The same config, by which any user and any amount is good."""
    path = scene.tusk.folder / "platform.tsk"
    text = path.read_text()
    start, end = text.index("data_quality_config"), text.index("stream_processing")
    path.write_text(text[:start] + text[end:])


def mendable(event: Event) -> bool:
    """Whether a broken event only breaks a rule."""
    return b'"user_id": null' in event.payload or b'"amount": -1' in event.payload


@pytest.mark.parametrize("point", ["in_replay:1", "inside_write:1", "in_replay:2"])
def test_replay_killed_and_started_again_has_every_row_once(log_scene: Scene, point: str) -> None:
    scene = log_scene
    scene.configure(EVERY_READ)
    scene.write(30_000)
    scene.tusk("ingest", "orders", "--once")
    before = counted(computed(scene.tusk))
    without_rules(scene)
    killed = scene.dying(point).call("replay", "orders")
    assert killed.code == KILLED, killed.err
    report = scene.tusk("replay", "orders", "--json").json()

    produced = scene.produced()
    good = {place for place, event in produced.items() if not event.broken or mendable(event)}
    assert status_of(scene) == {place: place in good for place in produced}
    mended = sum(mendable(event) for event in produced.values())
    assert mended > 30
    assert report["replayed"] == (0 if point == "in_replay:2" else mended)
    assert report["still_bad"] == len(produced) - len(good)
    assert counted(computed(scene.tusk)) == before + mended


@pytest.mark.parametrize("point", ["inside_write:1", "in_replay:2"])
def test_replay_of_late_rows_killed_and_started_again_counts_them_once(log_scene: Scene, point: str) -> None:
    scene = log_scene
    scene.configure(EVERY_READ)
    scene.write(30_000)
    scene.tusk("ingest", "orders", "--once")
    late = scene.tusk.sql("select count(*) as rows from late.orders")[0]["rows"]
    killed = scene.dying(point).call("replay", "orders", "--late")
    assert killed.code == KILLED, killed.err
    scene.tusk("replay", "orders", "--late")

    assert int(late) > 30
    assert status_of(scene) == {place: not event.broken for place, event in scene.produced().items()}
    # What is still late repeats an event that counts.
    assert scene.tusk.sql("select * from late.orders where event_id in (select event_id from clean.orders)") == (
        scene.tusk.sql("select * from late.orders")
    )
    assert counted(computed(scene.tusk)) == len({e.id for e in scene.produced().values() if not e.broken})


def status_of(scene: Scene) -> dict[Place, bool]:
    """Whether each row of raw is good; each is there once."""
    rows = rows_of(scene.lake)
    assert max(Counter(row.place for row in rows).values()) == 1
    return {row.place: row.ok for row in rows}
