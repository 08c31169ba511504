"""The serving process: the application on a loopback port, until it is told to stop."""

from __future__ import annotations

import time
from collections.abc import Sequence

import uvicorn

from tusk_platform.plan.nodes import Plan
from tusk_platform.serving.app import create_app
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake


def serve(plan: Plan, home: Home, port: int, *, links: Sequence[tuple[str, str]] = ()) -> None:
    """Serve pages and receiver at 127.0.0.1 until SIGTERM or SIGINT."""
    servers: list[uvicorn.Server] = []
    app = create_app(
        plan,
        Lake(home.lake, compression=plan.runtime.compression),
        home=home,
        clock=lambda: time.time_ns() // 1000,
        links=links,
        stopping=lambda: any(s.should_exit for s in servers),
    )
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    servers.append(uvicorn.Server(config))
    servers[0].run()
