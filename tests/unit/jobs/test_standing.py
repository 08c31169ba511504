from __future__ import annotations

from dataclasses import dataclass, field

from tests.fakes.streams import a_stream
from tusk_platform.core.watermark import Progress
from tusk_platform.jobs.standing import RETIRED, Standing, read_standing
from tusk_platform.plan.nodes import END_OF_TIME, NO_WATERMARK
from tusk_platform.ports import Batch, Chunk

NOW = 1_000_000


@dataclass
class Stored:
    """A table's transactions."""

    versions: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def transaction(self, app: str) -> int | None:
        self.asked.append(app)
        return self.versions.get(app)


def standing(versions: dict[str, int] | None = None, *partitions: str, demo: bool = False) -> Standing:
    return read_standing(a_stream(demo=demo), Stored(versions or {}), partitions or ("0",), NOW)


def test_new_stream_stands_at_the_beginning() -> None:
    found = standing()

    assert (found.position, found.batch, found.watermark) == ({}, 0, None)
    assert found.clocks.partitions == {"0": Progress(None, NOW)}


def test_next_commit_says_only_what_changed() -> None:
    before = standing(
        {"orders/0": 5, "orders/0/time": 70, "orders/0/active": 9, "orders/batch": 2, "orders/watermark": 70}
    )
    batch = Batch((Chunk("0", [5], 6, payloads=[b"{}"]),))
    after = before.after(batch, {"0": 6}, {"0": 60}, NOW)

    assert after.transactions() == {"orders/0": 6, "orders/0/active": NOW, "orders/batch": 3}
    assert after.committed().transactions() == {}


def test_what_was_read_comes_back_from_the_lake() -> None:
    batch = Batch((Chunk("0", [5], 6, payloads=[b"{}"]),), frozenset({"0"}))
    after = standing().after(batch, {"0": 6}, {"0": 60}, NOW)
    again = read_standing(a_stream(), Stored(after.transactions()), ("0",), NOW + 5)

    assert (again.position, again.batch, again.watermark) == ({"0": 6}, 1, 60)
    assert again.clocks.partitions == {"0": Progress(60, NOW)}


def test_partition_found_later_joins_those_known() -> None:
    known = standing({"orders/0": 5}).after(Batch((), frozenset({"0"})), {"0": 5}, {}, NOW)
    handle = Stored({"orders/1": 7})
    found = read_standing(a_stream(), handle, ("0", "1"), NOW + 5, known)

    assert found.position == {"0": 5, "1": 7}
    assert found.clocks.partitions == {"0": Progress(None, NOW, at_end=True), "1": Progress(None, NOW + 5)}
    assert "orders/0" not in handle.asked


def test_removed_demo_takes_its_watermark_along() -> None:
    before = standing({"orders/demo": 8, "orders/watermark": 70, "orders/batch": 2}, "0", "demo", demo=True)
    after = before.without_demo()

    assert (before.shows_demo, after.shows_demo, after.partitions) == (True, False, frozenset({"0"}))
    assert after.transactions() == {
        "orders/demo": RETIRED, "orders/watermark": NO_WATERMARK, "orders/generation": 1, "orders/0/active": NOW,
    }  # fmt: skip


def test_demo_that_never_was_takes_nothing_along() -> None:
    after = standing({"orders/0": 3, "orders/watermark": 70}, demo=True).without_demo()

    assert (after.watermark, after.generation, after.position["demo"]) == (70, 0, RETIRED)


def test_only_the_demo_clock_counts_while_it_is_shown() -> None:
    before = standing({}, "0", "demo", demo=True)
    after = before.after(Batch((Chunk("demo", [1], 2, payloads=[b"{}"]),)), {"demo": 2}, {"demo": 50}, NOW)

    assert after.watermark == 50


def test_replay_that_becomes_live_begins_its_clock_anew() -> None:
    stored = Stored({"orders/watermark": END_OF_TIME})

    assert read_standing(a_stream(), stored, ("0",), NOW).watermark is None
    assert read_standing(a_stream(replay=True), stored, ("0",), NOW).clocks.watermark == END_OF_TIME
