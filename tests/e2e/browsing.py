"""A real headless browser, and the application served for it on a free loopback port."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.applications import Starlette

_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    """The installed Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visited(browser: Browser, address: str, **options: Any) -> Iterator[Page]:  # noqa: ANN401 - what playwright takes
    """A page that is open; afterwards nothing may have failed in it and nothing been fetched from elsewhere."""
    options.setdefault("viewport", {"width": 1440, "height": 900})
    page = browser.new_context(**options).new_page()
    wrong: list[str] = []
    fetched: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(address)
    yield page
    page.context.close()
    origin = "/".join(address.split("/")[:3])
    assert all(url.startswith(origin) for url in fetched), fetched
    # A server that was stopped on purpose is told as a failed connection.
    assert [w for w in wrong if "ERR_CONNECTION_REFUSED" not in w and "ERR_INCOMPLETE_CHUNKED" not in w] == []


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """An application on a port, in a thread; it can be stopped and started again there."""

    def __init__(self, app: Starlette, port: int | None = None) -> None:
        self.port = port or free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.stopping = False
        config = uvicorn.Config(app, port=self.port, log_level="critical", timeout_graceful_shutdown=1, lifespan="on")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)

    def start(self) -> Served:
        """Listen."""
        self._thread.start()
        while not self._server.started:
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        """End open connections and stop listening."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
