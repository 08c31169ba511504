"""Every source as a place to put numbers, and what became of them: each must be in the lake once, and nothing else."""

from __future__ import annotations

import itertools
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from psycopg import sql as pg

from tests.e2e.tusk import Tusk
from tests.faults.verdict import Verdict
from tests.services.mosquitto import Mosquitto
from tests.services.postgres import Server
from tests.services.prometheus import Prometheus
from tusk_platform.units import SECOND

STREAM = """
{connections}
demo = false
stream_processing = {{ checkpoint_interval = "50 ms" }}
real_time_analytics = {{ data_streams = {{ orders = {{
{keys}
}} }} }}
"""


class Numbers(Protocol):
    """The stream `orders` of one source, written by somebody else than the platform.

    ``kept``: what is written before anybody looked is there too.
    """

    name: str
    kept: bool

    def config(self) -> str:
        """A config that reads it."""
        ...

    def write(self) -> None:
        """Put some more in; durable on return."""
        ...

    def rest(self) -> None:
        """Wait until what was written can be read."""
        ...

    def verdict(self, tusk: Tusk) -> Verdict:
        """What became of all of it, once everything was read."""
        ...


def judged(expected: Iterable[int], found: Iterable[int], quarantined: int, positions: Iterable[str] = ()) -> Verdict:
    """The verdict on numbers that should each be there once."""
    wanted, there = set(expected), Counter(found)
    return Verdict(
        produced=len(wanted),
        good=there.total(),
        quarantined=quarantined,
        lost=tuple(("n", n) for n in sorted(wanted - there.keys())),
        doubled=tuple(("n", n) for n, count in sorted(there.items()) if count > 1),
        phantom=tuple(("n", n) for n in sorted(there.keys() - wanted)),
        backwards=tuple(positions),
    )


def rows_of(tusk: Tusk, columns: str, table: str = "raw.orders") -> list[dict[str, Any]]:
    """Rows of the stream, in the order in which they were committed."""
    return tusk.sql(f"select {columns} from {table} order by all")


def went_back(tusk: Tusk) -> list[str]:
    """Where a later batch holds an earlier record of a partition."""
    rows = tusk.sql(
        "select _partition, _batch, min(_offset) as first, max(_offset) as last from raw.orders group by all "
        "order by _partition, _batch"
    )
    pairs = itertools.pairwise(rows)
    return [
        f"batch {b['_batch']} of {b['_partition']} begins at {b['first']} after {a['last']}"
        for a, b in pairs
        if a["_partition"] == b["_partition"] and b["first"] <= a["last"]
    ]


class Counted:
    """Sources whose numbers ascend: what was written is known without asking."""

    name = ""
    kept = False

    def __init__(self) -> None:
        self.written = 0

    def write(self) -> None:
        """The next twenty."""
        first, self.written = self.written, self.written + 20
        self.put([json.dumps({"n": n, "at": time.time_ns() // 1000}).encode() for n in range(first, self.written)])

    def put(self, events: list[bytes]) -> None:
        """Put these events in, durably."""
        raise NotImplementedError

    def rest(self) -> None:
        """It can be read at once."""

    def verdict(self, tusk: Tusk) -> Verdict:
        """Each number once, none twice."""
        rows = rows_of(tusk, "n, _status")
        bad = sum(r["_status"] != "ok" for r in rows)
        return judged(range(self.written), (r["n"] for r in rows if r["n"] is not None), bad, went_back(tusk))


class Mqtt(Counted):
    """A topic of a real broker, which keeps what nobody has read for a session that it knows."""

    name = "mqtt"

    def __init__(self, broker: Mosquitto) -> None:
        super().__init__()
        self._broker = broker
        self._topic = f"orders/{uuid.uuid4().hex}"

    def config(self) -> str:
        return STREAM.format(
            connections=f'connections = {{ mqtt = {{ host = "127.0.0.1", port = {self._broker.port} }} }}',
            keys=f'source = "mqtt"\ntopics = ["{self._topic}"]\nevent_time = "at"\nschema = {{ n = "integer" }}',
        )

    def put(self, events: list[bytes]) -> None:
        self._broker.publish(self._topic, *events)


class Files(Counted):
    """A log that grows and is rotated every few hundred lines."""

    name = "file"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / "orders.ndjson"
        self._path.touch()
        self._rotated = 0

    def config(self) -> str:
        keys = 'source = "file"\npath = "orders.ndjson"\nlive = true\nevent_time = "at"\nschema = { n = "integer" }'
        return STREAM.format(connections="", keys=keys)

    def put(self, events: list[bytes]) -> None:
        with self._path.open("ab") as file:
            file.writelines(event + b"\n" for event in events)
        if self.written % 400 == 0:
            for age in range(self._rotated, 0, -1):
                self._path.with_name(f"orders.ndjson.{age}").replace(self._path.with_name(f"orders.ndjson.{age + 1}"))
            self._path.replace(self._path.with_name("orders.ndjson.1"))
            self._path.touch()
            self._rotated += 1


class Samples:
    """A metric of a real Prometheus server, a sample a second in each of two series."""

    name = "prometheus"
    kept = True

    def __init__(self, server: Prometheus) -> None:
        self._server = server
        self._metric = f"orders_{uuid.uuid4().hex}"
        self._samples: dict[tuple[int, str], float] = {}
        self._next = self._now() - 60
        self._turn = threading.Lock()
        self.write()

    @staticmethod
    def _now() -> int:
        return time.time_ns() // 1_000_000_000

    def config(self) -> str:
        return STREAM.format(
            connections=f'connections = {{ prometheus = {{ url = "{self._server.url}" }} }}',
            keys=f'source = "prometheus"\nscrape_interval = "1 second"\nmetrics = {{ n = "{self._metric}" }}',
        )

    def write(self) -> None:
        """Samples of all the seconds that have passed; where the server is away, the next call brings them."""
        with self._turn, suppress(OSError):
            while self._next <= self._now():
                at = self._next * SECOND
                new = {(at, series): float(len(self._samples) + i) for i, series in enumerate("ab")}
                self._server.write([({"__name__": self._metric, "series": s}, [(t, v)]) for (t, s), v in new.items()])
                self._samples |= new
                self._next += 1

    def rest(self) -> None:
        """Points are read once they cannot change any more."""
        while self._now() < self._next + 12:
            time.sleep(0.1)

    def verdict(self, tusk: Tusk) -> Verdict:
        """Each sample once; that the server repeats the last one for some minutes is not counted."""
        last = max(at for at, _ in self._samples)
        rows = tusk.sql(
            f"select value::bigint as n, _status from raw.orders where epoch_us(_event_time) <= {last} order by all"
        )
        bad = sum(r["_status"] != "ok" for r in rows)
        return judged((int(v) for v in self._samples.values()), (r["n"] for r in rows), bad, went_back(tusk))


class Table:
    """A table of a real database, of rows that come, change and go, each change with a number of its own."""

    kept = True

    def __init__(self, server: Server, mode: str) -> None:
        self.name = f"database, {mode}"
        self._server = server
        self._mode = mode
        self._table = f"orders_{uuid.uuid4().hex[:12]}"
        self._changes = 0
        self._do("create table {} (id bigint primary key, n bigint, at timestamptz default now(), changed bigint)")
        self._do("alter table {} replica identity full")
        self._do("create index on {} (changed)")

    def config(self) -> str:
        modes = {
            "replication": "cdc_enabled = true",
            "cursor": 'cursor = "changed"\npoll_interval = "200 ms"',
            "row hash": 'poll_interval = "200 ms"',
        }
        return STREAM.format(
            connections=f'connections = {{ database = {{ url = "{self._server.url}" }} }}',
            keys=f'source = "database"\ntable = "{self._table}"\n{modes[self._mode]}\nevent_time = "at"\n'
            'schema = { id = "integer", n = "integer", at = "timestamp", changed = "integer" }',
        )

    def write(self) -> None:
        """Ten new rows, some older ones changed, and one deleted where the source can see that."""
        first, self._changes = self._changes, self._changes + 10
        self._do("insert into {} select i, i, now(), i from generate_series(%s::int, %s::int) as i", first, first + 9)
        # Even the time is another one, so that rows move between windows.
        self._do("update {} set n = n + 1000000, at = at + interval '1 second', changed = %s where id %% 7 = %s",
                 self._changes, self._changes % 7)  # fmt: skip
        if self._mode != "cursor":
            self._do("delete from {} where id = %s", first - 25)

    def rest(self) -> None:
        """It can be read at once."""

    def verdict(self, tusk: Tusk) -> Verdict:
        """The clean rows are the table, and no change was told twice."""
        there = {row[0]: row[1] for row in self._do("select id, n from {}")}
        rows = rows_of(tusk, "id, n, _status", "clean.orders")
        wrong = [r["id"] for r in rows if there.get(r["id"]) != r["n"]]
        found = judged(there, (r["id"] for r in rows), 0, went_back(tusk))
        return Verdict(
            produced=found.produced,
            good=found.good,
            quarantined=0,
            lost=found.lost,
            doubled=(*found.doubled, *self._untaken(tusk)),
            phantom=(*found.phantom, *(("n", n) for n in wrong)),
            backwards=found.backwards,
        )

    @staticmethod
    def _untaken(tusk: Tusk) -> list[tuple[str, int]]:
        """Images that are told though the one before was not taken back, and what is taken back but was not told."""
        taken = "_op in ('update_preimage', 'delete')"
        told = tusk.sql(
            f"select _key, _op, n, {taken} as taken, lag({taken}) over w as taken_before, lag(n) over w as before "
            "from raw.orders window w as (partition by _key order by _offset)"
        )
        return [
            (f"{r['_op']} of {r['_key']}", int(r["n"]))
            for r in told
            if (r["taken_before"] is not False or r["n"] != r["before"] if r["taken"] else r["taken_before"] is False)
        ]

    def _do(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        whole = pg.SQL(statement).format(pg.Identifier(self._table))
        return self._server.execute(whole, *values)
