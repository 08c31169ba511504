"""A table under load, followed into a real lake while the server and the platform are killed: the lake is the table."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from tests.e2e.tusk import Tusk
from tests.services.postgres import Server
from tusk_platform.compile import load_plan
from tusk_platform.core import transactions
from tusk_platform.storage.duck import query
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake

pytestmark = pytest.mark.service("postgres")

# How long writers write: SECONDS=60 for a long look.
SECONDS = float(os.environ.get("SECONDS", "6"))
CONFIG = """\
connections = {{ database = {{ url = "{url}" }} }}
real_time_analytics = {{ data_streams = {{ orders = {{
    source = "database"
    table = "{table}"
    {mode}
    event_time = "at"
    schema = {{
        id = "integer", part = "string", at = "timestamp", amount = "decimal", paid = "boolean", note = "string"
    }}
}} }} }}
"""
COLUMNS = 'id, part, "at", amount, paid, note'


class Writer(threading.Thread):
    """One connection that inserts, updates, deletes and moves rows, in transactions of every kind."""

    def __init__(self, url: str, table: str, number: int, stopping: threading.Event) -> None:
        super().__init__()
        self.done = 0
        self._url = url
        self._table = table
        self._random = random.Random(number)
        self._stopping = stopping

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True) as connection:
                    while not self._stopping.is_set():
                        self._transaction(connection)
            except psycopg.Error:
                time.sleep(0.05)  # the server is away

    def _transaction(self, connection: psycopg.Connection[Any]) -> None:
        steps = self._random.choice([1, 1, 1, 2, 5, 40])
        with connection.transaction(force_rollback=self._random.random() < 0.1):
            for _ in range(steps):
                try:
                    with connection.transaction():
                        self._step(connection)
                    self.done += 1
                except (psycopg.errors.UniqueViolation, psycopg.errors.DeadlockDetected):
                    continue

    def _step(self, connection: psycopg.Connection[Any]) -> None:
        r = self._random
        key = {"id": r.randrange(400), "part": r.choice("ab")}
        values = key | {
            "to": r.randrange(400), "amount": f"{r.randrange(10**6)}.{r.randrange(10**4):04}",
            "note": r.choice([None, "", "ü\\\t\n\"'", os.urandom(4000).hex() if r.random() < 0.1 else "short"]),
            "paid": r.choice([True, False, None]), "ago": r.randrange(10**6),
        }  # fmt: skip
        moved = "now() - %(ago)s * interval '1 ms'"
        upsert = (
            f"insert into {self._table} values (%(id)s, %(part)s, now(), %(amount)s) "
            "on conflict (id, part) do update set amount = excluded.amount, at = excluded.at"
        )
        statements = (
            f"insert into {self._table} values (%(id)s, %(part)s, {moved}, %(amount)s, %(paid)s, %(note)s)",
            f"update {self._table} set amount = %(amount)s where id = %(id)s and part = %(part)s",
            f"update {self._table} set at = {moved}, note = %(note)s, paid = %(paid)s where id = %(id)s",
            f"update {self._table} set id = %(to)s where id = %(id)s and part = %(part)s",
            f"delete from {self._table} where id = %(id)s",
            upsert,
        )  # fmt: skip
        connection.execute(r.choice(statements), values)


@contextmanager
def writers(url: str, table: str, count: int) -> Iterator[list[Writer]]:
    """So many connections that write until the block is left."""
    stopping = threading.Event()
    threads = [Writer(url, table, n, stopping) for n in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this module's own, because it is killed."""
    with TemporaryDirectory(prefix="postgres-") as folder:
        server = Server(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    "mode",
    ["cdc_enabled = true", 'poll_interval = "200 ms"'],
    ids=["replication", "polling"],
)
def test_the_lake_is_the_table_whatever_dies_meanwhile(server: Server, tmp_path: Path, mode: str) -> None:
    table = f"t_{uuid.uuid4().hex}"
    server.execute(
        f"create table {table} (id int, part text, at timestamptz not null, amount numeric(14, 4), paid boolean,"
        " note text, primary key (part, id))"
    )
    server.execute(f"alter table {table} replica identity full")
    server.execute(f"create index on {table} (id)")
    server.execute(
        f"insert into {table} select n, 'a', now() - n * interval '1 s', n / 7.0, true, 'from the start'"
        " from generate_series(100, 20000) as n"
    )
    tusk = Tusk(tmp_path)
    tusk.configure(CONFIG.format(url=server.url, table=table, mode=mode))
    chance = random.Random(7)

    with writers(server.url, table, 4) as threads:
        deadline = time.monotonic() + SECONDS
        rounds = 0
        while time.monotonic() < deadline or rounds < 3:
            before = batches(tmp_path)
            reading = tusk.start("ingest", "orders")
            while batches(tmp_path) < before + 2 and reading.poll() is None:
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 1))
            if rounds == 1:
                server.kill()
                server.start()
                time.sleep(chance.uniform(0, 1))
            assert reading.poll() is None, (tmp_path / "output.log").read_text()
            reading.kill()
            reading.wait()
            rounds += 1
    report = tusk("ingest", "orders", "--once", "--json").json()
    again = tusk("ingest", "orders", "--once", "--json").json()

    there = server.execute(f"select {COLUMNS} from {table} order by id, part")
    kept = in_the_lake(tmp_path, f"select {COLUMNS} from clean.orders order by id, part")
    changes = in_the_lake(tmp_path, "select _op, count(*) from raw.orders group by all order by all")
    sys.stdout.write(f"{sum(t.done for t in threads)} writes, {len(there)} rows, {changes}, {report}\n")
    assert kept == there
    assert (again["rows"], again["quarantined"]) == (0, 0)
    assert sum(t.done for t in threads) > 100
    assert {"snapshot", "update_preimage", "update_postimage", "delete", "insert"} == {op for op, _ in changes}


def batches(folder: Path) -> int:
    """How many batches the lake holds."""
    lake = Lake(Home(folder / ".tusk").lake)
    return (lake.open("raw.orders").transaction(transactions.batch("orders")) or 0) if lake.exists("raw.orders") else 0


def in_the_lake(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query over the lake."""
    found = query(Lake(Home(folder / ".tusk").lake), load_plan(folder / "platform.tsk"), sql)
    return [tuple(row.values()) for row in found.to_pylist()]
