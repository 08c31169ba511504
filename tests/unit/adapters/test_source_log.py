"""The embedded log as a source: made-up events until the first real one, and what is said when events are missing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes.streams import a_stream
from tusk_platform.adapters.source_log import LogAdapter, LogSource
from tusk_platform.errors import Refused
from tusk_platform.ports import Budget, SourceContext
from tusk_platform.storage.log import EventLog
from tusk_platform.units import SECOND

NOW = 1_800_000_000 * SECOND
STREAM = a_stream(demo=True)
ALL = Budget(1000, 0)


@pytest.fixture
def context(tmp_path: Path) -> SourceContext:
    """A place for logs."""
    return SourceContext(log_folder=tmp_path)


@pytest.fixture
def source(context: SourceContext) -> Iterator[LogSource]:
    """A source that stands at one moment."""
    source = LogAdapter(lambda: NOW, 10 * SECOND).open(STREAM, context)
    yield source
    source.close()


def trim(context: SourceContext) -> None:
    """Remove all events from the log."""
    with closing(EventLog(context.log_folder, STREAM.name)) as log:
        log.trim(2**62)


def test_first_event_ends_the_demo(context: SourceContext, source: LogSource) -> None:
    before = source.read({}, ALL)
    partitions = source.partitions()

    LogAdapter.publish(STREAM, context, [b"real"])
    after = source.read({"demo": before.chunks[-1].next_offset}, ALL)

    assert partitions == ("0", "demo")
    assert {c.partition for c in before.chunks} == {"demo"}
    assert [c.payloads for c in after.chunks] == [[b"real"]]
    assert source.partitions() == ("0",)


def test_demo_does_not_return_when_the_log_is_trimmed(context: SourceContext, source: LogSource) -> None:
    LogAdapter.publish(STREAM, context, [b"real"])
    trim(context)

    assert source.partitions() == ("0",)


def test_stream_without_demo_stays_empty(context: SourceContext) -> None:
    source = LogAdapter().open(a_stream(), context)

    batch = source.read({}, ALL)
    source.close()

    assert (batch.chunks, batch.at_end) == ((), frozenset({"0"}))


def test_arrival_is_told(context: SourceContext, source: LogSource) -> None:
    LogAdapter.publish(STREAM, context, [b"a", b"b"])

    (chunk,) = source.read({}, ALL).chunks

    assert chunk.arrivals is not None
    assert len(chunk.arrivals) == 2
    assert min(chunk.arrivals) > 1_700_000_000 * SECOND


def test_trimmed_events_are_counted(
    context: SourceContext, source: LogSource, caplog: pytest.LogCaptureFixture
) -> None:
    LogAdapter.publish(STREAM, context, [b"a", b"b", b"c"])
    trim(context)
    LogAdapter.publish(STREAM, context, [b"d"])

    with caplog.at_level(logging.WARNING):
        (chunk,) = source.read({"0": 1}, ALL).chunks

    assert (chunk.payloads, list(chunk.offsets)) == ([b"d"], [3])
    assert "2 events" in caplog.text


def test_log_that_was_deleted_is_refused(context: SourceContext, source: LogSource) -> None:
    LogAdapter.publish(STREAM, context, [b"a"])

    with pytest.raises(Refused, match="ends at 1 but was already read up to 5"):
        source.read({"0": 5}, ALL)
