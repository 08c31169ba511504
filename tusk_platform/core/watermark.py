"""How far a stream's event time has come: the least of its active partitions' newest times, and never back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from tusk_platform.plan.nodes import END_OF_TIME


@dataclass(frozen=True, slots=True)
class Progress:
    """What is known of one partition: greatest event time read, when it last brought records, whether all is read.

    ``active_at`` is wall-clock microseconds; a partition that never brought any counts from when it was first seen.
    """

    newest: int | None
    active_at: int
    at_end: bool = False

    def idle(self, now: int, timeout: int) -> bool:
        """Whether it holds the watermark back no longer: caught up with its end *and* silent for the timeout."""
        return self.at_end and now - self.active_at >= timeout


@dataclass(frozen=True, slots=True)
class Clocks:
    """All partitions of a stream, and its watermark so far (None: none yet)."""

    partitions: Mapping[str, Progress] = field(default_factory=dict)
    watermark: int | None = None

    def with_partitions(self, names: Iterable[str], now: int) -> Clocks:
        """These partitions, no others; one not known before counts as active from now on."""
        return replace(self, partitions={n: self.partitions.get(n) or Progress(None, now) for n in names})

    def with_read(self, brought: Iterable[str], newest: Mapping[str, int], at_end: Iterable[str], now: int) -> Clocks:
        """After a read: which partitions brought records, their greatest event times, which are read to their end.

        A partition that was at its end stays there until it brings records again.
        """
        brought, at_end = frozenset(brought), frozenset(at_end)
        partitions = {}
        for name, was in self.partitions.items():
            times = [t for t in (was.newest, newest.get(name)) if t is not None]
            partitions[name] = Progress(
                newest=max(times, default=None),
                # Where the wall clock was put back it has been silent since then, not for as long as the clock runs on.
                active_at=now if name in brought else min(was.active_at, now),
                at_end=name in at_end or (was.at_end and name not in brought),
            )
        return replace(self, partitions=partitions)

    def with_watermark(self, now: int, idle_timeout: int, only: Collection[str] | None = None) -> Clocks:
        """The watermark by what is known now, of these partitions if not of all."""
        counted = {n: p for n, p in self.partitions.items() if only is None or n in only}
        return replace(self, watermark=advanced(replace(self, partitions=counted), now, idle_timeout))

    def with_end(self) -> Clocks:
        """For a replay: no watermark until every partition is read to its end, then the end of time."""
        return replace(self, watermark=END_OF_TIME) if self.at_end else self

    @property
    def at_end(self) -> bool:
        """Whether every partition is read to its end."""
        return all(p.at_end for p in self.partitions.values())


def advanced(clocks: Clocks, now: int, idle_timeout: int) -> int | None:
    """The least of the active partitions' newest event times, or the old watermark where that is not before it.

    An active partition without an event time holds it; when all are idle it stays.

    >>> advanced(Clocks({"0": Progress(70, 0), "1": Progress(50, 0)}, watermark=40), now=1, idle_timeout=60)
    50
    """
    times = [p.newest for p in clocks.partitions.values() if not p.idle(now, idle_timeout)]
    known = [t for t in times if t is not None]
    if not known or len(known) < len(times):
        return clocks.watermark
    least = min(known)
    return least if clocks.watermark is None else max(least, clocks.watermark)
