"""A connection that keeps failing is left alone, tried again, and shown to others meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.source import ScriptedSource
from tusk_platform.errors import Refused, Unavailable
from tusk_platform.plan.profile import FaultTolerance
from tusk_platform.ports import Budget, Source
from tusk_platform.runtime.circuits import FAILURES, Breaker, not_closed
from tusk_platform.runtime.platform import Platform, open_platform
from tusk_platform.storage.home import Home

CONFIG = """
connections = { kafka = { bootstrap_servers = "127.0.0.1:1" } }
real_time_analytics = { data_streams = {
    orders = { source = "kafka" }
    visits = { source = "kafka" }
    pushed = { source = "http" }
} }
"""


def failing(source: Source, times: int) -> list[str]:
    """What so many reads say."""
    said = []
    for _ in range(times):
        with pytest.raises(Unavailable) as caught:
            source.read({}, Budget(1, 0))
        said.append(str(caught.value))
    return said


def test_source_that_keeps_failing_is_left_alone(home: Home) -> None:
    scripted = ScriptedSource("0")
    scripted.fail("Kafka does not answer", times=100)
    said = failing(Breaker("kafka", home.circuits).guard(scripted), FAILURES + 3)

    assert scripted.reads == FAILURES
    assert said[:FAILURES] == ["Kafka does not answer"] * FAILURES
    assert said[-1] == "Kafka does not answer (left alone after 5 failures, tried again within 5 s)"
    assert not_closed(home.circuits)["kafka"].reason == "Kafka does not answer"


def test_one_try_decides_whether_the_circuit_closes(home: Home) -> None:
    scripted = ScriptedSource("0")
    scripted.append([b"a"])
    scripted.fail(times=FAILURES + 1)
    source = Breaker("kafka", home.circuits, pause=0).guard(scripted)
    failing(source, FAILURES)
    opened = not_closed(home.circuits)["kafka"]
    failing(source, 1)
    again = not_closed(home.circuits)["kafka"]

    assert (opened.state, again.state) == ("open", "open")
    assert opened.since == again.since
    assert source.read({}, Budget(1, 0)).rows == 1
    assert not_closed(home.circuits) == {}


def test_reads_in_between_and_other_errors_are_no_failures_in_a_row(home: Home) -> None:
    class Reset(ScriptedSource):
        def partitions(self) -> tuple[str, ...]:
            raise Refused("the topic was made anew")

    scripted = Reset("0")
    source = Breaker("kafka", home.circuits).guard(scripted)
    for _ in range(3):
        scripted.fail(times=FAILURES - 1)
        failing(source, FAILURES - 1)
        with pytest.raises(Refused):
            source.partitions()
    for _ in range(FAILURES):
        with pytest.raises(Refused):
            source.partitions()

    assert not_closed(home.circuits) == {}


def test_circuit_of_a_dead_process_is_forgotten(home: Home) -> None:
    home.circuits.mkdir(parents=True)
    told = {"connection": "kafka", "state": "open", "since": 1, "reason": "away"}
    (home.circuits / "kafka.999999999.json").write_text(json.dumps(told))

    assert not_closed(home.circuits) == {}
    assert list(home.circuits.iterdir()) == []


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    config = tmp_path / "platform.tsk"
    config.write_text(CONFIG)
    opened = open_platform(config)
    yield opened
    opened.close()


def guarded(platform: Platform) -> list[bool]:
    """Whether the streams are read through a circuit breaker."""
    return [type(platform.source(s)).__name__ == "_Guarded" for s in platform.plan.streams]


def test_streams_of_one_connection_share_its_circuit(platform: Platform) -> None:
    scripted = ScriptedSource("0")
    scripted.fail("away", times=FAILURES)
    orders, visits, pushed = (platform._guarded(s, scripted) for s in platform.plan.streams)
    failing(orders, FAILURES)

    assert "left alone" in failing(visits, 1)[0]
    assert pushed.read({}, Budget(1, 0)).rows == 0


def test_switched_off_there_is_no_breaker(platform: Platform) -> None:
    on = guarded(platform)
    platform.close()
    platform.plan = replace(platform.plan, fault_tolerance=FaultTolerance(circuit_breaker=False))

    assert (on, guarded(platform)) == ([True, True, False], [False, False, False])
