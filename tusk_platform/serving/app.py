"""The web application: dashboards, their live events, the JSON behind them, and the receiver of pushed events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tusk_platform.plan.nodes import Plan
from tusk_platform.runtime.circuits import not_closed
from tusk_platform.serving.board import Board
from tusk_platform.serving.guard import LOOPBACK, Guard
from tusk_platform.serving.pages import HERE, Pages
from tusk_platform.serving.receiver import Receiver
from tusk_platform.serving.site import Site
from tusk_platform.serving.warehouse import LakeWarehouse
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.memory import trim
from tusk_platform.units import SECOND


def create_app(
    plan: Plan,
    lake: Lake,
    *,
    home: Home,
    clock: Callable[[], int],
    links: Sequence[tuple[str, str]] = (),
    hosts: Sequence[str] = LOOPBACK,
    stopping: Callable[[], bool] = lambda: False,
) -> Starlette:
    """The application for one plan and lake.

    ``links`` are (title, address) of other pages of the platform, ``hosts`` the names it answers to, ``stopping`` is
    asked by open event streams whether to end.
    """
    warehouse = LakeWarehouse(plan, lake)
    board = Board(plan, warehouse, Pages(plan, links), clock)
    receiver = Receiver(plan, home.log, warehouse.position)
    site = Site(
        plan, board, receiver, warehouse, clock=clock, stopping=stopping, circuits=partial(not_closed, home.circuits)
    )
    memory = plan.runtime.memory

    async def trimmed() -> None:
        trim(memory)
        while True:
            await anyio.sleep(memory.trim_every / SECOND)
            await anyio.to_thread.run_sync(warehouse.trim)
            await anyio.to_thread.run_sync(trim, memory)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            # The first look at a long history takes seconds; whoever comes first should not wait for it.
            tasks.start_soon(anyio.to_thread.run_sync, board.warm)
            tasks.start_soon(trimmed)
            yield
            tasks.cancel_scope.cancel()
        warehouse.close()

    return Starlette(
        routes=[
            Route("/", site.index),
            Route("/dashboards/{name}", site.page),
            Route("/dashboards/{name}/events", site.events),
            Route("/api/dashboards/{name}", site.data),
            Route("/streams/{stream}/events", receiver.receive, methods=["POST"]),
            Route("/health/live", site.alive),
            Route("/health/ready", site.ready),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Guard, hosts=tuple(hosts))],
        exception_handlers={HTTPException: site.refused, Exception: site.broken},
        lifespan=lifespan,
    )
