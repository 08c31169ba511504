"""Scenes, and how often a fault is repeated. With ``--fault-rounds`` what came of it is written to a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.tusk import Tusk
from tests.faults.feeds import KafkaFeed, LogFeed
from tests.faults.outcomes import RESULTS, Outcome, Record, page
from tests.faults.scene import Scene

_OUTCOMES = pytest.StashKey[list[Outcome]]()
_SECONDS_A_KILL = 120


def pytest_addoption(parser: pytest.Parser) -> None:
    """How often a fault is repeated."""
    parser.getgroup("faults").addoption(
        "--fault-rounds", type=int, help="kills of each kind; what came of them is written to benchmarks/results"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Time in proportion to the kills."""
    for item in items if asked(config) else ():
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(600 + _SECONDS_A_KILL * (asked(config) or 0)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Write the page where kills were asked for."""
    outcomes = config.stash.get(_OUTCOMES, [])
    if outcomes and asked(config):
        RESULTS.parent.mkdir(parents=True, exist_ok=True)
        RESULTS.write_text(page(outcomes), encoding="utf-8")
        terminalreporter.write_line(f"written: {RESULTS}")


def asked(config: pytest.Config) -> int | None:
    """Kills of each kind, where somebody said how many."""
    # The option is not known where the whole suite is run: then this file is read after the command line.
    said: int | None = config.getoption("fault_rounds", None)
    return said


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Remember an outcome for the page."""
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
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Scene:
    """A stream on a topic of the shared broker, and the same on its embedded log."""
    kafka = request.param == "kafka"
    feed = KafkaFeed(request.getfixturevalue("kafka").address) if kafka else LogFeed(tmp_path)
    return Scene(Tusk(tmp_path), feed)
