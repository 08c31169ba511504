"""A platform of the test's own, the events it reads, and what became of them after all that was done to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from tests.e2e.test_million_events import Event, events
from tests.e2e.tusk import Answer, Tusk
from tests.faults.feeds import Feed, Items, Place
from tests.faults.verdict import STREAM, TABLE, Verdict, judge, positions_of, rows_of
from tusk_platform.compile import load_plan
from tusk_platform.core import transactions
from tusk_platform.storage.duck import query
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL
# What other tests do on the same machine must not make these fail.
PATIENCE = 180.0


class Starved(Tusk):
    """The program where no file can grow beyond ``TUSK_TEST_BYTES``, which is what a full disk is to it."""

    @property
    def program(self) -> str:
        """A script that sets the limit and becomes the program."""
        script = self.folder / "starved"
        script.write_text(f'#!/bin/sh\nexec prlimit --fsize="$TUSK_TEST_BYTES" {super().program} "$@"\n')
        script.chmod(0o755)
        return str(script)


@dataclass(slots=True)
class Scene:
    """A config in a folder and a feed of events, of which each is known by its bytes."""

    tusk: Tusk
    feed: Feed
    stream: Iterator[tuple[int, Event]] = field(default_factory=lambda: events(2**31))
    known: dict[bytes, Event] = field(default_factory=dict)

    def configure(self, commit_every: str) -> None:
        """Write the config."""
        self.tusk.configure(f'{self.feed.config()}\nstream_processing = {{ checkpoint_interval = "{commit_every}" }}\n')

    @property
    def home(self) -> Home:
        """The state folder."""
        return Home(self.tusk.folder / ".tusk")

    @property
    def lake(self) -> Lake:
        """The tables."""
        return Lake(self.home.lake)

    def take(self, count: int, note: int = 0) -> Items:
        """The next events, late, repeated and broken ones among them, not written yet; good ones with a note."""
        items = [(p, replace(e, payload=noted(e, note))) for p, e in islice(self.stream, count)]
        self.known |= {event.payload: event for _, event in items}
        return items

    def write(self, count: int) -> None:
        """The next events, written where the platform reads them."""
        self.feed.write(self.take(count))

    def dying(self, fault: str) -> Tusk:
        """The program that is killed at the fault, ``name`` or ``name:n``."""
        return replace(self.tusk, environment={"TUSK_FAULT": fault})

    def starved(self, limit: int) -> Tusk:
        """The program where no file can grow beyond so many bytes."""
        return Starved(self.tusk.folder, {"TUSK_TEST_BYTES": str(limit)})

    def spool(self, name: str, count: int, note: int = 0) -> str:
        """A file of the next events, for `tusk publish`; good ones with a note."""
        path = self.tusk.folder / f"{name}.ndjson"
        path.write_bytes(b"\n".join(event.payload for _, event in self.take(count, note)))
        return str(path)

    def counted(self) -> Counter[str]:
        """How often each event counts."""
        plan = load_plan(self.tusk.folder / "platform.tsk")
        rows = query(self.lake, plan, "select event_id, count(*) as times from clean.orders group by all").to_pylist()
        return Counter({row["event_id"]: row["times"] for row in rows})

    def once(self) -> Counter[str]:
        """How often each event that was ever taken should count, where all were published."""
        return Counter({event.id: 1 for event in self.known.values() if not event.broken})

    def child(self, module: str, *arguments: str, fault: str = "") -> Answer:
        """A process of a duty that has no command; dead at the fault if there is one."""
        done = subprocess.run(
            [sys.executable, "-m", f"tests.faults.{module}", str(self.tusk.folder / "platform.tsk"), *arguments],
            cwd=ROOT, env={**self.tusk.full_environment(), **child_environment(fault)}, capture_output=True, text=True,
            timeout=600, check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    def produced(self) -> dict[Place, Event]:
        """What the feed holds."""
        return {place: self.known[payload] for place, payload in self.feed.truth().items()}

    def batch(self) -> int:
        """The last batch in the lake; 0 where there is none."""
        if not self.lake.exists(TABLE):
            return 0
        return self.lake.open(TABLE).transaction(transactions.batch(STREAM)) or 0

    def rows(self) -> int:
        """Rows that the raw table shows."""
        return sum(file.rows for file in self.lake.open(TABLE).files()) if self.lake.exists(TABLE) else 0

    def verdict(self) -> Verdict:
        """What became of every event that the feed holds."""
        return judge(self.produced(), rows_of(self.lake), positions_of(self.lake))


def noted(event: Event, size: int) -> bytes:
    """The event as a line of a file, which has no white space at its ends, with so many bytes more if it is good."""
    if event.broken or not size:
        return event.payload.strip()
    return event.payload[:-1] + b', "note": "' + b"x" * size + b'"}'


def child_environment(fault: str = "") -> dict[str, str]:
    """What a process needs to find the tests, and to die at a fault if there is one."""
    return {"PYTHONPATH": str(ROOT), **({"TUSK_FAULT": fault} if fault else {})}


def wait_until(done: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Look again and again."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def kill(process: subprocess.Popen[bytes]) -> int:
    """Kill a process and everything of its session as a power cut would; what it ended with."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
