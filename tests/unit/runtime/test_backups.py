"""Backups and what comes out of them: one moment, only what is new copied, nothing restored over anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.unit.runtime.test_apply import START, Shop, computed, event
from tusk_platform.compile import compile_text
from tusk_platform.core import transactions
from tusk_platform.errors import Held, Refused, UsageError
from tusk_platform.jobs.backup import KEPT, Author, BackupReport, backup, pin
from tusk_platform.jobs.ingest import Until
from tusk_platform.jobs.maintain import maintain
from tusk_platform.jobs.restore import gather, listed, newest, require_whole
from tusk_platform.runtime.backups import Restored, back_up_due, backups_of, place_to_restore_from
from tusk_platform.runtime.backups import restore as restore_home
from tusk_platform.runtime.duties import ingest_stream
from tusk_platform.runtime.platform import Platform, open_platform
from tusk_platform.runtime.publishing import publish_events
from tusk_platform.storage.backups import Backups
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Handle, Lake
from tusk_platform.storage.lease import hold
from tusk_platform.storage.log import EventLog
from tusk_platform.units import MINUTE

ONCE = Until(once=True)
STATE = 'stream_processing = { state_backend = { checkpoint_dir = "safe" } }\n'


class Safe(Shop):
    """A shop that is backed up beside its config."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.write(self.config.read_text() + STATE)
        self.minutes = 0

    @property
    def home(self) -> Home:
        return Home(self.config.parent / ".tusk")

    @property
    def backups(self) -> Backups:
        found = backups_of(self.open().plan, self.home, self.config)
        assert found is not None
        return found

    def back_up(self, until: Until = ONCE, after: int = 10) -> BackupReport | None:
        self.minutes += after
        platform = self.open()
        now = START + 400 * 24 * 60 * MINUTE + self.minutes * MINUTE
        platform.clock = lambda: now
        return back_up_due(platform, until, command="test")

    def lose(self, *, log: bool = True) -> None:
        """Nothing is left of the state folder, or only the embedded logs."""
        self.close()
        self.opened.clear()
        if log:
            shutil.rmtree(self.home.root)
            return
        for path in self.home.root.iterdir():
            if path != self.home.log:
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def restore(self, chosen: str | None = None) -> Restored:
        return restore_home(Backups(str(self.config.parent / "safe")), self.home, chosen=chosen, command="test")

    def sold(self) -> list[dict[str, Any]]:
        return self.rows(
            "select _event_time as happened, shop, _batch, _offset, _watermark from raw.orders order by _offset"
        )


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Safe]:
    made = Safe(tmp_path)
    yield made
    made.close()


def published(platform: Platform, *events: dict[str, Any]) -> None:
    publish_events(platform, platform.plan.stream("orders"), [json.dumps(e).encode() for e in events])


def test_restored_lake_is_that_of_the_backup_and_reading_goes_on(shop: Safe) -> None:
    shop.sell(event(0), event(1))
    computed(shop.sell(event(2)))
    before = shop.sold(), shop.rows("select * from agg.sales order by 1")
    report = shop.back_up()
    shop.sell(event(3))
    shop.lose()
    done = shop.restore()

    assert report is not None
    assert done.manifest == report.manifest
    assert done.logs == {"orders": 3}
    assert (shop.sold(), shop.rows("select * from agg.sales order by 1")) == before
    shop.sell(event(4))
    assert [row["_offset"] for row in shop.sold()] == [0, 1, 2, 3]
    assert shop.open().lake.open("raw.orders").transaction("orders/0") == 4


def test_log_that_is_still_there_is_read_on(shop: Safe) -> None:
    shop.sell(event(0))
    shop.back_up()
    shop.sell(event(1), event(2))
    everything = shop.sold()
    shop.lose(log=False)
    shop.restore()
    shop.sell()

    def happened(rows: list[dict[str, Any]]) -> list[tuple[object, int]]:
        return [(row["happened"], row["_offset"]) for row in rows]

    assert happened(shop.sold()) == happened(everything)


def test_what_a_new_log_got_before_the_restore_is_not_skipped(shop: Safe) -> None:
    shop.sell(event(0), event(1), event(2))
    shop.back_up()
    shop.lose()
    log = EventLog(shop.home.log, "orders")
    log.append([json.dumps(event(n)).encode() for n in (7, 8)], arrival=START + 500 * 24 * 60 * MINUTE)
    log.close()
    shop.restore()
    shop.sell(event(9))

    assert [row["_offset"] for row in shop.sold()] == [0, 1, 2, 3, 4, 5]
    assert [row["happened"].minute for row in shop.sold()] == [0, 1, 2, 7, 8, 9]


def test_only_what_is_new_is_copied(shop: Safe) -> None:
    shop.sell(event(0))
    first = shop.back_up()
    idle = shop.back_up()
    early = shop.back_up(after=1)
    shop.sell(event(1))
    second = shop.back_up()

    assert first is not None
    assert idle is not None
    assert second is not None
    assert idle.nothing_new
    assert idle.manifest == first.manifest
    assert early is None
    # One data file, the entry of the log and the checkpoint.
    assert (second.tables, second.files_copied) == (1, 3)


def test_few_manifests_and_only_their_files_are_kept(shop: Safe) -> None:
    for number in range(KEPT + 4):
        platform = shop.sell(event(number))
        if number == KEPT:
            maintain(platform.plan, "raw.orders", platform.lake, clock=platform.clock, fewest=2)
        assert shop.back_up()
    backups = shop.backups
    own = backups.manifests()

    named = {path for m in own for path in backups.read(m).files}
    assert len(own) == KEPT
    assert backups.held(own[0].split("/")[0]).keys() == named
    shop.lose()
    assert shop.restore(own[0]).manifest == own[0]
    assert len(shop.sold()) == KEPT + 2


def test_backup_that_is_stopped_goes_on_and_is_seen_by_nobody(shop: Safe) -> None:
    shop.sell(event(0))
    looks = iter(range(100))
    stopped = shop.back_up(Until(stopping=lambda: next(looks) >= 3))
    assert shop.backups.manifests() == ()
    again = shop.back_up(after=0)

    assert stopped is not None
    assert again is not None
    assert (stopped.complete, stopped.files_copied) == (False, 3)
    assert again.complete
    everything = shop.backups.read(again.manifest or "").files
    assert again.files_copied == len(everything) - 3


class Busy(Lake):
    """A lake in which between any two looks a batch comes in and is refreshed."""

    def open(self, table: str) -> Handle:
        opened = super().open(table)
        raw, agg = Lake(self.root).open("raw.orders"), Lake(self.root).open("agg.sales")
        batch = (raw.transaction(transactions.batch("orders")) or 0) + 1
        raw.append(raw.schema.empty_table(), {transactions.batch("orders"): batch})
        agg.append(agg.schema.empty_table(), {transactions.refreshed("sales"): batch})
        return opened


def test_aggregate_never_knows_a_batch_that_raw_does_not_hold(shop: Safe) -> None:
    shop.sell(event(0))
    busy = Busy(shop.home.lake)
    pinned = pin(busy, lambda: START, applied=None, logs=())
    report = backup(pinned, shop.backups, Author("a"))
    lake = gather(shop.backups.read(report.manifest or ""), shop.backups, shop.home.restoring)

    assert report.complete
    order = [h.name for h in pinned.handles]
    assert order == ["quality", "agg.sales", "raw.orders", "raw.visits"]
    seen = lake.open("agg.sales").transaction(transactions.refreshed("sales")) or 0
    assert seen <= (lake.open("raw.orders").transaction(transactions.batch("orders")) or 0)


def test_log_of_what_was_received_begins_where_the_lake_stands(shop: Safe) -> None:
    shop.sell(event(0), event(1))
    EventLog(shop.home.log, "orders.mqtt").append([b"a", b"b", b"c"])
    shop.back_up()
    shop.lose()
    done = shop.restore()

    assert done.logs == {"orders": 2, "orders.mqtt": 2}
    assert EventLog(shop.home.log, "orders.mqtt").end() == 2


def test_rotated_file_is_read_on_after_a_restore(tmp_path: Path) -> None:
    shop, log = Safe(tmp_path), tmp_path / "app.ndjson"
    shop.change(('orders = { source = "http"', 'orders = { source = "file", path = "app.ndjson", live = true'))

    def write(*minutes: int) -> None:
        log.write_text("".join(f"{json.dumps(event(m))}\n" for m in minutes))

    def ingested() -> list[int]:
        platform = shop.open()
        ingest_stream(platform, platform.plan.stream("orders"), ONCE, command="test")
        return sorted(row["happened"].minute for row in shop.sold())

    write(0, 1, 2)
    ingested()
    shop.back_up()
    log.rename(tmp_path / "app.ndjson.1")
    write(3, 4, 5, 6)
    shop.lose()
    shop.restore()
    found = ingested()
    shop.close()

    assert found == [0, 1, 2, 3, 4, 5, 6]


# -- What may happen to a backup --------------------------------------------------------------------------------------


class Table:
    """One table that is backed up under the name ``p``."""

    SCHEMA = pa.schema([("x", pa.int64())])

    def __init__(self, folder: Path) -> None:
        self.lake, self.backups, self.folder = Lake(folder / "lake"), Backups(str(folder / "safe")), folder
        self.newest: str | None = None
        self.make(0)

    def make(self, x: int) -> None:
        self.lake.create("raw.t", self.SCHEMA)
        self.add(x)

    def add(self, x: int) -> None:
        self.lake.open("raw.t").append(pa.table({"x": [x]}, self.SCHEMA), {"x": x})

    def back_up(self, minute: int) -> str:
        pinned = pin(self.lake, lambda: START + minute * MINUTE, applied=None, logs=())
        self.newest = backup(pinned, self.backups, Author("p", None, self.newest)).manifest
        assert self.newest is not None
        return self.newest

    def restored(self, manifest: str) -> list[int]:
        found = self.backups.read(manifest)
        require_whole(found, self.backups)
        lake = gather(found, self.backups, self.folder / manifest.replace("/", "-"))
        return sorted(pa.table(lake.open("raw.t").delta.to_pyarrow_table())["x"].to_pylist())


def test_clock_that_was_put_back_hides_no_backup(tmp_path: Path) -> None:
    table = Table(tmp_path)
    for number, minute in enumerate((100, 110, 120, 10, 20), 1):
        table.add(number)
        made = table.back_up(minute)

    assert len(table.backups.manifests()) == KEPT
    assert newest(listed(table.backups), "safe").manifest == made
    assert table.restored(made) == [0, 1, 2, 3, 4, 5]


def test_place_that_was_emptied_gets_a_whole_backup(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.back_up(0)
    shutil.rmtree(tmp_path / "safe")

    assert table.restored(table.back_up(1)) == [0]


def test_table_that_was_made_again_is_another(tmp_path: Path) -> None:
    table = Table(tmp_path)
    before = table.back_up(0)
    table.lake.drop("raw.t")
    table.make(7)
    after = table.back_up(1)

    assert (table.restored(before), table.restored(after)) == ([0], [7])


def test_time_of_the_last_backup_that_is_still_to_come_is_none(shop: Safe) -> None:
    shop.sell(event(0))
    shop.back_up()
    shop.minutes -= 60
    again = shop.back_up(after=0)

    assert again is not None


# -- What is refused --------------------------------------------------------------------------------------------------


def test_tables_that_are_there_are_not_restored_over(shop: Safe) -> None:
    shop.sell(event(0))
    shop.back_up()
    before = shop.sold()
    with pytest.raises(Refused, match=r"holds 4 tables, .*mv .*/lake .*/lake.before"):
        shop.restore()

    assert shop.sold() == before


def test_processes_of_the_folder_must_be_stopped(shop: Safe) -> None:
    shop.sell(event(0))
    shop.back_up()
    shop.lose()
    with (
        hold(shop.home.leases, "ingest-orders", command="tusk ingest orders"),
        pytest.raises(Held, match="is in use: `ingest-orders` is held by `tusk ingest orders`"),
    ):
        shop.restore()


def test_missing_file_is_named_and_nothing_is_restored(shop: Safe) -> None:
    shop.sell(event(0))
    report = shop.back_up()
    assert report is not None
    gone = next(p for p in shop.backups.read(report.manifest or "").files if p.startswith("raw/orders/_status"))
    (shop.config.parent / "safe" / (report.manifest or "").split("/")[0] / "lake" / gone).unlink()
    shop.lose()
    with pytest.raises(Refused, match="is not whole: it lacks raw/orders/_status"):
        shop.restore()

    assert not shop.home.lake.exists()


def test_unfinished_restore_is_taken_for_no_lake(shop: Safe) -> None:
    shop.sell(event(0))
    shop.back_up()
    shop.lose()
    shop.home.restore_begun.parent.mkdir(parents=True)
    shop.home.restore_begun.write_text('"elsewhere/1"')
    with pytest.raises(Refused, match="begun and not finished: run `tusk restore` again"):
        open_platform(shop.config)
    shop.restore()

    assert len(shop.sold()) == 1


def test_platforms_that_know_nothing_of_each_other_are_not_mixed_up(shop: Safe) -> None:
    shop.sell(event(0))
    old = shop.back_up()
    shop.lose()
    shop.sell(event(1), event(2))
    new = shop.back_up()
    shop.lose()
    with pytest.raises(Refused, match="backups of 2 platforms"):
        shop.restore()
    assert old is not None
    assert new is not None
    shop.restore(old.manifest)
    assert len(shop.sold()) == 1


def test_platform_that_was_restored_goes_on_under_a_name_of_its_own(shop: Safe) -> None:
    shop.sell(event(0))
    old = shop.back_up()
    shop.lose()
    shop.restore()
    shop.sell(event(1))
    new = shop.back_up()
    shop.lose()

    assert old is not None
    assert new is not None
    assert (old.manifest or "").split("/")[0] != (new.manifest or "").split("/")[0]
    assert shop.restore().manifest == new.manifest


def test_without_a_place_there_is_no_backup(tmp_path: Path) -> None:
    plain = Shop(tmp_path)
    platform = plain.open()

    assert back_up_due(platform, Until(once=True), command="test") is None
    with pytest.raises(UsageError, match="tusk restore --from DIR"):
        place_to_restore_from(platform.plan, platform.home, plain.config, None)
    plain.close()


def test_another_place_gets_a_whole_backup_at_once(shop: Safe) -> None:
    shop.sell(event(0))
    first = shop.back_up()
    shop.change(('checkpoint_dir = "safe"', 'checkpoint_dir = "safer"'))
    second = shop.back_up(after=0)

    assert first is not None
    assert second is not None
    assert second.files_copied == first.files_copied
    assert [len(Backups(str(shop.config.parent / place)).manifests()) for place in ("safe", "safer")] == [1, 1]


# -- Where and how often ----------------------------------------------------------------------------------------------


def test_bucket_without_a_connection_is_a_folder_of_the_state(home: Home) -> None:
    bucket = 'stream_processing = { state_backend = { checkpoint_dir = "s3://analytics/checkpoints" } }'
    alone = compile_text(bucket, "platform.tsk").plan
    connected = compile_text(f'{bucket}\nconnections = {{ s3 = {{ endpoint = "http://127.0.0.1:9" }} }}', "p.tsk").plan

    assert [a.decision for a in alone.assumptions] == ["checkpoints go to the folder `checkpoints` in the state folder"]
    found = backups_of(alone, home, Path("platform.tsk"))
    assert found is not None
    assert found.address == str(home.checkpoints)
    there = backups_of(connected, home, Path("platform.tsk"))
    assert there is not None
    assert there.address == "s3://analytics/checkpoints"


@pytest.mark.parametrize(("said", "minutes"), [("30 seconds", 10), ("1 hour", 60)])
def test_backups_keep_to_the_checkpoint_interval_and_ten_minutes(said: str, minutes: int) -> None:
    plan = compile_text(f'stream_processing = {{ checkpoint_interval = "{said}" }}', "platform.tsk").plan

    assert plan.runtime.backup_every == minutes * MINUTE
