"""Trying the connections of a plan before anything runs: who answers, and what there differs from the config."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tusk_platform.errors import Problem, Unavailable, UsageError
from tusk_platform.plan.nodes import Connection, Plan, Stream
from tusk_platform.ports import Inspector, source_adapter
from tusk_platform.runtime.environment import connection_values, home_of, source_context


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it: problems, the connections that were tried, and those that nothing of the config can try."""

    problems: tuple[Problem, ...] = ()
    tried: tuple[str, ...] = ()
    untried: tuple[str, ...] = ()


def try_connections(plan: Plan, config: Path) -> Tried:
    """Ask each connection, through the streams that use it; nothing outside is changed.

    A difference is a warning at its stream, a connection that does not answer or refuses us an error at its own line.
    One that lacks a variable is left out: that is told where the variable is named.
    """
    problems: list[Problem] = []
    tried: list[str] = []
    untried: list[str] = []
    for connection in plan.connections:
        ways = [s for s in plan.streams if s.connection == connection.name and _inspector(s)]
        if not ways:
            untried.append(connection.name)
        elif _whole(connection):
            tried.append(connection.name)
            problems += _asked(plan, connection, ways, config)
    return Tried(tuple(problems), tuple(tried), tuple(untried))


def is_inspected(stream: Stream) -> bool:
    """Whether something outside can be looked at for a stream."""
    return stream.connection is not None and _inspector(stream) is not None


def differences(plan: Plan, stream: Stream, config: Path) -> tuple[str, ...]:
    """What is outside of a stream and not as the config says, a sentence each; also that nobody answers."""
    inspector = _inspector(stream)
    if inspector is None:
        return ()
    try:
        return inspector.inspect(stream, source_context(plan, stream, config, home_of(config)))
    except (Unavailable, UsageError) as error:
        return (str(error),)


def _inspector(stream: Stream) -> Inspector | None:
    adapter = source_adapter(stream.adapter)
    return adapter if isinstance(adapter, Inspector) else None


def _whole(connection: Connection) -> bool:
    """Whether every variable of a connection is set."""
    try:
        connection_values(connection)
    except Unavailable:
        return False
    return True


def _asked(plan: Plan, connection: Connection, streams: list[Stream], config: Path) -> list[Problem]:
    found: list[Problem] = []
    for stream in streams:
        inspector = _inspector(stream)
        if inspector is None:
            continue
        try:
            differences = inspector.inspect(stream, source_context(plan, stream, config, home_of(config)))
        except (Unavailable, UsageError) as error:
            # The next stream would hear the same, and wait as long for it.
            at = connection.origin
            return [*found, Problem(at.span, at.key, str(error), f"tried for stream `{stream.name}`")]
        at = stream.origin
        found += [
            Problem(at.span, at.key, text, "nothing was changed: change one of them", "warning") for text in differences
        ]
    return found
