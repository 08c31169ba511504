"""Requests to the application without a network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.applications import Starlette


@dataclass(frozen=True, slots=True)
class Browser:
    """Sends one request at a time, as a page of this server would."""

    app: Starlette
    host: str = "127.0.0.1:3001"

    def get(self, path: str, **headers: str) -> httpx.Response:
        """The answer to a GET."""
        return self.send("GET", path, headers=headers)

    def post(self, path: str, body: bytes, kind: str = "application/json", **headers: str) -> httpx.Response:
        """The answer to a POST."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("POST", path, content=body, headers={"content-type": kind, **named})

    def send(self, method: str, path: str, **values: Any) -> httpx.Response:  # noqa: ANN401 - what httpx takes
        """The answer to a request."""

        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{self.host}") as client:
                return await client.request(method, path, **values)

        return asyncio.run(sent())
