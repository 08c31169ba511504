"""Waiting for PostgreSQL only so long: a server may be there, take what is sent, and never answer."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import psycopg
    from psycopg.pq import abc

# Seconds that most questions may take.
ORDINARY: Final = 20.0


def connected(info: str, limit: Callable[[], float]) -> psycopg.Connection[tuple[Any, ...]]:
    """A connection that closes itself where the server says nothing for so many seconds while it is asked."""
    import psycopg

    class Limited(psycopg.Connection[tuple[Any, ...]]):
        def wait(self, gen: Generator[Any, Any, Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the library's
            return super().wait(self._limited(gen), *args, **kwargs)

        def _limited(self, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
            seconds = limit()
            deadline = time.monotonic() + seconds
            try:
                wanted = next(steps)
                while True:
                    ready = yield wanted
                    if not ready and time.monotonic() > deadline:
                        self.pgconn.finish()
                        raise psycopg.OperationalError(_silent(seconds))
                    wanted = steps.send(ready)
            except StopIteration as ended:
                return ended.value

    return Limited.connect(info, autocommit=True)


def result_of(connection: abc.PGconn, statement: str, limit: float = ORDINARY) -> abc.PGresult:
    """The first result of a statement on a connection of the library below; OperationalError where none comes."""
    import psycopg

    deadline = time.monotonic() + limit
    connection.send_query(statement.encode())
    poll = select.poll()
    poll.register(connection.socket, select.POLLIN)
    while connection.is_busy():
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise psycopg.OperationalError(_silent(limit))
        connection.consume_input()
    result = connection.get_result()
    if result is None:
        raise psycopg.OperationalError("the connection was closed")
    return result


def _silent(limit: float) -> str:
    return f"no answer within {limit:g} seconds"
