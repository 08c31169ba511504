"""Scenes, and how often a fault is repeated. With ``--fault-rounds`` what came of it is written to a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from tests.e2e.tusk import Tusk
from tests.faults.feeds import KafkaFeed, LogFeed
from tests.faults.scene import ROOT, Scene
from tests.faults.verdict import Verdict

RESULTS = ROOT / "benchmarks" / "results" / "faults.md"
_SECONDS_A_ROUND = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one kind of fault did in all its rounds; ``by_hand`` are restarts that a plain restart did not do."""

    source: str
    killed_at: str
    rounds: int
    by_hand: int
    verdict: Verdict


_OUTCOMES = pytest.StashKey[list[Outcome]]()

Record = Callable[[Outcome], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often a fault is repeated."""
    parser.getgroup("faults").addoption(
        "--fault-rounds", type=int, help="kills of each kind; the table of results is written to benchmarks/results"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Time in proportion to the rounds."""
    rounds = asked(config)
    for item in items:
        if rounds and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(600 + _SECONDS_A_ROUND * rounds))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the table where rounds were asked for."""
    outcomes = config.stash.get(_OUTCOMES, [])
    if outcomes and asked(config):
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(table(outcomes), encoding="utf-8")
        terminalreporter.write_line(f"written: {RESULTS}")


def asked(config: pytest.Config) -> int | None:
    """The rounds that were asked for; None where this was loaded after the command line was read."""
    said: int | None = config.getoption("fault_rounds", None)
    return said


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as a page."""
    memory = psutil.virtual_memory().total / 2**30
    head = "| source | killed at | rounds | events | lost | doubled | phantom | position back | restarts by hand |"
    rows = [
        f"| {o.source} | {o.killed_at} | {o.rounds} | {o.verdict.produced} | {len(o.verdict.lost)} | "
        f"{len(o.verdict.doubled)} | {len(o.verdict.phantom)} | {len(o.verdict.backwards)} | {o.by_hand} |"
        for o in sorted(outcomes, key=lambda o: (o.source, o.killed_at))
    ]
    return (
        "# Faults\n\n"
        "`make faults`: processes are killed with SIGKILL and started again as they were. Every event that the source\n"
        "holds is then looked for in raw by its partition and offset.\n\n"
        f"{os.cpu_count()} CPUs, {memory:.0f} GiB of memory, {datetime.now(UTC):%Y-%m-%d}.\n\n"
        + "\n".join([head, "|---|---|--:|--:|--:|--:|--:|--:|--:|", *rows])
        + "\n"
    )


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Remember an outcome for the table."""
    return request.config.stash.setdefault(_OUTCOMES, []).append


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int | None:
    """Kills of each kind, where somebody said how many."""
    return asked(request.config)


@pytest.fixture
def log_scene(tmp_path: Path) -> Scene:
    """A stream on its embedded log."""
    return Scene(Tusk(tmp_path), LogFeed(tmp_path))


@pytest.fixture(params=["log", pytest.param("kafka", marks=pytest.mark.service("kafka"))])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    """A stream on a topic of the shared broker, and the same on its embedded log."""
    feed = KafkaFeed(request.getfixturevalue("kafka").address) if request.param == "kafka" else LogFeed(tmp_path)
    yield Scene(Tusk(tmp_path), feed)
