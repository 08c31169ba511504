"""What exactly once rests on: whatever two writers and maintenance do to one table, in whatever order."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tusk_platform.core import transactions
from tusk_platform.errors import Conflict
from tusk_platform.storage.compaction import compact
from tusk_platform.storage.handle import Handle
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.upkeep import checkpoint, trim_log

TABLE = "raw.events"
SCHEMA = pa.schema([("_offset", pa.int64()), ("_batch", pa.int64()), ("_status", pa.string())])
POSITION = transactions.position("events", "0")
BATCH = transactions.batch("events")
SETTINGS = settings(max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))


class Writer:
    """An ingest in miniature: reads the position once, goes on from there, and starts again after a Conflict."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.handle: Handle | None = None
        self.position = 0

    def write(self, count: int) -> bool:
        """Append the next events; whether they were accepted."""
        if self.handle is None:
            self.handle = self.lake.open(TABLE)
            self.position = self.handle.transaction(POSITION) or 0
        batch = (self.handle.transaction(BATCH) or 0) + 1
        after = self.position + count
        try:
            self.handle.append(events(self.position, after, batch), {POSITION: after, BATCH: batch})
        except Conflict:
            self.handle = None
            return False
        self.position = after
        return True


def events(start: int, end: int, batch: int) -> pa.Table:
    offsets = range(start, end)
    status = ["ok" if n % 7 else "quarantined" for n in offsets]
    return pa.table({"_offset": pa.array(offsets, pa.int64()), "_batch": [batch] * len(offsets), "_status": status})


def new_lake(folder: str | Path) -> Lake:
    lake = Lake(folder)
    lake.create(TABLE, SCHEMA, partition_by=("_status",), statistics=("_batch",))
    return lake


class TwoWriters(RuleBasedStateMachine):
    """Two writers that know nothing of each other; nothing is doubled or lost, and the position never goes back."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.lake = new_lake(self.folder.name)
        self.writers = (Writer(self.lake), Writer(self.lake))
        self.rewriter: Handle | None = None
        self.last: int | None = None
        self.expected = 0
        self.columns = 0

    @rule(who=st.integers(0, 1), count=st.integers(0, 9))
    def write(self, who: int, count: int) -> None:
        alone = self.last in {None, who} or self.writers[who].handle is None
        accepted = self.writers[who].write(count)
        # Refused exactly when the other one was accepted since this one last read the position.
        assert accepted == alone
        if accepted:
            self.last = who
            self.expected += count

    @rule()
    def compact(self) -> None:
        compact(self.lake, TABLE, fewest=2)

    @rule()
    def open_rewriter(self) -> None:
        self.rewriter = self.lake.open(TABLE)

    @rule()
    def merge_what_was_seen_before(self) -> None:
        files = [f for f in self.rewriter.files() if ("_status", "ok") in f.partition] if self.rewriter else []
        if self.rewriter and len(files) > 1:
            try:
                self.rewriter.merge(files)
            except Conflict:
                self.rewriter = None

    @rule(count=st.integers(1, 30))
    def others_use_the_table(self, count: int) -> None:
        handle = self.lake.open(TABLE)
        for n in range(count):
            handle.append(SCHEMA.empty_table(), {"somebody/else": n})

    @rule()
    def shorten_the_log(self) -> None:
        handle = self.lake.open(TABLE)
        checkpoint(handle)
        trim_log(handle, keep=0)

    @rule()
    def delete_nothing_in_particular(self) -> None:
        self.lake.open(TABLE).delete("_offset < 0", {})

    @rule()
    def rewrite_some_rows(self) -> None:
        handle = self.lake.open(TABLE)
        if self.expected:
            first = pa.table({"_offset": [0], "_batch": [0], "_status": ["quarantined"]})
            handle.replace(first, "_offset = 0", {})

    @rule()
    def add_a_column(self) -> None:
        self.columns += 1
        more = [pa.field(f"more_{n}", pa.int64()) for n in range(self.columns)]
        self.lake.create(TABLE, pa.schema([*SCHEMA, *more]), partition_by=("_status",))

    @invariant()
    def every_event_is_there_once(self) -> None:
        handle = self.lake.open(TABLE)
        assert (handle.transaction(POSITION) or 0) == self.expected
        offsets = handle.delta.to_pyarrow_table(columns=["_offset"])["_offset"].to_pylist()
        assert sorted(offsets) == list(range(self.expected))

    def teardown(self) -> None:
        self.folder.cleanup()


def test_two_writers_in_any_order_double_and_lose_nothing() -> None:
    run_state_machine_as_test(TwoWriters, settings=SETTINGS)


def test_writers_and_compaction_at_the_same_time_lose_and_double_nothing(tmp_path: Path) -> None:
    lake = new_lake(tmp_path)
    done = threading.Event()
    failures: list[BaseException] = []
    wins = [0, 0]

    def ingest(who: int) -> None:
        writer = Writer(lake)
        while wins[who] < 12:
            wins[who] += writer.write(3)

    def maintain() -> None:
        while not done.is_set():
            compact(lake, TABLE, fewest=2)
            lake.open(TABLE).delete("_offset < 0", {})

    def recording(work: threading.Thread | None, *arguments: int) -> None:
        del work
        try:
            ingest(*arguments) if arguments else maintain()
        except BaseException as error:  # noqa: BLE001 - handed to the test's own thread
            failures.append(error)

    keepers = [threading.Thread(target=recording, args=(None,)) for _ in range(2)]
    writers = [threading.Thread(target=recording, args=(None, who)) for who in (0, 1)]
    for thread in (*keepers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in keepers:
        thread.join()

    assert failures == []
    offsets = lake.open(TABLE).delta.to_pyarrow_table()["_offset"].to_pylist()
    assert sorted(offsets) == list(range(72))
    assert lake.open(TABLE).transaction(POSITION) == 72


@pytest.mark.parametrize("position", [0, 3, 9, 2**62])
def test_position_is_what_was_written_last_whatever_its_size(tmp_path: Path, position: int) -> None:
    lake = new_lake(tmp_path)
    handle = lake.open(TABLE)
    for version in (5, position):
        handle.append(SCHEMA.empty_table(), {POSITION: version})

    assert lake.open(TABLE).transaction(POSITION) == position
