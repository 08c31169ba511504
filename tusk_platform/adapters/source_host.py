"""This machine's own metrics as a source: stand-in of a Prometheus server, in the same long rows.

A machine remembers nothing, so a sample that nobody was there to take is missing for ever: this source is the one that
cannot be read twice from the same position.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import orjson
import psutil
from pydantic import AfterValidator, Field

from tusk_platform.core.system_metrics import LONG_NAMES, long_name
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Batch, Budget, Chunk, Position, SourceContext
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import AtLeastOne, Duration
from tusk_platform.units import SECOND

# Rates need two looks at a counter; before the first sample there is none to compare with.
_FIRST_LOOK: Final = 0.2
_NO_DISK: Final = frozenset({"tmpfs", "overlay", "squashfs", "ramfs", "devtmpfs", "proc", "sysfs", "iso9660"})


def _long(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(long_name, names)))


class HostOptions(Block):
    """Keys of a ``host`` stream."""

    scrape_interval: Duration = Field(default=15 * SECOND, description="How often to measure.", examples=["15s"])
    metrics: Annotated[
        AtLeastOne[
            Literal["cpu", "memory", "disk", "network", "cpu_usage", "memory_usage", "disk_usage", "network_throughput"]
        ],
        AfterValidator(_long),
    ] = Field(
        default=("cpu_usage", "memory_usage", "disk_usage", "network_throughput"),
        description="What to measure.",
        examples=[["cpu", "memory"]],
    )


class Meter:
    """Measures this machine. Rates are over the time since the previous measurement."""

    def __init__(self) -> None:
        self._before: tuple[float, float, int, float] | None = None

    def measure(self) -> dict[str, float]:
        """All metrics by their names: percentages of 100, and bytes per second."""
        if self._before is None:
            self._before = self._counters()
            time.sleep(_FIRST_LOOK)
        busy, idle, moved, at = self._counters()
        busy_before, idle_before, moved_before, at_before = self._before
        self._before = (busy, idle, moved, at)
        spent = (busy - busy_before) + (idle - idle_before)
        memory = psutil.virtual_memory()
        return {
            "cpu_usage": min(100.0, max(0.0, 100 * (busy - busy_before) / spent)) if spent > 0 else 0.0,
            "memory_usage": 100 * (1 - memory.available / memory.total),
            "disk_usage": _fullest_disk(),
            "network_throughput": max(0, moved - moved_before) / max(at - at_before, 1e-6),
        }

    @staticmethod
    def _counters() -> tuple[float, float, int, float]:
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        # Guest time is counted in user time already.
        busy = times.user + times.system + sum(getattr(times, n, 0.0) for n in ("nice", "irq", "softirq", "steal"))
        devices = psutil.net_io_counters(pernic=True)
        moved = sum(n.bytes_sent + n.bytes_recv for name, n in devices.items() if not name.startswith("lo"))
        return busy, idle, moved, time.monotonic()


def _fullest_disk() -> float:
    mounts = [p.mountpoint for p in psutil.disk_partitions(all=False) if p.fstype not in _NO_DISK] or ["/"]
    return max(filter(None, map(_disk_percent, mounts)), default=0.0)


def _disk_percent(mount: str) -> float | None:
    try:
        return float(psutil.disk_usage(mount).percent)
    except OSError:  # a mount we may not look at
        return None


class HostSource:
    """A partition a metric; offsets are the microseconds at which samples were taken, on or after their turn."""

    def __init__(self, metrics: tuple[str, ...], interval: int, now: Callable[[], int]) -> None:
        self._metrics = metrics
        self._interval = interval
        self._now = now
        self._meter = Meter()

    def partitions(self) -> tuple[str, ...]:
        """The metrics that a machine has of those asked for."""
        return self._metrics

    def read(self, position: Position, budget: Budget) -> Batch:
        """One sample of every metric whose turn has come."""
        wait = min((position.get(m, 0) for m in self._metrics), default=0) - self._now()
        if wait > 0 and budget.seconds > 0:
            time.sleep(min(wait / SECOND, budget.seconds))
        # With room for few rows the first metrics must not take every turn: the longest waiting goes first.
        waiting = sorted(self._metrics, key=lambda m: position.get(m, 0))
        due = [m for m in waiting if position.get(m, 0) <= self._now()][: budget.rows]
        measured = self._meter.measure() if due else {}
        now = self._now()
        turn = now - now % self._interval + self._interval
        chunks = tuple(Chunk(m, [now], turn, [_row(m, now, measured[m])], arrivals=[now]) for m in due)
        left = {m for m in self._metrics if m not in due and position.get(m, 0) <= now}
        return Batch(chunks, frozenset(self._metrics) - left)

    def acknowledge(self, position: Position) -> None:
        """Nobody to tell."""

    def lag(self, position: Position) -> int | None:
        """Metrics whose turn has come."""
        return sum(position.get(m, 0) <= self._now() for m in self._metrics)

    def close(self) -> None:
        """Nothing is held."""


def _row(metric: str, at: int, value: float) -> bytes:
    moment = dt.datetime.fromtimestamp(at // SECOND, dt.UTC).replace(microsecond=at % SECOND)
    labels = {"instance": "localhost", "job": "host"}
    return orjson.dumps({"timestamp": moment, "metric": metric, "value": round(value, 4), "labels": labels})


class HostAdapter:
    """``source = "host"``, and what stands in for ``prometheus`` without a connection."""

    name: str = "host"
    passing: str = "what this machine measures is gone once the moment is over"
    connection: str | None = None
    stand_in: str | None = None
    free_form: bool = False
    replay: bool = False
    event_time: str | None = "timestamp"
    columns: tuple[tuple[str, str], ...] = (
        ("timestamp", "timestamp"),
        ("metric", "string"),
        ("value", "double"),
        ("labels", "json"),
    )

    def __init__(self, now: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self.now = now

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream; short names of metrics become those of their series."""
        return HostOptions.model_validate(values).model_dump(mode="json")

    def open(self, stream: Stream, context: SourceContext) -> HostSource:  # noqa: ARG002 - the contract's
        """A source that measures this machine; of a Prometheus stream's metrics it knows the documented four."""
        options = HostOptions.model_construct(**stream.options)
        known = frozenset(LONG_NAMES.values())
        return HostSource(
            tuple(m for m in map(long_name, options.metrics) if m in known), options.scrape_interval, self.now
        )


adapter = HostAdapter()
