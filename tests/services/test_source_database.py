"""The database source against a real PostgreSQL: what rows can hold, and what can happen to a table and its server."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import psycopg
import pytest

from tests.fakes.streams import a_stream
from tests.services.postgres import Server
from tusk_platform.adapters import database, database_cdc, database_polling, database_slot
from tusk_platform.adapters.change_log import ChangeLog
from tusk_platform.adapters.log_reader import Receiver
from tusk_platform.adapters.source_database import adapter
from tusk_platform.core.decode import decode
from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.plan.nodes import RETRACTIONS, Column, Stream
from tusk_platform.ports import Batch, Budget, Source, SourceContext

pytestmark = pytest.mark.service("postgres")

PATIENCE = 20.0
CDC: dict[str, Any] = {"cdc_enabled": True}
POLLED: dict[str, Any] = {"poll_interval": "10 ms"}
# op, key, row
Told = tuple[str, Any, dict[str, Any]]


class Followed:
    """A table of the test's own and the source that follows it; what was read so far stays with it."""

    def __init__(
        self, server: Server, folder: Path, columns: str = "id int primary key, v text", **options: object
    ) -> None:
        self.server = server
        self.table = f"t_{uuid.uuid4().hex}"
        self.run(f"create table $t ({columns})")
        self.run("alter table $t replica identity full")
        self.options = adapter.check_options({"table": self.table, **options})
        self.context = SourceContext(connection=server.connection, log_folder=folder)
        self.position: dict[str, int] = {}
        self.told: list[Told] = []
        self.lsns: list[int] = []
        self.source = self.opened()

    @property
    def stream(self) -> Stream:
        """The stream as a plan would have it."""
        return a_stream(source="database", options=self.options, changes=adapter.stated(self.options).changes)

    def opened(self) -> Source:
        """The source as a new process has it."""
        return adapter.open(self.stream, self.context)

    def reopen(self) -> None:
        """What a new process does."""
        self.source.close()
        self.source = self.opened()

    def run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """A statement about the table, ``$t`` is its name."""
        return self.server.execute(sql.replace("$t", self.table), *values)

    def read(self, rows: int = 1000) -> Batch:
        """The next batch."""
        batch = self.source.read(self.position, Budget(rows, 0.3))
        for chunk in batch.chunks:
            self.position[chunk.partition] = chunk.next_offset
            rows_ = [orjson.loads(p) for p in chunk.payloads or () if p is not None]
            if chunk.changes is None:
                self.told += [("event", None, row) for row in rows_]
                continue
            keys = map(orjson.loads, chunk.changes.keys)
            self.told += zip(chunk.changes.ops, keys, rows_, strict=True)
            self.lsns += chunk.changes.lsns
        return batch

    def drain(self, *, rows: int = 1000) -> list[Told]:
        """Read to the end, with the commits that a lake would make; what is new."""
        before = len(self.told)
        deadline = time.monotonic() + PATIENCE
        while not self.read(rows).at_end:
            assert time.monotonic() < deadline, "no end"
            self.source.acknowledge(self.position)
        self.source.acknowledge(self.position)
        return self.told[before:]

    def rows(self) -> list[dict[str, Any]]:
        """The newest image of each row that was not deleted, in the order of keys."""
        newest: dict[str, Told] = {}
        for told in self.told:
            newest[orjson.dumps(told[1]).decode()] = told
        return [row for _, (op, _, row) in sorted(newest.items()) if op not in RETRACTIONS]

    def there(self, columns: str = "id, v", order: str = "id") -> list[dict[str, Any]]:
        """The rows of the table."""
        found = self.run(f"select {columns} from $t order by {order}")
        return [dict(zip(columns.split(", "), row, strict=True)) for row in found]

    def told_of(self, key: int) -> list[tuple[str, Any]]:
        """Operations and values of ``v`` of one row."""
        return [(op, row.get("v")) for op, k, row in self.told if k == [key]]

    def slot(self) -> str:
        """Its slot."""
        state = ChangeLog(self.context.log_folder, "orders").state()
        assert state is not None
        return str(state["slot"])


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows in the order of their ids."""
    return sorted(rows, key=lambda row: row["id"])


Follow = Callable[..., Followed]


@pytest.fixture
def followed(postgres: Server, tmp_path: Path) -> Iterator[Follow]:
    """What makes tables to follow; their slots go with the test."""
    made: list[Followed] = []

    def make(columns: str = "id int primary key, v text", **options: object) -> Followed:
        made.append(Followed(postgres, tmp_path, columns, **options))
        return made[-1]

    yield make
    for table in made:
        table.source.close()
    drop_slots(postgres)


def drop_slots(server: Server) -> None:
    """Remove every slot nobody reads."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.execute("select 1 from pg_replication_slots"):
        try:
            server.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active")
        except psycopg.errors.ObjectInUse:
            continue


@pytest.mark.parametrize(
    ("cdc_enabled", "change_detection", "ops"),
    [
        (True, True, ["update_preimage", "update_postimage"]),
        (True, False, []),
        (False, True, ["update_preimage", "update_postimage"]),
        (False, False, ["update_preimage", "snapshot", "snapshot"]),
    ],
)
def test_keys_say_which_table_and_how_it_is_followed(
    followed: Follow,
    cdc_enabled: bool,  # noqa: FBT001 - a value of the config
    change_detection: bool,  # noqa: FBT001 - as above
    ops: list[str],
) -> None:
    asked = {} if cdc_enabled else POLLED
    table = followed(cdc_enabled=cdc_enabled, change_detection=change_detection, **asked)
    table.run("insert into $t values (1, 'a'), (2, 'b')")
    table.drain()
    table.run("update $t set v = 'A' where id = 1")
    time.sleep(0.02)

    assert [op for op, _, _ in table.drain()] == ops
    slots = table.server.execute("select count(*) from pg_replication_slots where slot_name like 'tusk_orders%'")
    assert slots == [(int(cdc_enabled),)]
    assert (table.stream.changes, table.stream.options["table"]) == (bool(ops), table.table)


def test_snapshot_then_every_change_in_order(followed: Follow) -> None:
    table = followed(**CDC)
    table.run("insert into $t values (1, 'a'), (2, 'b'), (3, 'c')")

    first = table.drain()
    table.run("insert into $t values (4, 'd')")
    table.run("update $t set v = 'B' where id = 2")
    table.run("delete from $t where id = 3")
    table.run("update $t set id = 9 where id = 1")
    then = table.drain()

    assert first == [("snapshot", [n], {"id": n, "v": v}) for n, v in ((1, "a"), (2, "b"), (3, "c"))]
    assert then == [
        ("insert", [4], {"id": 4, "v": "d"}),
        ("update_preimage", [2], {"id": 2, "v": "b"}),
        ("update_postimage", [2], {"id": 2, "v": "B"}),
        ("delete", [3], {"id": 3, "v": "c"}),
        ("update_preimage", [1], {"id": 1, "v": "a"}),
        ("update_postimage", [9], {"id": 9, "v": "a"}),
    ]
    assert table.lsns == sorted(table.lsns)
    assert by_id(table.rows()) == table.there()


@pytest.mark.parametrize("options", [CDC, POLLED, {**POLLED, "cursor": "seq"}], ids=["cdc", "hash", "cursor"])
def test_every_type_comes_as_it_is(followed: Follow, options: dict[str, Any]) -> None:
    table = followed(
        "id bigint primary key, b boolean, n numeric, f float8, r real, t timestamp, z timestamptz, d date, u uuid, "
        "j json, jb jsonb, a int[], x bytea, s text, i interval, e numeric(30, 10), seq serial",
        **options,
    )
    row = """true, 12345678901234567890.123456789, 0.1, 'NaN', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56+05:30',
        '2024-02-29', '12345678-1234-1234-1234-123456789abc', '{"k": 1.50}', '[1, "x"]', '{1,2}', '\\x00ff',
        E'tab\\t \\\\ "q" ü \\n', '1 day 02:00:00', 0.1"""
    insert = f"insert into $t (id, b, n, f, r, t, z, d, u, j, jb, a, x, s, i, e) values (%s, {row})"
    table.run(insert, 1)
    table.drain()
    table.run(insert, 2)
    table.run("insert into $t (id, seq) values (3, 99)")

    table.drain()
    payloads = [p for c in table.opened().read({}, Budget(100, 0)).chunks for p in c.payloads or ()]

    one, two, nulls = by_id(table.rows())
    assert {k: v for k, v in two.items() if k not in {"id", "seq"}} == {
        k: v for k, v in one.items() if k not in {"id", "seq"}
    }
    assert one == {
        "id": 1, "b": True, "n": "12345678901234567890.123456789", "f": 0.1, "r": "NaN",
        "t": "2024-02-29T12:34:56.789", "z": "2024-02-29T07:04:56Z", "d": "2024-02-29",
        "u": "12345678-1234-1234-1234-123456789abc", "j": '{"k": 1.50}', "jb": '[1, "x"]', "a": "{1,2}",
        "x": "\\x00ff", "s": 'tab\t \\ "q" ü \n', "i": "P1DT2H", "e": pytest.approx(0.1), "seq": 1,
    }  # fmt: skip
    assert b'"e":0.1000000000' in (payloads[0] or b"")
    assert set(nulls.values()) == {3, 99, None}


def test_decimals_are_exact_in_the_lake(followed: Follow) -> None:
    table = followed("id int primary key, at timestamptz, amount numeric(14, 4), extra numeric", **CDC)
    table.run("insert into $t values (1, now(), 9999999999.9999, 0.30000000000000000001), (2, now(), -0.0001, 'NaN')")
    table.drain()
    stream = a_stream(
        columns=(Column("at", "timestamp"), Column("amount", "decimal")), event_time="at", rules=(), dedup_key=(),
        changes=True,
    )  # fmt: skip

    decoded = decode(stream, table.opened().read({}, Budget(100, 0)), time.time_ns() // 1000)

    assert [str(v) for v in decoded.rows["amount"].to_pylist()] == ["9999999999.9999", "-0.0001"]
    assert decoded.rows["_extra"].to_pylist() == [
        '{"id":1,"extra":"0.30000000000000000001"}', '{"id":2,"extra":"NaN"}'
    ]  # fmt: skip
    assert decoded.rows["_key"].to_pylist() == ["[1]", "[2]"]
    assert decoded.quarantined == 0


def test_large_values_that_did_not_change_stay(followed: Follow) -> None:
    table = followed("id int primary key, v text, n int", **CDC)
    large = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=100_000))
    table.run("insert into $t values (1, %s, 0)", large)
    table.drain()

    table.run("update $t set n = n + 1")
    table.drain()

    assert table.rows() == [{"id": 1, "v": large, "n": 1}]


def test_keys_of_several_columns_and_odd_names(followed: Follow) -> None:
    table = followed('"Group" text, "order" int, v text, primary key ("order", "Group")', **CDC)
    table.run("""insert into $t values ('a"b', 1, 'x'), ('a,b', 1, 'y')""")
    table.drain()
    table.run("""update $t set "order" = 2 where v = 'x'""")
    table.run("delete from $t where v = 'y'")
    table.drain()

    assert table.rows() == [{"Group": 'a"b', "order": 2, "v": "x"}]
    assert {tuple(k) for _, k, _ in table.told} == {(1, 'a"b'), (1, "a,b"), (2, 'a"b')}


def test_truncate_deletes_every_row(followed: Follow) -> None:
    table = followed(**CDC)
    table.run("insert into $t select n, 'v' from generate_series(1, 50) as n")
    table.drain()
    with psycopg.connect(table.server.url) as connection:
        connection.execute(f"insert into {table.table} values (100, 'before')")
        connection.execute(f"truncate {table.table}")
        connection.execute(f"insert into {table.table} values (7, 'after')")

    told = table.drain()

    assert [op for op, _, _ in told] == ["insert", *["delete"] * 51, "insert"]
    assert table.rows() == [{"id": 7, "v": "after"}]


def test_rolled_back_work_is_not_told(followed: Follow) -> None:
    table = followed(**CDC)
    table.drain()
    with psycopg.connect(table.server.url) as connection:
        connection.execute(f"insert into {table.table} values (1, 'kept')")
        with connection.transaction(force_rollback=True):
            connection.execute(f"insert into {table.table} values (2, 'not')")
    with psycopg.connect(table.server.url) as connection:
        connection.execute(f"insert into {table.table} values (3, 'not')")
        connection.rollback()

    assert table.drain() == [("insert", [1], {"id": 1, "v": "kept"})]


def test_transaction_larger_than_a_batch_goes_on_after_a_restart(
    followed: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_cdc, "AT_ONCE", 70)
    table = followed(**CDC)
    table.drain()
    table.run("insert into $t select n, 'v' from generate_series(1, 1000) as n")
    table.run("update $t set v = 'w' where id = 5")

    while len(table.told) < 1000:
        table.read(rows=50)
        if len(table.told) % 150 == 0:
            table.reopen()
    table.drain()

    assert [k for op, k, _ in table.told if op == "insert"] == [[n] for n in range(1, 1001)]
    assert table.told_of(5) == [("insert", "v"), ("update_preimage", "v"), ("update_postimage", "w")]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "options", [CDC, POLLED, {**POLLED, "cursor": "seq", "overlap": "1 hour"}], ids=["cdc", "hash", "cursor"]
)
def test_restarts_at_any_point_lose_and_repeat_nothing(
    followed: Follow, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], seed: int
) -> None:
    monkeypatch.setattr(database_cdc, "AT_ONCE", 7)
    monkeypatch.setattr(database_polling, "AT_ONCE", 7)
    table = followed("id int primary key, v text, seq serial", **options)
    chance = random.Random(seed)
    deletes = options.get("cursor") is None
    table.run("insert into $t select n, 'first' from generate_series(1, 40) as n")
    for step in range(60):
        for _ in range(chance.randrange(4)):
            n, m = chance.randrange(60), chance.randrange(60)
            table.run(f"insert into $t values ({n}, 'i{step}') on conflict (id) do update set v = 'u{step}', "
                      f"seq = excluded.seq")  # fmt: skip
            if deletes:
                table.run(f"delete from $t where id = {m}")
                table.run(f"update $t set id = {m} where id = {n} and not exists (select from $t where id = {m})")
        if chance.random() < 0.3:
            table.reopen()
        elif chance.random() < 0.7:
            table.read(rows=chance.randrange(1, 20))
        if chance.random() < 0.3:
            table.source.acknowledge(table.position)
    table.reopen()
    table.drain()

    assert by_id(table.rows()) == table.there("id, v, seq")
    live: dict[int, Any] = {}
    for op, [key], row in table.told:
        # Whatever is taken back is what was last told of the row, and nothing is told twice.
        if op in RETRACTIONS:
            assert live.pop(key) == row
        else:
            assert key not in live
            live[key] = row


def test_snapshot_while_others_write(followed: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_cdc, "AT_ONCE", 20)
    table = followed(**CDC)
    table.run("insert into $t select n, 'v' from generate_series(1, 500) as n")
    chance = random.Random(3)

    while table.source.lag(table.position) != 0:
        n, m = chance.randrange(1, 600), chance.randrange(1, 600)
        if len(table.told) < 2000:
            table.run(f"update $t set id = {m} where id = {n} and not exists (select from $t where id = {m})")
            table.run(f"update $t set v = 'w{m}' where id = {n}")
            table.run(f"delete from $t where id = {chance.randrange(1, 600)}")
        table.read(rows=5)
    table.drain()

    assert by_id(table.rows()) == table.there()


def test_inserts_only_are_events(followed: Follow) -> None:
    table = followed(**CDC, change_detection=False)
    table.run("insert into $t values (1, 'a'), (2, 'b')")
    table.drain()
    table.run("update $t set v = 'B' where id = 2")
    table.run("delete from $t where id = 1")
    table.run("insert into $t values (1, 'again')")
    table.drain()

    assert [(op, row["v"]) for op, _, row in table.told] == [("event", "a"), ("event", "b"), ("event", "again")]
    assert not table.stream.changes


def test_new_columns_come_along(followed: Follow) -> None:
    table = followed(**CDC)
    table.run("insert into $t values (1, 'a')")
    table.drain()
    table.run("alter table $t add column more int default 5")
    table.run("insert into $t values (2, 'b', 6)")
    table.run("alter table $t drop column v")
    table.run("update $t set more = 7 where id = 1")

    table.drain()

    assert by_id(table.rows()) == [{"id": 1, "more": 7}, {"id": 2, "v": "b", "more": 6}]


def test_server_is_killed_meanwhile(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = Server(Path(folder))
        server.start()
        table = Followed(server, tmp_path, **CDC)
        table.run("insert into $t select n, 'v' from generate_series(1, 100) as n")
        table.read(rows=10)
        table.run("update $t set v = 'w' where id <= 50")
        server.kill()

        with pytest.raises(Unavailable, match=f"127.0.0.1:{server.port}/postgres does not answer"):
            table.drain()
        server.start()
        table.drain()
        table.run("delete from $t where id > 20")
        table.drain()

        assert by_id(table.rows()) == table.there()
        table.source.close()
        server.stop()


def test_lost_slot_begins_anew_and_takes_back_what_is_gone(followed: Follow, caplog: pytest.LogCaptureFixture) -> None:
    table = followed(**CDC)
    table.run("insert into $t values (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')")
    table.drain()
    table.source.close()
    table.server.execute("select pg_drop_replication_slot(%s)", table.slot())
    table.run("delete from $t where id = 1")
    table.run("update $t set v = 'B' where id = 2")
    table.run("insert into $t values (5, 'e')")

    [said] = adapter.inspect(table.stream, table.context)
    told = table.drain()

    assert "is gone: the next ingest makes another and reads the whole table anew" in said
    assert "is gone; a new slot is made and the table is read anew" in caplog.text
    assert told == [
        ("update_preimage", [2], {"id": 2, "v": "b"}),
        ("update_postimage", [2], {"id": 2, "v": "B"}),
        ("snapshot", [5], {"id": 5, "v": "e"}),
        ("delete", [1], {"id": 1, "v": "a"}),
    ]
    assert by_id(table.rows()) == table.there()


def test_slot_that_others_read_is_not_trusted(followed: Follow, caplog: pytest.LogCaptureFixture) -> None:
    table = followed(**CDC)
    table.run("insert into $t values (1, 'a')")
    table.drain()
    table.source.close()
    table.run("delete from $t where id = 1")
    now = table.server.execute("select pg_current_wal_lsn()::text")[0][0]
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            table.server.execute("select pg_replication_slot_advance(%s, %s)", table.slot(), now)
            break
        except psycopg.errors.ObjectInUse:
            continue

    table.drain()

    assert "was read by somebody else, or our log is an old copy" in caplog.text
    assert table.rows() == []


def test_what_the_lake_holds_is_confirmed_and_no_more(followed: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_cdc, "_CONFIRM_EVERY", 0.0)
    table = followed(**CDC)
    table.drain()
    confirmed = "select (confirmed_flush_lsn - '0/0')::bigint from pg_replication_slots where slot_name = %s"

    def after(read: bool) -> int:  # noqa: FBT001 - says what it does
        table.run("insert into $t select coalesce(max(id), 0) + 1, 'v' from $t")
        table.read() if read else table.drain()
        table.source.read(table.position, Budget(10, 0.1))
        time.sleep(0.1)
        return int(table.server.execute(confirmed, table.slot())[0][0])

    read_only = after(read=True)
    still = after(read=True)
    kept = after(read=False)

    assert read_only == still < kept
    # An idle table of a busy server holds nothing either.
    table.server.execute("create table if not exists other (n int)")
    table.server.execute("insert into other select generate_series(1, 1000)")
    busy = int(table.server.execute("select (pg_current_wal_lsn() - '0/0')::bigint")[0][0])
    deadline = time.monotonic() + PATIENCE
    while int(table.server.execute(confirmed, table.slot())[0][0]) < busy - 1000:
        assert time.monotonic() < deadline
        table.read()
    table.reopen()
    assert table.drain() == []


def test_slot_beyond_its_bounds_is_told(followed: Follow, caplog: pytest.LogCaptureFixture) -> None:
    table = followed(**CDC, slot_max_bytes="1MB", slot_max_age="1 ms")
    table.drain()
    assert adapter.stated(table.options).changes
    table.source.close()
    table.run("insert into $t select n, repeat('x', 1000) from generate_series(1, 3000) as n")

    told = adapter.inspect(table.stream, table.context)
    table.drain()

    assert len(told) == 2
    assert "of its log, more than slot_max_bytes = 1 MB: run ingest, so that it catches up" in told[0]
    assert f"select pg_drop_replication_slot('{table.slot()}')" in told[0]
    assert "was not read from for" in told[1]
    assert all(sentence.startswith(f"slot `{table.slot()}`") for sentence in told)


def test_late_commit_is_found_with_a_cursor(followed: Follow) -> None:
    table = followed("id int primary key, v text, seq serial", **POLLED, cursor="seq", overlap="1 ms")
    table.run("insert into $t values (1, 'a')")
    table.drain()
    with psycopg.connect(table.server.url) as late:
        late.execute(f"insert into {table.table} values (2, 'late')")
        for n in range(10, 15):
            table.run(f"insert into $t values ({n}, 'on time')")
            time.sleep(0.02)
            table.drain()
        assert [2] not in [k for _, k, _ in table.told]
    time.sleep(0.02)
    table.drain()

    assert [row["id"] for row in by_id(table.rows())] == [1, 2, 10, 11, 12, 13, 14]
    assert table.told_of(2) == [("insert", "late")]
    for _ in range(3):
        time.sleep(0.02)
        assert table.drain() == []
    state = ChangeLog(table.context.log_folder, "orders").state()
    assert state is not None
    assert state["floor"] == "7", "what everybody has ended is not asked for again"


@pytest.mark.parametrize("options", [CDC, {**CDC, "change_detection": False}, POLLED], ids=["cdc", "inserts", "hash"])
def test_lake_that_begins_anew_gets_the_whole_table(followed: Follow, options: dict[str, Any]) -> None:
    table = followed(**options)
    table.run("insert into $t values (1, 'a'), (2, 'b'), (3, 'c')")
    table.drain()
    table.run("delete from $t where id = 2")
    table.drain()
    ChangeLog(table.context.log_folder, "orders").log.trim(time.time_ns() // 1000)

    table.position, table.told = {}, []
    table.reopen()
    table.drain()

    assert [row for _, _, row in table.told] == table.there()


def test_whole_table_each_time(followed: Follow) -> None:
    table = followed(**POLLED, change_detection=False)
    table.run("insert into $t values (1, 'a'), (2, 'b'), (3, 'c')")
    table.drain()
    table.run("update $t set v = 'B' where id = 2")
    table.run("delete from $t where id = 3")
    time.sleep(0.02)

    told = table.drain()

    assert told == [
        ("snapshot", [1], {"id": 1, "v": "a"}),
        ("update_preimage", [2], {"id": 2, "v": "b"}),
        ("snapshot", [2], {"id": 2, "v": "B"}),
        ("delete", [3], {"id": 3, "v": "c"}),
    ]


def test_what_is_missing_is_told_with_the_sql(followed: Follow) -> None:
    table = followed(**CDC)
    table.run("alter table $t replica identity default")

    with pytest.raises(UsageError, match=f"`alter table public.{table.table} replica identity full`"):
        adapter.inspect(table.stream, table.context)
    table.run("alter table $t drop constraint $t_pkey")
    with pytest.raises(UsageError, match="has no primary key"):
        table.drain()
    table.run("drop table $t")
    with pytest.raises(UsageError, match=f"there is no table `{table.table}`"):
        table.drain()


def test_refusals_are_plain_and_hold_no_secret(followed: Follow, tmp_path: Path) -> None:
    table = followed(**CDC)
    server = table.server
    role = f"r_{uuid.uuid4().hex[:8]}"
    server.execute(f"create role {role} login password 'marker-4711'")

    def said(url: str, **connection: str) -> str:
        context = SourceContext(connection={"url": url, **connection}, log_folder=tmp_path / uuid.uuid4().hex)
        with pytest.raises((UsageError, Unavailable)) as caught:
            adapter.open(table.stream, context).read({}, Budget(10, 0.1))
        assert "marker" not in str(caught.value)
        assert "\n" not in str(caught.value)
        return f"{type(caught.value).__name__}: {caught.value}"

    def at(who: str, port: int = server.port, database: str = "postgres") -> str:
        return f"postgresql://{who}@127.0.0.1:{port}/{database}"

    assert said(at("x:marker%zz")) == "UsageError: `connections.database`: `url` is not an address of PostgreSQL"
    assert "does not answer: " in said(at("postgres:marker-1", port=1))
    assert said(at("nobody:marker-2")).endswith('refuses: role "nobody" does not exist')
    assert 'refuses: database "none" does not exist' in said(at("postgres", database="none"))
    assert "permission denied" in said(at(role), password="marker-4711")
    server.execute(f"grant select on {table.table} to {role}")
    assert "The owner of the table can: `create publication tusk_public_" in said(at(role))
    server.execute(
        f"create publication tusk_public_{table.table} for table {table.table} with "
        f"(publish = 'insert, update, delete, truncate')"
    )
    assert "It takes `alter role ... replication`" in said(at(role))
    server.execute(f"alter role {role} replication")
    context = SourceContext(connection={"url": at(role)}, log_folder=tmp_path / "granted")
    table.run("insert into $t values (1, 'a')")
    granted = adapter.open(table.stream, context)
    assert granted.read({}, Budget(10, 2)).rows == 1
    granted.close()


def test_server_without_logical_replication_is_named(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = Server(Path(folder), "wal_level = replica\n")
        server.start()
        table = Followed(server, tmp_path, **CDC)

        with pytest.raises(UsageError, match=r"wal_level = replica.*cdc_enabled = false"):
            table.drain()
        server.stop()


def test_two_processes_read_in_turn(followed: Follow) -> None:
    table = followed(**CDC)
    table.run("insert into $t values (1, 'a')")
    table.drain()
    one = table.source

    with closing(table.opened()) as other:
        for n in range(4):
            # The server sends the first of them to who read last, too.
            table.run(f"update $t set v = '{n}'")
            table.source = one if n % 2 else other
            table.run(f"update $t set v = '{n} again'")
            assert [(op, row["v"]) for op, _, row in table.drain()][1::2] == [
                ("update_postimage", f"{n}"), ("update_postimage", f"{n} again"),
            ]  # fmt: skip
        table.source = one


def test_slot_that_somebody_else_reads_is_left_to_them(followed: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    table = followed(**CDC)
    table.drain()
    table.run("insert into $t values (1, 'a')")
    monkeypatch.setattr(database_slot, "APPLICATION", "another")

    with closing(table.opened()) as other, pytest.raises(Unavailable, match="cannot be read just now"):
        other.read({}, Budget(10, 0.2))

    assert [op for op, _, _ in table.drain()] == ["insert"]


@pytest.mark.parametrize("way", ["hash", "replication"])
def test_processes_that_take_turns_within_a_pass_tell_no_false_delete(
    followed: Follow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    table = followed()
    table.run("insert into $t select n, 'a' from generate_series(10, 50, 10) as n")
    monkeypatch.setattr(database_polling, "AT_ONCE", 2)
    monkeypatch.setattr(database_cdc, "AT_ONCE", 2)
    logs = [ChangeLog(tmp_path, "orders") for _ in range(2)]
    one, other = (receiver(table, log, way) for log in logs)
    through(one)
    one.close()
    drop_slots(table.server)  # so that replication looks through the table, too

    assert not one.receive(0.3)
    table.run("insert into $t values (5, 'new')")
    through(other)
    through(one)
    for receiving, log in zip((one, other), logs, strict=True):
        receiving.close()
        log.log.close()

    told = [orjson.loads(payload) for _, _, payload in logs[0].log.read(0, 100)]
    logs[0].log.close()
    assert [t["row"]["id"] for t in told if t["op"] == "delete"] == []
    assert {t["row"]["id"] for t in told} == {5, 10, 20, 30, 40, 50}


def receiver(table: Followed, log: ChangeLog, way: str) -> Receiver:
    """What a process has to follow the table with."""
    if way == "hash":
        return database_polling.PollingReceiver("orders", table.context, log, table=table.table, way="hash", interval=0)
    bounds = database_cdc.Bounds(10**9, 10**12)
    return database_cdc.ReplicationReceiver("orders", table.context, log, table=table.table, bounds=bounds, whole=True)


def through(receiving: Receiver) -> None:
    """Once to the end of the table, or of its changes."""
    deadline = time.monotonic() + PATIENCE
    while not receiving.receive(0.3):
        assert time.monotonic() < deadline, "no end"


@pytest.mark.parametrize("options", [CDC, POLLED], ids=["replication", "polling"])
def test_server_that_says_nothing_any_more_is_given_up(
    followed: Follow, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    table = followed(**options)
    table.drain()
    monkeypatch.setattr(database, "ORDINARY", 0.5)
    monkeypatch.setattr(database, "_ANSWER", 2)

    with table.server.stalled():
        with pytest.raises(Unavailable, match=r"does not answer: no answer within 0\.5 seconds"):
            table.source.read(table.position, Budget(10, 0.1))
        with pytest.raises(Unavailable, match="does not answer"):
            adapter.inspect(table.stream, table.context)
    table.run("insert into $t values (1, 'a')")

    assert table.drain()[-1][2] == {"id": 1, "v": "a"}


def test_concurrent_writers_end_in_one_truth(followed: Follow) -> None:
    table = followed("id int primary key, v text", **CDC)
    stopping = threading.Event()

    def write(number: int) -> None:
        chance = random.Random(number)
        with psycopg.connect(table.server.url, autocommit=True) as connection:
            while not stopping.is_set():
                n = chance.randrange(50)
                connection.execute(
                    f"insert into {table.table} values ({n}, '{number}') on conflict (id) do update set v = excluded.v"
                    if chance.random() < 0.7
                    else f"delete from {table.table} where id = {n}"
                )

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        table.read(rows=200)
        table.source.acknowledge(table.position)
    stopping.set()
    for thread in threads:
        thread.join()
    table.drain()

    assert by_id(table.rows()) == table.there()
