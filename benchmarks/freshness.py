"""How old what people see is, with the real processes running."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from benchmarks.report import Row, figures
from benchmarks.timing import quantile
from tusk_platform.core import transactions
from tusk_platform.errors import TuskError
from tusk_platform.runtime.duties import refresh_due, within
from tusk_platform.runtime.platform import Platform, open_platform
from tusk_platform.storage.log import EventLog

ABOUT: Final = (
    "Seconds from the creation of an event to the moment somebody else can see it, of which 95 in 100 events need no "
    "more. Events are published to the embedded log at a steady rate; `tusk ingest`, a refresh loop like the sensor's "
    "and the serving process run, each a process of its own. The limits are what the design lets an event wait before "
    "anything is computed: a commit gathers for a second; a refresh follows a second after the last one at the "
    "earliest; an open page looks every half second and is computed anew every two."
)
CONFIG: Final = """
real_time_analytics = {
    data_streams = {
        orders = {
            source = "kafka"
            topic = "orders"
            demo = false
            event_time = "at"
            schema = {
                event_id = "string", at = "timestamp", country = "string", amount = "decimal", probe = "integer"
            }
        }
    }
}
real_time_aggregations = {
    per_minute = {
        dimensions = ["country"]
        metrics = { revenue = "sum", newest = { function = "max", column = "probe" } }
        window = "1 minute"
        update_frequency = "1 second"
    }
}
live_dashboards = {
    main = {
        refresh_interval = "5 seconds"
        widgets = { newest = { type = "counter", data_source = "per_minute", metric = "newest" } }
    }
}
"""
RAW_LIMIT: Final = 1.0
AGGREGATE_LIMIT: Final = RAW_LIMIT + 1.0
PAGE_LIMIT: Final = RAW_LIMIT + 0.5 + 2.0
GOAL: Final = 1.5
_LOOK: Final = 0.02
_COUNTRIES: Final = (b"DE", b"FR", b"GB", b"IN", b"NO", b"US")
_SHOWN: Final = re.compile(r'<data value="(\d+)"')
_PATIENCE: Final = 60.0


def run(*, quick: bool) -> list[Row]:
    """Raw, aggregate and page at two rates."""
    return [row for rate in (1_000, 10_000) for row in _at(rate, seconds=10 if quick else 30)]


def _at(rate: int, *, seconds: float) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder), rate) as (platform, port):
        watch = Watch(platform, port)
        with watch:
            _warm_up(platform, watch)
            numbers = _probe(platform, watch, seconds)
            behind = platform.source(platform.plan.stream("orders")).lag({"0": watch.position}) or 0
    assert behind < 10 * rate, f"ingest fell behind: {behind} events at the end"
    return [
        _row(f"event → {what}, {rate:,} events/s", [ages[n] for n in numbers], limit, words)
        for what, ages, limit, words in (
            ("row", watch.rows, RAW_LIMIT, "commit interval"),
            ("aggregate", watch.aggregates, AGGREGATE_LIMIT, "commit interval and pace of refresh"),
            ("page", watch.pages, PAGE_LIMIT, "commit interval, look and pause of a page"),
        )
    ]


def _row(what: str, ages: Sequence[float], limit: float, words: str) -> Row:
    middle, worst = quantile(ages, 0.5), max(ages)
    unit = f"s (half: {figures(middle)}, all: {figures(worst)})"
    high = quantile(ages, 0.95)
    return Row(what, high, unit, f"{words}: {limit:g} s", high / limit, GOAL)


def _warm_up(platform: Platform, watch: Watch) -> None:
    """Until a first probe is seen everywhere."""
    _send(platform, watch, 1)
    _wait(watch, 1)


def _probe(platform: Platform, watch: Watch, seconds: float) -> range:
    """Probes at irregular moments, and then the patience to see all of them."""
    chance = random.Random(5)
    end = time.monotonic() + seconds
    number = 1
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.3, 0.9))
        number += 1
        _send(platform, watch, number)
    _wait(watch, number)
    return range(2, number + 1)


def _send(platform: Platform, watch: Watch, number: int) -> None:
    log = EventLog(platform.home.log, "orders")
    at = time.time_ns() // 1000
    payload = {"event_id": f"probe{number}", "at": at, "country": "NO", "amount": 1, "probe": number}
    watch.created[number] = at / 1_000_000
    first, _ = log.append([json.dumps(payload).encode()], producer="probe")
    watch.offsets[number] = first
    log.close()


def _wait(watch: Watch, number: int) -> None:
    until = time.monotonic() + _PATIENCE
    while not all(number in seen for seen in (watch.rows, watch.aggregates, watch.pages)):
        if watch.broken:
            raise RuntimeError(watch.broken[0])
        if time.monotonic() > until:
            raise TimeoutError(f"probe {number} was not seen within {_PATIENCE:g} s")
        time.sleep(_LOOK)


@dataclass(slots=True)
class Watch:
    """Sees probes come: in the raw table, in the aggregate's, on the page; ages in seconds by number."""

    platform: Platform
    port: int
    created: dict[int, float] = field(default_factory=dict)
    offsets: dict[int, int] = field(default_factory=dict)
    batches: dict[int, int] = field(default_factory=dict)
    rows: dict[int, float] = field(default_factory=dict)
    aggregates: dict[int, float] = field(default_factory=dict)
    pages: dict[int, float] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    position: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Watch:
        self._threads = [threading.Thread(target=self._guarded, args=(w,)) for w in (self._follow, self._listen)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _guarded(self, work: object) -> None:
        try:
            work()  # type: ignore[operator]  # one of the two below
        except Exception as error:  # noqa: BLE001 - the border of a thread; the waiting one raises it
            self.broken.append(f"{type(error).__name__}: {error}")

    def _follow(self) -> None:
        """Look at both tables again and again."""
        plan, lake = self.platform.plan, self.platform.lake
        raw, aggregate = (DeltaTable(lake.path(t.table)) for t in (plan.streams[0], plan.aggregates[0]))
        while not self._stop.wait(_LOOK):
            for table in (raw, aggregate):
                with suppress(DeltaError):
                    table.update_incremental()
            now = time.time()
            self.position = raw.transaction_version(transactions.position("orders", "0")) or 0
            batch = raw.transaction_version(transactions.batch("orders")) or 0
            held = aggregate.transaction_version(transactions.refreshed("per_minute")) or 0
            for number, offset in list(self.offsets.items()):
                if offset < self.position and number not in self.rows:
                    self.rows[number] = now - self.created[number]
                    self.batches[number] = batch
                if number in self.rows and number not in self.aggregates and self.batches[number] <= held:
                    self.aggregates[number] = now - self.created[number]

    def _listen(self) -> None:
        """Read the page's events as a browser does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", "/dashboards/main/events")
        answer = connection.getresponse()
        while not self._stop.is_set() and (line := answer.readline()):
            found = (
                _SHOWN.search(json.loads(line[6:]).get("fragments", {}).get("newest", ""))
                if line[:6] == b"data: "
                else None
            )
            if found:
                now = time.time()
                for number in [n for n in self.created if n <= int(found.group(1)) and n not in self.pages]:
                    self.pages[number] = now - self.created[number]
        connection.close()


@contextmanager
def _running(folder: Path, rate: int) -> Iterator[tuple[Platform, int]]:
    """The platform's processes over a new state folder, and somebody who publishes."""
    config = folder / "platform.tsk"
    config.write_text(CONFIG)
    platform = open_platform(config)
    port = _free_port()
    spawn = multiprocessing.get_context("spawn")
    stop = spawn.Event()
    with ExitStack() as stack:
        stack.callback(platform.close)
        for command in (("ingest", "orders"), ("serve-pages", "--port", str(port))):
            stack.enter_context(_process(folder, *command))
        workers = [
            spawn.Process(target=keep_fresh, args=(str(config),)),
            spawn.Process(target=publish, args=(str(platform.home.log), rate, stop)),
        ]
        for worker in workers:
            worker.start()
        stack.callback(_stopped, workers)
        stack.callback(platform.home.stopping.touch)
        stack.callback(stop.set)
        _answering(port)
        yield platform, port


def _stopped(workers: Sequence[multiprocessing.process.BaseProcess]) -> None:
    for worker in workers:
        worker.join(30)
        if worker.is_alive():
            worker.kill()


@contextmanager
def _process(folder: Path, *arguments: str) -> Iterator[None]:
    tusk = str(Path(sys.executable).parent / "tusk")
    with (folder / f"{arguments[0]}.log").open("wb") as log:
        process = subprocess.Popen(
            [tusk, *arguments], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def _answering(port: int) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise TimeoutError(f"the serving process did not answer within {_PATIENCE:g} s")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def keep_fresh(config: str) -> None:
    """What ticks of the refresh sensor do, one after the other."""
    platform = open_platform(Path(config))
    while not platform.home.stopping.exists():
        with suppress(TuskError):
            refresh_due(platform, platform.plan.streams[0], within(platform, 25.0), command="benchmark")
    platform.close()


def publish(folder: str, rate: int, stop: Event) -> None:
    """Events at a steady rate, ten groups a second."""
    log = EventLog(Path(folder), "orders")
    group, number = rate // 10, 0
    following = time.monotonic()
    while not stop.is_set():
        at = time.time_ns() // 1000
        log.append(
            [
                b'{"event_id":"e%d","at":%d,"country":"%s","amount":%d.25}' % (i, at, _COUNTRIES[i % 6], i % 900)
                for i in range(number, number + group)
            ],
            producer="benchmark",
        )
        number += group
        following += 0.1
        time.sleep(max(0.0, following - time.monotonic()))
    log.close()
