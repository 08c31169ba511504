"""Every source under load, with whoever reads it killed, and the server that it reads restarted: nothing shows it."""

from __future__ import annotations

import random
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.e2e.tusk import Tusk
from tests.faults.outcomes import Outcome, Record
from tests.faults.scene import KILLED, kill, wait_until
from tests.faults.sources import Files, Mqtt, Numbers, Samples, Table
from tusk_platform.core import transactions
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake

pytestmark = pytest.mark.slow

PROMETHEUS = pytest.param("prometheus", marks=pytest.mark.service("prometheus"))
SOURCES = [
    "file",
    pytest.param("mqtt", marks=pytest.mark.service("mosquitto")),
    PROMETHEUS,
    pytest.param("replication", marks=pytest.mark.service("postgres")),
    pytest.param("cursor", marks=pytest.mark.service("postgres")),
    pytest.param("row hash", marks=pytest.mark.service("postgres")),
]


class Restarted(Protocol):
    """A server that can be killed and started again where it was."""

    def kill(self) -> None: ...
    def start(self) -> None: ...


class Rig:
    """A source, a platform that reads it, and the server behind it where there is one."""

    def __init__(self, folder: Path, numbers: Numbers, server: Restarted | None) -> None:
        self.tusk = Tusk(folder)
        self.numbers = numbers
        self.server = server
        self.tusk.configure(numbers.config())

    def batch(self) -> int:
        """The last batch in the lake; 0 where there is none."""
        lake = Lake(Home(self.tusk.folder / ".tusk").lake)
        return (
            lake.open("raw.orders").transaction(transactions.batch("orders")) or 0 if lake.exists("raw.orders") else 0
        )

    def look(self) -> int:
        """Read for the first time: only then is there a session or a slot, and known which file is the log's."""
        return int(self.tusk.call("ingest", "orders", "--once").code != 0)

    def settle(self) -> int:
        """Read all that is there, twice: what only came to rest meanwhile as well; how often starting again failed."""
        self.numbers.rest()
        return sum(self.tusk.call("ingest", "orders", "--once").code != 0 for _ in range(2))


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """Each source in turn."""
    match request.param:
        case "file":
            return Rig(tmp_path, Files(tmp_path), None)
        case "mqtt":
            broker = request.getfixturevalue("mosquitto")
            return Rig(tmp_path, Mqtt(broker), broker)
        case "prometheus":
            prometheus = request.getfixturevalue("prometheus")
            return Rig(tmp_path, Samples(prometheus), prometheus)
        case mode:
            server = request.getfixturevalue("postgres")
            return Rig(tmp_path, Table(server, mode), server)


class Writer(threading.Thread):
    """Writes again and again until it is told to stop; what it could not write it says."""

    def __init__(self, numbers: Numbers) -> None:
        super().__init__()
        self._numbers = numbers
        self._over = threading.Event()
        self.problem: Exception | None = None

    def __enter__(self) -> Writer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        assert self.problem is None, self.problem

    def run(self) -> None:
        while not self._over.wait(0.02):
            try:
                self._numbers.write()
            except Exception as problem:  # noqa: BLE001 - the border of a thread; the test raises it
                self.problem = problem
                return


@pytest.mark.parametrize("rig", SOURCES, indirect=True)
def test_source_whose_reader_is_killed_at_random_is_read_once(rig: Rig, kills: int | None, record: Record) -> None:
    chance = random.Random(rig.numbers.name)
    rounds = kills or 3
    by_hand = 0 if rig.numbers.kept else rig.look()
    with Writer(rig.numbers):
        for number in range(rounds):
            by_hand += not killed(rig, chance, early=number % 5 == 4)
    by_hand += rig.settle()

    verdict = rig.numbers.verdict(rig.tusk)
    record(Outcome(rig.numbers.name, "random moments", rounds, by_hand, verdict))
    assert verdict.fine, verdict
    assert by_hand == 0


def killed(rig: Rig, chance: random.Random, *, early: bool) -> bool:
    """Start the reader and kill it, while it starts or at work; whether it ran until then."""
    before = rig.batch()
    process = rig.tusk.start("ingest", "orders")
    try:
        if not early:
            wait_until(lambda: process.poll() is not None or rig.batch() > before, "the first batch after a start")
        time.sleep(chance.uniform(0, 3 if early else 0.6))
    finally:
        code = kill(process)
    return code == KILLED


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What only received sources have is killed there always, the instructions of all of them in a long run."""
    if "point" in metafunc.fixturenames:
        received = [s for s in SOURCES if s is not PROMETHEUS and s != "file"]
        everywhere = (
            ("after_poll", "inside_write", "after_commit") if metafunc.config.getoption("--fault-rounds") else ()
        )
        pairs = [(s, "after_receive") for s in received] + [(s, point) for s in SOURCES for point in everywhere]
        metafunc.parametrize(("rig", "point"), [_pair(*pair) for pair in pairs], indirect=["rig"])


def _pair(source: Any, point: str) -> Any:  # noqa: ANN401 - a name, or one with its marks
    if isinstance(source, str):
        return pytest.param(source, point)
    return pytest.param(*source.values, point, marks=source.marks)


def test_source_whose_reader_is_killed_at_an_instruction_is_read_once(
    rig: Rig, point: str, kills: int | None, record: Record
) -> None:
    rounds = kills or 1
    by_hand = rig.look()
    for number in range(rounds):
        for _ in range(3):
            rig.numbers.write()
        rig.numbers.rest()
        dying = Tusk(rig.tusk.folder, {"TUSK_FAULT": f"{point}:1"})
        assert dying.call("ingest", "orders", "--once").code == KILLED, f"round {number}"
    by_hand += rig.settle()

    verdict = rig.numbers.verdict(rig.tusk)
    record(Outcome(rig.numbers.name, point, rounds, by_hand, verdict))
    assert verdict.fine, verdict
    assert by_hand == 0


@pytest.mark.parametrize("rig", [s for s in SOURCES if s != "file"], indirect=True)
def test_source_whose_server_is_killed_is_read_on(rig: Rig) -> None:
    assert rig.server is not None
    # A sample that comes long after its time was read as missing by then.
    with Writer(rig.numbers) if isinstance(rig.numbers, Samples) else nullcontext():
        rig.look()
        process = rig.tusk.start("ingest", "orders")
        try:
            for _ in range(2):
                before = rig.batch()
                rig.numbers.write()
                wait_until(lambda was=before: rig.batch() > was, "a batch")  # type: ignore[misc]  # bound as of now
                rig.server.kill()
                time.sleep(0.5)
                rig.server.start()
            rig.numbers.write()
            assert process.poll() is None, "the reader waits for its server"
        finally:
            kill(process)
    assert rig.settle() == 0

    verdict = rig.numbers.verdict(rig.tusk)
    assert verdict.fine, verdict
