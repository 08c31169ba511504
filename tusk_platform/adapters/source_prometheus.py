"""Prometheus range queries as a source, a partition a metric. Without a connection this machine stands in.

A position is the time of the next sample in microseconds; at one time a metric may have many series, which follow each
other by their labels at offsets one apart. So a range that is read again gives the same records, and what a server kept
while nobody read it is read later.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field

from tusk_platform.adapters.prometheus import Server, TooMuch
from tusk_platform.core.system_metrics import PROMQL, long_name, promql
from tusk_platform.errors import TuskError, Unavailable, UsageError, nearest
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Batch, Budget, Chunk, Position, SourceContext
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, Duration, Name, PlainText, wrong
from tusk_platform.units import HOUR, SECOND

# Points of one question; the server answers no more than 11,000.
_MOST_POINTS: Final = 10_000
# Points of the first question, when nobody knows how many series there are, and how fast more or fewer are asked for.
_FIRST_POINTS: Final = 10
_FACTOR: Final = 8
# A scrape dates its samples with its beginning and may last a while: only then is a point the same for ever.
_LONGEST_SCRAPE: Final = 10 * SECOND


def _known(metric: str) -> str:
    if long_name(metric) not in PROMQL:
        raise wrong(
            f"`{metric}` is no metric with a short name", nearest(metric, PROMQL) or 'write `{ name = "PromQL" }`'
        )
    return long_name(metric)


def _named(metrics: tuple[str, ...] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
    if not isinstance(metrics, dict):
        return metrics
    named = {long_name(name): query for name, query in metrics.items()}
    if len(named) < len(metrics):
        raise wrong("a metric stands twice, by its short and by its long name", "leave one of them out")
    return named


class PrometheusOptions(Block):
    """Keys of a ``prometheus`` stream."""

    scrape_interval: Duration = Field(default=15 * SECOND, description="How often to ask.", examples=["15s"])
    metrics: Annotated[
        AtLeastOne[Annotated[Name, AfterValidator(_known)]] | Annotated[dict[Name, PlainText], Field(min_length=1)],
        AfterValidator(_named),
    ] = Field(
        default=tuple(PROMQL),
        description="What to ask for: short names, or names with their PromQL.",
        examples=[["cpu", "memory", "disk", "network"]],
    )
    history: Duration = Field(
        default=HOUR, description="How far back the first read goes, if the server remembers.", examples=["1 day"]
    )


class PrometheusSource:
    """Reads all metrics of a stream, the one that is farthest behind first."""

    def __init__(self, stream: Stream, context: SourceContext) -> None:
        options = PrometheusOptions.model_construct(**stream.options)
        self._queries = queries_of(options)
        self._step: int = options.scrape_interval
        self._history: int = options.history
        self._settle = min(self._step, _LONGEST_SCRAPE)
        self._server = Server(context)
        # The server's clock: what it said, and when.
        self._heard: tuple[int, float] | None = None
        # Where what is complete ends: one step after the last complete one.
        self._end = 0
        self._begin: int | None = None
        # Stretches [from, to) known to hold no samples, how many series a metric had, points of its next question, and
        # how many are at most answered.
        self._empty: dict[str, tuple[int, int]] = {}
        self._series: dict[str, int] = {}
        self._points: dict[str, int] = {}
        self._answered: dict[str, int] = {}
        self._silent: str | None = None
        self._ended = False

    def partitions(self) -> tuple[str, ...]:
        """The metrics."""
        return tuple(self._queries)

    def read(self, position: Position, budget: Budget) -> Batch:
        """Samples whose step is complete; waits for the next ones. A metric that fails does not hold up the others."""
        deadline = time.monotonic() + budget.seconds
        while True:
            batch = self._read(position, budget.rows)
            left = deadline - time.monotonic()
            # A reader who wants all there is must not wait for more once the last end is reached.
            ended = len(batch.at_end) == len(self._queries)
            reached, self._ended = ended and not self._ended, ended
            if batch.chunks or left <= 0 or reached:
                return batch
            time.sleep(min(left, max(0.01, self._until_due(position))))

    def acknowledge(self, position: Position) -> None:
        """Nobody to tell."""

    def lag(self, position: Position) -> int | None:
        """Complete steps that were not read, as of the last read."""
        if self._heard is None:
            return None
        return sum(-min(0, (self._start(m, position) - self._end) // self._step) for m in self._queries)

    def close(self) -> None:
        """Let go of the connection; the next use makes another."""
        self._server.close()
        self._heard, self._ended = None, False

    def _read(self, position: Position, rows: int) -> Batch:
        if self._heard is None or self._until_due(position) <= 0:
            now = self._server.now()
            self._heard = now, time.monotonic()
            self._end = self._aligned(now - self._settle) + self._step
            if self._begin is None:
                self._begin = self._aligned(now - self._history)
        chunks: list[Chunk] = []
        at_end: set[str] = set()
        failures: list[TuskError] = []
        for metric in sorted(self._queries, key=lambda m: (m == self._silent, self._start(m, position))):
            if self._start(metric, position) < self._end:
                if not rows:
                    continue
                try:
                    chunk = self._take(metric, position, rows)
                except UsageError as error:
                    failures.append(error)
                    continue
                except Unavailable as error:
                    # Who does not answer to one question will not to the others: each would take its time to fail.
                    # And if it is this question alone, the others come first the next time.
                    failures.append(error)
                    self._silent = metric
                    break
                if chunk is not None:
                    chunks.append(chunk)
                    rows -= len(chunk.offsets)
                    if self._start(metric, {metric: chunk.next_offset}) < self._end:
                        continue
            at_end.add(metric)
        if failures and not chunks:
            self.close()
            raise failures[0]
        return Batch(tuple(chunks), frozenset(at_end))

    def _take(self, metric: str, position: Position, rows: int) -> Chunk | None:
        """The next samples of a metric, None where there are none up to now."""
        while (start := self._start(metric, position)) < self._end:
            first = self._aligned(start)
            found, last = self._asked(metric, first, rows)
            samples = [s for s in _samples(metric, found) if s[0] >= start]
            if samples:
                taken = samples[:rows]
                after = taken[-1][0] + 1
                if len(taken) == len(samples):
                    after = self._aligned(after) + self._step
                    self._empty[metric] = (after, last + self._step)
                return Chunk(metric, [at for at, _ in taken], after, [row for _, row in taken])
            asked = position.get(metric, self._begin or 0)
            self._empty[metric] = (asked, last + self._step)
        return None

    def _asked(self, metric: str, first: int, rows: int) -> tuple[list[Any], int]:
        """Series from a time on over as many steps as are asked for at once, and the last of the steps."""
        most = min(_MOST_POINTS, rows // self._series.get(metric, 1), self._answered.get(metric, _MOST_POINTS))
        points = max(1, min(most, self._points.get(metric, _FIRST_POINTS), (self._end - first) // self._step))
        # Whoever fails is asked for one step the next time, as that may have been too much.
        self._points[metric] = 1
        while True:
            last = first + (points - 1) * self._step
            try:
                found = self._server.range(self._queries[metric], first, last, self._step)
                break
            except TooMuch:
                if points == 1:
                    # So it is not for the length of the range.
                    self._answered.pop(metric, None)
                    raise
                points = points // 2
                self._answered[metric] = points
        self._points[metric] = points * _FACTOR
        if found:
            self._series[metric] = len(found)
        return found, last

    def _start(self, metric: str, position: Position) -> int:
        asked = position.get(metric, self._begin or 0)
        first, last = self._empty.get(metric, (0, 0))
        return last if first <= asked < last else asked

    def _aligned(self, at: int) -> int:
        return at - at % self._step

    def _until_due(self, position: Position) -> float:
        """Seconds until some metric's next step is complete."""
        if self._heard is None:
            return 0.0
        now, at = self._heard
        passed = round((time.monotonic() - at) * SECOND)
        due = min(self._aligned(self._start(m, position)) for m in self._queries) + self._settle
        return (due - now - passed) / SECOND


def queries_of(options: PrometheusOptions) -> dict[str, str]:
    """The PromQL of each metric of a stream."""
    if isinstance(options.metrics, dict):
        return dict(options.metrics)
    return {m: promql(m, options.scrape_interval) for m in options.metrics}


def _samples(metric: str, series: list[Any]) -> list[tuple[int, bytes]]:
    """Offset and row of each sample, in the order of time and then of labels."""
    by_time: dict[int, list[tuple[bytes, dict[str, Any]]]] = defaultdict(list)
    for one in series:
        labels = one["metric"]
        key = orjson.dumps(labels, option=orjson.OPT_SORT_KEYS)
        for at, text in (*one.get("values", ()), *one.get("histograms", ())):
            micros = round(at * SECOND)
            by_time[micros].append((key, {"labels": labels, **_value(text)}))
    found = []
    for micros in sorted(by_time):
        moment = dt.datetime.fromtimestamp(micros // SECOND, dt.UTC).replace(microsecond=micros % SECOND)
        for rank, (_, row) in enumerate(sorted(by_time[micros], key=lambda r: r[0])):
            found.append((micros + rank, orjson.dumps({"timestamp": moment, "metric": metric, **row})))
    return found


def _value(sent: object) -> dict[str, Any]:
    """The value; what is no number of a column (NaN, infinities, histograms) is kept beside an empty one."""
    number = float(sent) if isinstance(sent, str) else math.nan
    return {"value": number} if math.isfinite(number) else {"value": None, "sent": sent}


class PrometheusAdapter:
    """``source = "prometheus"``."""

    name: str = "prometheus"
    connection: str | None = "prometheus"
    stand_in: str | None = "host"
    free_form: bool = False
    replay: bool = False
    event_time: str | None = "timestamp"
    columns: tuple[tuple[str, str], ...] = (
        ("timestamp", "timestamp"),
        ("metric", "string"),
        ("value", "double"),
        ("labels", "json"),
    )
    options = PrometheusOptions

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream; short names of metrics become those of their series."""
        return PrometheusOptions.model_validate(values).model_dump(mode="json")

    def open(self, stream: Stream, context: SourceContext) -> PrometheusSource:
        """A reader of the stream's metrics; the connection is made on first use."""
        return PrometheusSource(stream, context)

    def inspect(self, stream: Stream, context: SourceContext) -> tuple[str, ...]:
        """The metrics that have no value now; UsageError with the server's words where a query is wrong."""
        server = Server(context)
        try:
            queries = queries_of(PrometheusOptions.model_construct(**stream.options))
            return tuple(f"metric `{m}` yields nothing now: {q}" for m, q in queries.items() if not server.value(q))
        finally:
            server.close()


adapter = PrometheusAdapter()
