"""The small contracts between floors: what a source, an engine and a quality checker are, and how one is found."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal, Protocol, runtime_checkable

import pyarrow as pa

from tusk_platform.errors import UsageError, nearest
from tusk_platform.plan.nodes import Op, Plan, Stream
from tusk_platform.plan.profile import Compression

# What a source may keep beside a payload: the names under which rows carry it.
BESIDE: Final = ("_key", "_headers")
# Partition -> next offset to read: exactly what the lake stores as transaction versions.
Position = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds of one read: at most so many rows, waiting at most so many seconds for the first of them."""

    rows: int = 10_000
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened to rows of a table, an entry a record.

    ``keys`` are the rows' primary keys as text, ``lsns`` where in the table's history it happened (a number that does
    not fall). An update is two records, the row before and the row after it, in that order.
    """

    ops: Sequence[Op]
    lsns: Sequence[int]
    keys: Sequence[str]

    def first(self, count: int) -> Changes:
        """Those of the first so many records."""
        return Changes(self.ops[:count], self.lsns[:count], self.keys[:count])


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one partition in offset order.

    Either ``payloads`` (one undecoded event each, None for a tombstone) or ``rows`` (an Arrow table whose columns carry
    the events' own names) is given. ``arrivals`` are microseconds UTC and only there where the source knows them.
    ``next_offset`` is the position after the last record; it may run ahead of ``offsets[-1] + 1``.
    ``broken`` says, where the source knows, why none of these payloads can be decoded: they go to quarantine.
    ``changes`` come with the records of a change stream, and only with those.
    ``beside`` is what stood beside each payload and is kept with it: a JSON object of ``BESIDE`` as text, or None.
    """

    partition: str
    offsets: Sequence[int]
    next_offset: int
    payloads: Sequence[bytes | None] | None = None
    rows: pa.Table | None = None
    arrivals: Sequence[int] | None = None
    broken: str | None = None
    changes: Changes | None = None
    beside: Sequence[str | None] | None = None

    def first(self, count: int) -> Chunk:
        """The first so many records, with all that is known of them."""
        return replace(
            self,
            offsets=self.offsets[:count],
            payloads=None if self.payloads is None else self.payloads[:count],
            rows=None if self.rows is None else self.rows.slice(0, count),
            arrivals=None if self.arrivals is None else self.arrivals[:count],
            changes=None if self.changes is None else self.changes.first(count),
            beside=None if self.beside is None else self.beside[:count],
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """What one read brought, of a partition one or several chunks in offset order.

    ``at_end`` are the partitions known to be read to their end.
    """

    chunks: tuple[Chunk, ...]
    at_end: frozenset[str] = frozenset()

    @property
    def rows(self) -> int:
        """Number of records."""
        return sum(len(c.offsets) for c in self.chunks)


class Source(Protocol):
    """A replayable log: reading twice from one position brings the same records in the same order."""

    def partitions(self) -> tuple[str, ...]:
        """All partitions, also those without records."""
        ...

    def read(self, position: Position, budget: Budget) -> Batch:
        """Records from ``position`` on; an absent partition starts at its beginning. Unavailable when it cannot."""
        ...

    def acknowledge(self, position: Position) -> None:
        """Told after the commit; a hint only, may be lost."""
        ...

    def lag(self, position: Position) -> int | None:
        """Records behind the source's end, or None where that cannot be known."""
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...


@runtime_checkable
class FromTheFirst(Protocol):
    """A source that knows whether it still begins with the first records it ever had."""

    def whole(self) -> bool:
        """Whether no partition has lost records at its beginning."""
        ...


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What an adapter may use: the resolved connection (secrets in clear, never to be logged) and its folders.

    ``parallelism``: partitions read at once. ``compression``: that of what is sent.
    """

    connection: Mapping[str, Any] = field(default_factory=dict)
    config_folder: Path = Path()
    log_folder: Path = Path()
    parallelism: int = 1
    compression: Compression = Compression()


@runtime_checkable
class SourceAdapter(Protocol):
    """What an entry point of ``tusk.sources`` names.

    ``check_options`` takes the stream's own keys, returns them with defaults filled in, and raises the ValueErrors
    of pydantic for what is wrong. ``connection`` names the key of `connections` it needs (None: none).
    ``stand_in`` is the adapter used without that connection. ``free_form``: events carry keys of their own.
    ``replay``: a file-like source without a live watermark. ``event_time`` is the column name a source dictates.
    ``columns`` are columns the source itself states, as (name, type).
    """

    name: str
    connection: str | None
    stand_in: str | None
    free_form: bool
    replay: bool
    event_time: str | None
    columns: tuple[tuple[str, str], ...]

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream."""
        ...

    def open(self, stream: Stream, context: SourceContext) -> Source:
        """A source ready to read; connections are made on first use."""
        ...


@runtime_checkable
class Publisher(Protocol):
    """A source adapter that events can also be written through."""

    def publish(self, stream: Stream, context: SourceContext, events: Sequence[bytes]) -> None:
        """Write undecoded events, durable on return; Unavailable names what was not written."""
        ...


@runtime_checkable
class Inspector(Protocol):
    """A source adapter that can compare what is outside with the config, changing nothing."""

    def inspect(self, stream: Stream, context: SourceContext) -> tuple[str, ...]:
        """The differences, a sentence each; Unavailable or UsageError where it cannot be reached or is refused."""
        ...


@dataclass(frozen=True, slots=True)
class Stated:
    """What a stream's own keys say of its events.

    ``columns`` come after those of the adapter, as (name, type). ``dedup_key``: what makes two events the same one.
    ``arrival_time``: an event without a time of its own happened when it arrived. ``poll_interval``: microseconds
    between two reads. ``step``: microseconds between two points of its metrics, where the source has such a clock.
    ``changes``: records say what happened to rows of a table.
    """

    columns: tuple[tuple[str, str], ...] = ()
    dedup_key: tuple[str, ...] = ()
    arrival_time: bool = False
    poll_interval: int | None = None
    step: int | None = None
    changes: bool = False


@runtime_checkable
class Stating(Protocol):
    """A source adapter that knows more of its events once a stream's own keys are there."""

    def stated(self, options: Mapping[str, Any]) -> Stated:
        """What the validated keys say."""
        ...


@runtime_checkable
class Described(Protocol):
    """A source adapter whose own keys can be listed: ``options`` is their schema, fields with descriptions."""

    options: type[Any]


@runtime_checkable
class Passing(Protocol):
    """A source adapter whose records cannot be read a second time; ``passing`` says why."""

    passing: str


@runtime_checkable
class Receiving(Protocol):
    """A source adapter whose events come to rest in a log here; a second receiver would take them from the first."""

    def history(self, stream: Stream, context: SourceContext) -> Source:
        """What the log still holds; whoever is outside is neither asked nor told anything."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A source adapter that keeps, beside its log, what each row of a table was when it was last told."""

    def lost(self, stream: Stream, context: SourceContext, position: int) -> bool:
        """Whether the log does not reach a position up to which it was read, and can begin there again."""
        ...

    def remember(self, stream: Stream, context: SourceContext, position: int, images: Mapping[str, bytes]) -> None:
        """Begin the log again at a position: what each row was, by its key."""
        ...


@runtime_checkable
class Waiting(Protocol):
    """A source adapter that checks its keys but reads nothing yet; ``not_yet`` says so, and what is read instead.

    ``in_use`` are those of its keys that have their effect all the same.
    """

    not_yet: str
    in_use: frozenset[str]


@dataclass(frozen=True, slots=True)
class Windows:
    """Those that start from ``since`` on and before ``until``, microseconds UTC; ``ending``: and that end by then.

    ``complete``: raw holds all their events, whatever retention has once removed.
    """

    since: int
    until: int
    ending: int | None = None
    complete: bool = False


class Engine(Protocol):
    """What computes aggregates: dbt on DuckDB, or another."""

    def refresh(
        self, aggregates: Sequence[str], *, full: bool = False, windows: Windows | None = None
    ) -> tuple[RefreshResult, ...]:
        """Bring the named aggregates up to date with raw, in one call.

        ``full``: computed anew from raw. ``windows``: only these, of aggregates that are up to date, from the batches
        that they hold.
        """
        ...

    def close(self) -> None:
        """Let go of what is kept warm."""
        ...


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """One aggregate or query after a refresh: rows written, last raw batch it holds, seconds spent, or the error."""

    aggregate: str
    rows: int
    through_batch: int
    seconds: float
    error: str | None = None
    schema: Literal["agg", "query"] = "agg"

    @property
    def table(self) -> str:
        """Name of the table that was refreshed."""
        return f"{self.schema}.{self.aggregate}"


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """One expectation over the rows of one validation.

    ``rule`` names it for people and checks (``required:user_id``). ``mostly`` is the share of rows that must keep it.
    ``source`` is the file of a hand-written one.
    """

    stream: str
    expectation: str
    column: str | None
    success: bool
    evaluated: int
    unexpected: int
    through_batch: int
    detail: str = ""
    rule: str = ""
    severity: str = "critical"
    mostly: float = 1.0
    source: str = ""


class Quality(Protocol):
    """What judges rows against a stream's expectation suite."""

    def validate(self, stream: str, rows: pa.Table, *, through_batch: int) -> tuple[ExpectationResult, ...]:
        """Results of the whole suite over ``rows`` (columns as in raw)."""
        ...

    def publish(self) -> None:
        """Bring the pages for people up to date with everything validated so far."""
        ...


EngineFactory = Callable[[Plan, Path, Path], Engine]


def find(group: str, name: str) -> Any:  # noqa: ANN401 - an entry point can be anything; callers know the group's contract
    """The object that entry point ``name`` of ``tusk.<group>`` names; UsageError with the nearest match."""
    known = _entry_points(group)
    if name not in known:
        raise UsageError(f"nothing is installed for {group} `{name}`; {nearest(name, known)}")
    return known[name].load()


def names(group: str) -> tuple[str, ...]:
    """Names of all entry points of ``tusk.<group>``, sorted."""
    return tuple(sorted(_entry_points(group)))


@functools.cache
def _entry_points(group: str) -> Mapping[str, metadata.EntryPoint]:
    # Reads the metadata of every installed package: 50 ms that a file with ten streams would pay thirty times.
    return {e.name: e for e in metadata.entry_points(group=f"tusk.{group}")}


def source_adapter(name: str) -> SourceAdapter:
    """The source adapter of that name, ours or a stranger's."""
    adapter: SourceAdapter = find("sources", name)
    return adapter
