"""Circuit breakers: a connection that keeps failing is left alone for a while, and everybody can see that it is."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

import psutil
import pybreaker

from tusk_platform.errors import Unavailable
from tusk_platform.ports import Batch, Budget, Position, Source

# Failures in a row before a connection is left alone, and for how long.
FAILURES: Final = 5
PAUSE_SECONDS: Final = 5.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Circuit:
    """A connection that failed again and again: left alone (open), or just tried again (half-open)."""

    connection: str
    state: Literal["open", "half-open"]
    since: int
    reason: str


class Breaker(pybreaker.CircuitBreakerListener):
    """The circuit of one connection in this process, shared by all sources that read through it.

    What it is while not closed stands in a file of its own in ``folder``, for pages of other processes.
    """

    def __init__(self, connection: str, folder: Path, *, pause: float = PAUSE_SECONDS) -> None:
        self._connection = connection
        self._file = folder / f"{connection}.{os.getpid()}.json"
        self._pause = pause
        self._reason = ""
        self._since = 0
        self._breaker = pybreaker.CircuitBreaker(
            FAILURES,
            pause,
            exclude=[lambda error: not isinstance(error, Unavailable)],
            listeners=[self],
            name=connection,
            throw_new_error_on_trip=False,
        )

    def call(self, read: Callable[[], T]) -> T:
        """What ``read`` returns; Unavailable with the last reason, at once, while the connection is left alone."""
        try:
            # By its state and not by itself: the breaker would hold its lock, and one stream wait for another's read.
            return self._breaker.state.call(read)
        except pybreaker.CircuitBreakerError:
            raise Unavailable(
                f"{self._reason} (left alone after {FAILURES} failures, tried again within {self._pause:g} s)"
            ) from None

    def guard(self, source: Source) -> Source:
        """The source, its reads through this circuit."""
        return _Guarded(source, self)

    def failure(self, cb: pybreaker.CircuitBreaker, exc: BaseException) -> None:  # noqa: ARG002 - the library's
        """Keeps the reason."""
        self._reason = str(exc)

    def state_change(
        self,
        cb: pybreaker.CircuitBreaker,  # noqa: ARG002 - the library's
        old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:
        """Tells the other processes. One that cannot be told is no reason not to read."""
        if old_state is None or old_state.name == pybreaker.STATE_CLOSED:
            self._since = time.time_ns() // 1000
        with suppress(OSError):
            if new_state.name == pybreaker.STATE_CLOSED:
                self._file.unlink(missing_ok=True)
                return
            state = cast("Literal['open', 'half-open']", new_state.name)
            told = Circuit(self._connection, state, self._since, self._reason)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._file.with_suffix(".new")
            fresh.write_text(json.dumps(asdict(told)), encoding="utf-8")
            fresh.replace(self._file)


class _Guarded:
    def __init__(self, source: Source, breaker: Breaker) -> None:
        self._source = source
        self._breaker = breaker

    def partitions(self) -> tuple[str, ...]:
        return self._breaker.call(self._source.partitions)

    def read(self, position: Position, budget: Budget) -> Batch:
        return self._breaker.call(lambda: self._source.read(position, budget))

    def acknowledge(self, position: Position) -> None:
        self._source.acknowledge(position)

    def lag(self, position: Position) -> int | None:
        return self._source.lag(position)

    def close(self) -> None:
        self._source.close()


def not_closed(folder: Path) -> dict[str, Circuit]:
    """The circuits of living processes that are not closed, by connection: of several the one that opened first."""
    found: dict[str, Circuit] = {}
    for file in sorted(folder.glob("*.json")):
        if not psutil.pid_exists(int(file.suffixes[-2].removeprefix("."))):
            file.unlink(missing_ok=True)
            continue
        with suppress(OSError, ValueError):  # closed this moment
            values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            circuit = Circuit(**values)
            if circuit.connection not in found or circuit.since < found[circuit.connection].since:
                found[circuit.connection] = circuit
    return found
