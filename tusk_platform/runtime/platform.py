"""One process's view of a running platform: its plan, its lake, and the ports opened on first use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tusk_platform.compile import build, load_plan
from tusk_platform.core.decode import Derive
from tusk_platform.errors import Refused
from tusk_platform.jobs.validate import QUALITY_TABLE
from tusk_platform.plan.nodes import Plan, Stream
from tusk_platform.ports import Engine, Quality, Source, SourceContext, find, source_adapter
from tusk_platform.runtime.apply import Applying, apply
from tusk_platform.runtime.circuits import Breaker
from tusk_platform.runtime.environment import home_of, source_context
from tusk_platform.storage.derive import deriver
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake

_ANYBODY: Final = Applying()


def now() -> int:
    """Microseconds UTC."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class Platform:
    """Plan, state folder and lake, with sources and engine cached for the life of the process."""

    plan: Plan
    home: Home
    lake: Lake
    project: Path
    config: Path
    clock: Callable[[], int] = now
    _sources: dict[str, Source] = field(default_factory=dict)
    _derivers: dict[str, Derive | None] = field(default_factory=dict)
    _breakers: dict[str, Breaker] = field(default_factory=dict)
    _engine: Engine | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def source(self, stream: Stream) -> Source:
        """The stream's source, opened once; Unavailable when its connection lacks a variable."""
        with self._lock:
            if stream.name not in self._sources:
                opened = source_adapter(stream.adapter).open(stream, self.context(stream))
                self._sources[stream.name] = self._guarded(stream, opened)
            return self._sources[stream.name]

    def reads(self, stream: Stream) -> bool:
        """Whether the stream's source is open."""
        with self._lock:
            return stream.name in self._sources

    def _guarded(self, stream: Stream, source: Source) -> Source:
        """The source, with the circuit breaker of its connection around its reads."""
        name = stream.connection
        if name is None or not self.plan.fault_tolerance.circuit_breaker:
            return source
        return self._breakers.setdefault(name, Breaker(name, self.home.circuits)).guard(source)

    def context(self, stream: Stream) -> SourceContext:
        """What the stream's adapter may use."""
        return source_context(self.plan, stream, self.config, self.home)

    def deriver(self, stream: Stream) -> Derive | None:
        """What computes the stream's derived columns, None where it has none."""
        with self._lock:
            if stream.name not in self._derivers:
                self._derivers[stream.name] = deriver(stream)
            return self._derivers[stream.name]

    def engine(self) -> Engine:
        """What computes aggregates, kept warm."""
        with self._lock:
            if self._engine is None:
                self._engine = _engine(self.plan, self.project, self.home)
            return self._engine

    def quality(self) -> Quality:
        """What judges rows; takes seconds to start, so only the process that needs it asks."""
        opened: Quality = find("quality", "great_expectations")(self.plan, self.project / "expectations", self.home)
        return opened

    def close(self) -> None:
        """Let go of every source and of the engine."""
        with self._lock:
            for source in self._sources.values():
                source.close()
            self._sources.clear()
            if self._engine is not None:
                self._engine.close()
                self._engine = None


def open_platform(config: Path, who: Applying = _ANYBODY, *, reading: bool = False) -> Platform:
    """The platform of a config file: compiled, built, its tables there. ConfigError with every mistake.

    A config that has changed is applied first (``runtime.apply``); ``reading``: not here, tables are shown as they are.
    """
    plan = load_plan(config)
    home = home_of(config)
    if home.restore_begun.exists():
        raise Refused(
            f"a restore into {home.root} was begun and not finished: run `tusk restore` again, "
            f"or delete {home.restoring} to begin with an empty lake"
        )
    lake = Lake(home.lake, compression=plan.runtime.compression)
    if reading and lake.exists(QUALITY_TABLE):
        return Platform(plan, home, lake, home.current, config)
    project = home.build

    def prepare() -> Path:
        nonlocal project
        project = build(plan, home, config.parent)
        return project

    engine = apply(plan, home, lake, who, prepare=prepare, engine=lambda built: _engine(plan, built, home))
    return Platform(plan, home, lake, project, config, _engine=engine)


def _engine(plan: Plan, project: Path, home: Home) -> Engine:
    opened: Engine = find("engines", "duckdb")(plan, project / "dbt", home)
    return opened
