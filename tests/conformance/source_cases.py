"""The sources that must keep the contract, each with a way to put numbered records in."""

from __future__ import annotations

import gzip
import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.fakes.source import ScriptedSource
from tests.fakes.streams import a_stream
from tests.services.postgres import Server
from tests.services.prometheus import Prometheus
from tusk_platform.adapters.source_database import adapter as database_adapter
from tusk_platform.adapters.source_demo import DemoAdapter
from tusk_platform.adapters.source_file import adapter as file_adapter
from tusk_platform.adapters.source_kafka import adapter as kafka_adapter
from tusk_platform.adapters.source_log import LogAdapter
from tusk_platform.adapters.source_mqtt import adapter as mqtt_adapter
from tusk_platform.adapters.source_prometheus import adapter as prometheus_adapter
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Source, SourceContext
from tusk_platform.units import SECOND

NOW = 1_800_000_000 * SECOND
HISTORY = 30 * SECOND


class Case:
    """A source and the place its records are put."""

    def __init__(self) -> None:
        self._opened: list[Source] = []

    def write(self, count: int) -> None:
        """Put that many records in (or more, where nobody chooses the number)."""
        raise NotImplementedError

    def open(self) -> Source:
        """A source that has read nothing yet."""
        self._opened.append(self.make())
        return self._opened[-1]

    def make(self) -> Source:
        """The source to open."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of every source that was opened."""
        for source in self._opened:
            source.close()


class Numbered(Case):
    """A case whose records are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def write(self, count: int) -> None:
        """Put the next numbers in."""
        self.put(list(range(self.written, self.written + count)))
        self.written += count

    def put(self, numbers: list[int]) -> None:
        """Put these records in, after all others."""
        raise NotImplementedError


def lines(numbers: list[int]) -> list[bytes]:
    """Records as events."""
    return [json.dumps({"n": n, "text": f"text of {n}"}).encode() for n in numbers]


class Fake(Numbered):
    """The source of other tests: what it does must be what real ones do."""

    def __init__(self) -> None:
        super().__init__()
        self._source = ScriptedSource("0", "1")

    def put(self, numbers: list[int]) -> None:
        for line in lines(numbers):
            self._source.append([line], partition=str(len(line) % 2), gap=1)

    def make(self) -> Source:
        return self._source


class Log(Numbered):
    """The embedded log."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._stream, self._context = a_stream(), SourceContext(log_folder=folder)

    def put(self, numbers: list[int]) -> None:
        LogAdapter.publish(self._stream, self._context, lines(numbers))

    def make(self) -> Source:
        return LogAdapter().open(self._stream, self._context)


class Demo(Case):
    """Made-up events; time passes where others write, and before its beginning there are none."""

    def __init__(self, adapter: Callable[[Callable[[], int]], Source]) -> None:
        super().__init__()
        self._now = 0
        self._adapter = adapter

    def write(self, count: int) -> None:
        self._now = max(self._now, NOW) + count * SECOND

    def make(self) -> Source:
        return self._adapter(lambda: self._now)


class Files(Numbered):
    """Two files, the second a little behind the first. ``write`` appends to both."""

    def __init__(self, folder: Path, ending: str, append: Callable[[Path, list[int]], None]) -> None:
        super().__init__()
        self._paths = [folder / f"{name}.{ending}" for name in "ab"]
        self._context = SourceContext(config_folder=folder, log_folder=folder / "log")
        self._options = file_adapter.check_options({"path": f"*.{ending}", "live": True})
        self._append = append
        for path in self._paths:
            append(path, [])

    def put(self, numbers: list[int]) -> None:
        for place, path in enumerate(self._paths):
            self._append(path, [n for n in numbers if n % 2 == place])

    def make(self) -> Source:
        return file_adapter.open(a_stream(source="file", options=self._options), self._context)


def _append_ndjson(path: Path, numbers: list[int]) -> None:
    with path.open("ab") as file:
        file.writelines(line + b"\n" for line in lines(numbers))


def _append_packed(path: Path, numbers: list[int]) -> None:
    with gzip.open(path, "ab") as file:
        file.writelines(line + b"\n" for line in lines(numbers))


def _append_csv(path: Path, numbers: list[int]) -> None:
    header = "" if path.exists() else "n,text\n"
    with path.open("a", encoding="utf-8", newline="") as file:
        file.write(header)
        # Every third has a line break inside, every fifth is no record of this file.
        file.writelines(f'{n},"text\nof ""{n}"""\n' if n % 3 == 0 else f"{n},{n}\n" for n in numbers)
        file.writelines(f"{n},too,many\n" for n in numbers if n % 5 == 0)


def _append_parquet(path: Path, numbers: list[int]) -> None:
    """Parquet cannot grow: a file with more rows takes the place of the old one."""
    before = pq.read_table(path)["n"].to_pylist() if path.exists() else []
    table = pa.table({"n": pa.array(before + numbers, pa.int64())})
    new = path.with_suffix(".new")
    pq.write_table(table, new, row_group_size=7)
    new.replace(path)


class Kafka(Numbered):
    """A topic of its own on the running broker."""

    def __init__(self, connection: dict[str, str]) -> None:
        super().__init__()
        options = kafka_adapter.check_options({"topic": f"t-{uuid.uuid4().hex}", "partition_count": 3})
        self._stream = a_stream(options=options)
        self._context = SourceContext(connection=connection)

    def put(self, numbers: list[int]) -> None:
        kafka_adapter.publish(self._stream, self._context, lines(numbers))

    def make(self) -> Source:
        return kafka_adapter.open(self._stream, self._context)


class Mqtt(Numbered):
    """A topic of its own on the running broker."""

    def __init__(self, connection: dict[str, Any], folder: Path) -> None:
        super().__init__()
        topic = f"t/{uuid.uuid4().hex}"
        self._stream = a_stream(source="mqtt", options=mqtt_adapter.check_options({"topics": [topic]}))
        self._context = SourceContext(connection=connection, log_folder=folder)

    def put(self, numbers: list[int]) -> None:
        mqtt_adapter.publish(self._stream, self._context, lines(numbers))

    def make(self) -> Source:
        return mqtt_adapter.open(self._stream, self._context)


class Database(Numbered):
    """A table of its own on the running server."""

    def __init__(self, server: Server, folder: Path, **options: object) -> None:
        super().__init__()
        self._server = server
        self._table = f"t_{uuid.uuid4().hex}"
        server.execute(f"create table {self._table} (n int primary key, text text, changed serial)")
        server.execute(f"alter table {self._table} replica identity full")
        checked = database_adapter.check_options({"table": self._table, **options})
        changes = database_adapter.stated(checked).changes
        self._stream = a_stream(source="database", options=checked, changes=changes)
        self._context = SourceContext(connection=server.connection, log_folder=folder)

    def put(self, numbers: list[int]) -> None:
        with psycopg.connect(self._server.url) as connection:
            for n in numbers:
                connection.execute(f"insert into {self._table} values (%s, %s)", (n, f"text of {n}"))

    def make(self) -> Source:
        # One reader of a slot at a time, which is what the lease of a stream is for.
        super().close()
        return database_adapter.open(self._stream, self._context)

    def close(self) -> None:
        super().close()
        slots = "select slot_name from pg_replication_slots where not active and slot_name like 'tusk_orders%'"
        self._server.execute(f"select pg_drop_replication_slot(slot_name) from ({slots}) as _")


class Samples(Numbered):
    """A metric of its own on the running server: a series a record, and each has one sample, of the last second."""

    def __init__(self, server: Prometheus) -> None:
        super().__init__()
        name = f"m_{uuid.uuid4().hex}"
        self._server, self._name = server, name
        query = f"last_over_time({name}[999ms])"
        options = prometheus_adapter.check_options({"metrics": {"m": query}, "scrape_interval": "1s"})
        self._stream = a_stream(source="prometheus", options=options)
        self._context = SourceContext(connection=server.connection)

    def put(self, numbers: list[int]) -> None:
        at = time.time_ns() // 1000
        self._server.write([({"__name__": self._name, "n": str(n)}, [(at, float(n))]) for n in numbers])
        time.sleep(2.1)  # until the second is over and settled, so that all readers find the same

    def make(self) -> Source:
        return prometheus_adapter.open(self._stream, self._context)


def _demo_stream(**changes: Any) -> Stream:  # noqa: ANN401 - any field of a stream
    return a_stream(source="demo", options={"rate": 2.0, "history": HISTORY, "seed": 1}, **changes)


DATABASE: dict[str, dict[str, Any]] = {
    "database_cdc": {"cdc_enabled": True},
    "database_inserts": {"cdc_enabled": True, "change_detection": False},
    "database_cursor": {"cursor": "changed", "poll_interval": "100 ms"},
    "database_hash": {"poll_interval": "100 ms"},
}
NAMES = [
    "fake",
    "log",
    "log_demo",
    "demo",
    "file_ndjson",
    "file_ndjson_gz",
    "file_csv",
    "file_parquet",
    pytest.param("kafka", marks=pytest.mark.service("kafka")),
    *(pytest.param(name, marks=pytest.mark.service("postgres")) for name in DATABASE),
    pytest.param("mqtt", marks=pytest.mark.service("mosquitto")),
    pytest.param("prometheus", marks=pytest.mark.service("prometheus")),
]


@pytest.fixture(params=NAMES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    """Every source there is, one after the other."""
    made = _made(request.param, tmp_path, request)
    yield made
    made.close()


FILES: dict[str, tuple[str, Callable[[Path, list[int]], None]]] = {
    "file_ndjson": ("ndjson", _append_ndjson),
    "file_ndjson_gz": ("ndjson.gz", _append_packed),
    "file_csv": ("csv", _append_csv),
    "file_parquet": ("parquet", _append_parquet),
}
SERVED: dict[str, Callable[[pytest.FixtureRequest, Path], Case]] = {
    "kafka": lambda request, _: Kafka(request.getfixturevalue("kafka").connection),
    "mqtt": lambda request, folder: Mqtt(request.getfixturevalue("mosquitto").connection, folder),
    "prometheus": lambda request, _: Samples(request.getfixturevalue("prometheus")),
}


def _made(name: str, folder: Path, request: pytest.FixtureRequest) -> Case:
    if name in FILES:
        return Files(folder, *FILES[name])
    match name:
        case "fake":
            return Fake()
        case "log":
            return Log(folder)
        case "log_demo":
            context = SourceContext(log_folder=folder)
            return Demo(lambda now: LogAdapter(now, HISTORY).open(a_stream(demo=True), context))
        case "demo":
            return Demo(lambda now: DemoAdapter(now).open(_demo_stream(), SourceContext()))
    return _with_service(name, folder, request)


def _with_service(name: str, folder: Path, request: pytest.FixtureRequest) -> Case:
    if name in DATABASE:
        return Database(request.getfixturevalue("postgres"), folder, **DATABASE[name])
    return SERVED[name](request, folder)
