"""The sources that need nothing: made-up events as a log with a clock, and the machine's own metrics."""

from __future__ import annotations

import orjson
import pytest
from pydantic import ValidationError

from tests.fakes.streams import a_stream
from tusk_platform.adapters import source_prometheus
from tusk_platform.adapters.source_demo import DemoAdapter
from tusk_platform.adapters.source_host import HostAdapter
from tusk_platform.ports import Batch, Budget, SourceContext
from tusk_platform.units import HOUR, SECOND

NOW = 1_800_000_000 * SECOND
NAMES = ("cpu_usage", "memory_usage", "disk_usage", "network_throughput")


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


def position_after(batch: Batch) -> dict[str, int]:
    """Where to go on."""
    return {c.partition: c.next_offset for c in batch.chunks}


def test_made_up_events_begin_two_hours_ago() -> None:
    adapter = DemoAdapter(Clock())
    stream = a_stream(options=adapter.check_options({}))

    batch = adapter.open(stream, SourceContext()).read({}, Budget(10, 0))

    assert NOW - 2 * HOUR <= batch.chunks[0].offsets[0] < NOW - 2 * HOUR + 10 * SECOND


def test_long_absence_skips_what_is_old() -> None:
    clock = Clock()
    adapter = DemoAdapter(clock)
    source = adapter.open(a_stream(options=adapter.check_options({"history": "1 minute"})), SourceContext())
    position = position_after(source.read({}, Budget(10, 0)))
    clock.now += 24 * HOUR

    batch = source.read(position, Budget(10, 0))

    assert batch.chunks[0].offsets[0] >= clock.now - 61 * SECOND


@pytest.mark.parametrize("wrong", [{"rate": 0}, {"rate": "fast"}, {"history": 5}, {"seed": -1}])
def test_wrong_demo_option_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DemoAdapter().check_options(wrong)


def test_machine_is_measured_once_an_interval() -> None:
    clock = Clock()
    adapter = HostAdapter(clock)
    options = adapter.check_options({"scrape_interval": "15s"})
    source = adapter.open(a_stream(options=options), SourceContext())

    first = source.read({}, Budget(seconds=0))
    position = position_after(first)
    clock.now += 14 * SECOND
    early = source.read(position, Budget(seconds=0))
    clock.now += SECOND
    second = source.read(position, Budget(seconds=0))

    assert [c.partition for c in first.chunks] == list(NAMES)
    assert (early.rows, early.at_end, source.lag(position)) == (0, frozenset(NAMES), 4)
    assert [c.offsets for c in second.chunks] == [[NOW + 15 * SECOND]] * 4


def test_measurements_are_plausible() -> None:
    source = HostAdapter().open(a_stream(options={"scrape_interval": SECOND, "metrics": NAMES}), SourceContext())

    batch = source.read({}, Budget(seconds=0))
    values = {c.partition: orjson.loads(p)["value"] for c in batch.chunks for p in c.payloads or () if p}

    assert all(0 <= values[n] <= 100 for n in NAMES[:3])
    assert values["memory_usage"] > 0
    assert values["network_throughput"] >= 0


def test_budget_of_one_row_starves_no_metric() -> None:
    clock = Clock()
    source = HostAdapter(clock).open(a_stream(options={"scrape_interval": SECOND, "metrics": NAMES}), SourceContext())
    position: dict[str, int] = {}
    seen = []
    for _ in NAMES:
        batch = source.read(position, Budget(1, 0))
        position |= position_after(batch)
        seen += [c.partition for c in batch.chunks]
        clock.now += 2 * SECOND

    assert seen == list(NAMES)


def test_short_names_are_those_of_series() -> None:
    assert HostAdapter().check_options({"metrics": ["cpu", "disk_usage", "cpu_usage"]})["metrics"] == [
        "cpu_usage",
        "disk_usage",
    ]


def test_host_stands_in_for_the_names_it_knows() -> None:
    options = source_prometheus.adapter.check_options({"metrics": {"cpu": "my_cpu", "queue": "my_queue_length"}})

    source = HostAdapter().open(a_stream(source="prometheus", adapter="host", options=options), SourceContext())

    assert options["metrics"] == {"cpu_usage": "my_cpu", "queue": "my_queue_length"}
    assert source.partitions() == ("cpu_usage",)


@pytest.mark.parametrize("wrong", [{"metrics": ["queue"]}, {"metrics": []}, {"metrics": {}}, {"scrape_interval": "15"}])
def test_wrong_prometheus_option_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        source_prometheus.adapter.check_options(wrong)
