"""The endpoints: pages, live events, JSON and health. What goes wrong is told, never shown as a traceback."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Final, Protocol

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from tusk_platform.core.formats import NOTHING, Unit
from tusk_platform.errors import TuskError, nearest
from tusk_platform.plan.nodes import Dashboard, Plan, Stream
from tusk_platform.runtime.circuits import Circuit
from tusk_platform.serving.board import Board, Stamped
from tusk_platform.serving.guard import HEADERS
from tusk_platform.serving.kept import CacheFacts
from tusk_platform.serving.live import MOST_LISTENERS, news
from tusk_platform.serving.pages import LeftAlone, StreamRow
from tusk_platform.serving.receiver import Receiver
from tusk_platform.serving.silence import next_step
from tusk_platform.serving.wire import as_json, written_time

_FRESH: Final[Mapping[str, str]] = {"cache-control": "no-store"}
_logger = logging.getLogger(__name__)


class Ledger(Stamped, Protocol):
    """A warehouse that also knows how much there is and how far it was read."""

    def counts(self, stream: Stream) -> tuple[int, int]:
        """Good and quarantined events in the lake."""
        ...

    def position(self, stream: Stream) -> int:
        """The next offset of the embedded log that ingest will read."""
        ...

    def cache(self) -> CacheFacts:
        """How well the cache of answers does."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Site:
    """Endpoints of one plan."""

    def __init__(
        self,
        plan: Plan,
        board: Board,
        receiver: Receiver,
        warehouse: Ledger,
        *,
        clock: Callable[[], int],
        stopping: Callable[[], bool],
        circuits: Callable[[], Mapping[str, Circuit]],
    ) -> None:
        self.plan = plan
        self._circuits = circuits
        self._stopping = stopping
        self._board = board
        self._receiver = receiver
        self._warehouse = warehouse
        self._clock = clock
        self._listeners = 0

    async def index(self, _: Request) -> Response:
        """The overview page."""
        html = await anyio.to_thread.run_sync(self._overview)
        return HTMLResponse(html, headers=_FRESH)

    async def page(self, request: Request) -> Response:
        """A dashboard's page."""
        dashboard = self._dashboard(request)
        chosen = self._board.chosen(dashboard, request.query_params)
        shown = await anyio.to_thread.run_sync(self._board.snapshot, dashboard, chosen)
        html = self._board.pages.dashboard(
            dashboard, shown.panels, shown.fragments,
            as_of=shown.as_of, trouble=shown.trouble, chosen=chosen, version=shown.version,
        )  # fmt: skip
        return HTMLResponse(html, headers=_FRESH)

    async def data(self, request: Request) -> Response:
        """A dashboard's widgets as JSON."""
        dashboard = self._dashboard(request)
        chosen = self._board.chosen(dashboard, request.query_params)
        shown = await anyio.to_thread.run_sync(self._board.snapshot, dashboard, chosen)
        answer = {
            "dashboard": dashboard.name,
            "as_of": written_time(shown.as_of),
            "timezone": self.plan.runtime.timezone,
            "refresh_interval_seconds": dashboard.refresh_interval / 1_000_000,
            "trouble": shown.trouble,
            "stale": shown.stale,
            "widgets": [as_json(p) for p in shown.panels],
        }
        return JSONResponse(answer, headers=_FRESH)

    async def events(self, request: Request) -> Response:
        """A dashboard's live events."""
        dashboard = self._dashboard(request)
        if self._listeners >= MOST_LISTENERS:
            raise HTTPException(503, "too many pages are open", {"retry-after": "10"})
        chosen = self._board.chosen(dashboard, request.query_params)
        version = request.headers.get("last-event-id") or request.query_params.get("version", "")
        stream = news(self._board, dashboard, chosen, version=version, stopping=self._stopping)

        async def counted() -> AsyncIterator[bytes]:
            with self._listening():
                async for event in stream:
                    yield event

        headers = {**_FRESH, "x-accel-buffering": "no"}
        return StreamingResponse(counted(), media_type="text/event-stream", headers=headers)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        self._listeners += 1
        try:
            yield
        finally:
            self._listeners -= 1

    async def alive(self, _: Request) -> Response:
        """The process answers."""
        return JSONResponse({"status": "alive"}, headers=_FRESH)

    async def ready(self, _: Request) -> Response:
        """The lake can be read, so pages can be shown."""
        try:
            await anyio.to_thread.run_sync(self._read_something)
        except TuskError as error:
            return JSONResponse({"status": "not ready", "reason": str(error)}, 503, _FRESH)
        return JSONResponse({"status": "ready", "cache": asdict(self._warehouse.cache())}, headers=_FRESH)

    async def refused(self, request: Request, error: Exception) -> Response:
        """An HTTP error as JSON for programs, as a page for people."""
        if not isinstance(error, HTTPException):
            raise error
        reason, _, hint = error.detail.partition("; ")
        if "text/html" in request.headers.get("accept", "") and request.method in {"GET", "HEAD"}:
            return HTMLResponse(
                self._board.pages.error(error.status_code, reason, hint), error.status_code, error.headers
            )
        return JSONResponse({"error": reason, "hint": hint}, error.status_code, error.headers)

    async def broken(self, request: Request, error: Exception) -> Response:
        """Our mistake: the log has the traceback, the answer has none."""
        _logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return JSONResponse({"error": "this request failed; the log of the serving process says why"}, 500, HEADERS)

    def _read_something(self) -> None:
        self._warehouse.rows("select 1")
        for stream in self.plan.streams[:1]:
            self._warehouse.state(stream)

    def _dashboard(self, request: Request) -> Dashboard:
        known = {d.name: d for d in self.plan.dashboards}
        name = request.path_params["name"]
        if name not in known:
            raise HTTPException(404, f"there is no dashboard `{name}`; {nearest(name, known)}")
        return known[name]

    def _overview(self) -> str:
        now = self._clock()
        pages, cache = self._board.pages, self._warehouse.cache()
        circuits = self._circuits()
        alone = [LeftAlone(name, pages.day(c.since, now), c.reason) for name, c in sorted(circuits.items())]
        rows, trouble = [], ""
        try:
            # One look, so that all of a row is of the same commits.
            self._warehouse.stamp(frozenset(self.plan.stream_names), frozenset())
            rows = [self._row(s, now, left_alone=s.connection in circuits) for s in self.plan.streams]
        except TuskError as error:
            trouble = f"The lake cannot be read: {error}"
        return pages.index(rows, as_of=now, cache=cache, left_alone=alone, trouble=trouble)

    def _row(self, stream: Stream, now: int, *, left_alone: bool) -> StreamRow:
        count = Unit().write
        state = self._warehouse.state(stream)
        ok, quarantined = self._warehouse.counts(stream)
        newest = self._warehouse.newest(stream)
        waiting = self._receiver.waiting(stream)
        standing_in = {"log": "embedded log", "host": "this machine"}.get(stream.adapter, "")
        return StreamRow(
            name=stream.name,
            source=stream.source,
            embedded=standing_in if stream.adapter != stream.source else "",
            demo=state.demo,
            events=count(ok),
            quarantined=count(quarantined),
            troubled=quarantined > 0,
            waiting=NOTHING if waiting is None else count(waiting),
            newest=None if newest is None else self._board.pages.day(newest, now),
            command=next_step(stream),
            left_alone=left_alone,
        )
