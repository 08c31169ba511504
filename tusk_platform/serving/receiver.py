"""Pushed events: checked, appended to the embedded log, and only then answered with 202."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from tusk_platform.errors import TuskError, nearest
from tusk_platform.plan.nodes import Plan, Stream
from tusk_platform.serving.bodies import Bounds, Unacceptable, collected, split
from tusk_platform.serving.silence import PUSHED
from tusk_platform.storage.log import EventLog

# More unread events than this and the sender is asked to wait: a reader that is down must not fill the disk.
MOST_WAITING: Final = 1_000_000
_LONGEST_KEY: Final = 255

_logger = logging.getLogger(__name__)


class Receiver:
    """``POST /streams/{stream}/events``. ``position`` is the next offset that ingest will read of a stream."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        position: Callable[[Stream], int],
        *,
        bounds: Bounds | None = None,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.plan = plan
        self._folder = folder
        self._position = position
        self._bounds = bounds or Bounds()
        self._most_waiting = most_waiting
        self._logs: dict[str, EventLog] = {}

    async def receive(self, request: Request) -> Response:
        """202 with the offsets of events that no crash will lose, or why nothing was taken."""
        try:
            stream = self.stream(request.path_params["stream"])
            key = _key(request)
            events = split(request.headers.get("content-type", ""), await self._body(request), stream, self._bounds)
            first, after = await anyio.to_thread.run_sync(self._append, stream, events, key)
        except Unacceptable as no:
            headers = {"retry-after": "5"} if no.status in {429, 503} else {}
            return JSONResponse({"error": no.message, "hint": no.hint}, no.status, headers)
        except ClientDisconnect:
            return Response(status_code=400)
        taken = after - first
        answer = {"stream": stream.name, "accepted": taken, "repeated": len(events) - taken}
        return JSONResponse(answer | {"first_offset": first, "next_offset": after}, 202)

    def stream(self, name: str) -> Stream:
        """The stream that may be pushed to."""
        if name not in self.plan.stream_names:
            raise Unacceptable(404, f"there is no stream `{name}`", nearest(name, self.plan.stream_names))
        stream = self.plan.stream(name)
        if stream.adapter in PUSHED:
            return stream
        if stream.connection:
            raise Unacceptable(409, f"`{name}` is read from its own {stream.source}", f"publish there: {stream.source}")
        raise Unacceptable(409, f"`{name}` is read from its source ({stream.source}) and takes no pushed events",
                           'a stream with `source = "http"` does')  # fmt: skip

    def waiting(self, stream: Stream) -> int | None:
        """Events in the log that ingest has not read; None where the stream has no log."""
        if stream.adapter not in PUSHED:
            return None
        log = self._log(stream)
        return max(0, log.end() - max(self._position(stream), log.start()))

    async def _body(self, request: Request) -> bytes:
        announced = request.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._bounds.body:
            raise Unacceptable(413, f"the body is longer than {self._bounds.body:,} bytes", "send several requests")
        return await collected(request.stream(), request.headers.get("content-encoding", ""), self._bounds)

    def _append(self, stream: Stream, events: list[bytes], key: str | None) -> tuple[int, int]:
        try:
            waiting = self.waiting(stream) or 0
            if waiting + len(events) > self._most_waiting:
                raise Unacceptable(429, f"{waiting:,} events of `{stream.name}` wait to be ingested",
                                   f"is it running? `tusk ingest {stream.name}`")  # fmt: skip
            return self._log(stream).append(events, producer="http", keys=_keys(key, events))
        except TuskError as error:
            _logger.warning("stream %s: %s", stream.name, error)
            raise Unacceptable(503, f"the log cannot be written: {error}") from error

    def _log(self, stream: Stream) -> EventLog:
        if stream.name not in self._logs:
            self._logs[stream.name] = EventLog(self._folder, stream.name)
        return self._logs[stream.name]


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise Unacceptable(400, f"an idempotency key has 1 to {_LONGEST_KEY} characters")
    return key


def _keys(key: str | None, events: list[bytes]) -> list[str | None]:
    """A key for each event. The body is part of it: one key used for two bodies must not lose the second."""
    if key is None:
        return [None] * len(events)
    digest = hashlib.sha256(b"\n".join(events)).hexdigest()[:32]
    return [f"{key}/{digest}/{number}" for number in range(len(events))]
