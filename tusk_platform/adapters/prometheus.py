"""What a Prometheus server is asked over HTTP, and what its refusals mean."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.ports import SourceContext
from tusk_platform.units import SECOND

if TYPE_CHECKING:
    from httpx import Client

# Seconds: for the server to answer at all, and for a long range.
_CONNECT: Final = 5.0
_ANSWER: Final = 60.0


class Server:
    """A server by its connection; the client is made on first use."""

    def __init__(self, context: SourceContext) -> None:
        self._said = context.connection
        self._client: Client | None = None

    @property
    def where(self) -> str:
        """Its address, which holds no secret."""
        return f"Prometheus at {self._said.get('url')}"

    def now(self) -> int:
        """The server's own clock, in microseconds: what is complete is a matter between its clock and its samples."""
        return round(float(self._ask("query", {"query": "time()"})["result"][0]) * SECOND)

    def value(self, query: str) -> list[Any]:
        """What an expression says now; UsageError with the server's words where it is wrong."""
        found = self._ask("query", {"query": query})
        return found["result"] if found["resultType"] == "vector" else [found["result"]]

    def range(self, query: str, start: int, end: int, step: int) -> list[Any]:
        """The series of an expression at each step from start to end (microseconds UTC)."""
        times = {name: f"{at // SECOND}.{at % SECOND:06}" for name, at in (("start", start), ("end", end))}
        found: list[Any] = self._ask("query_range", {"query": query, **times, "step": str(step / SECOND)})["result"]
        return found

    def close(self) -> None:
        """Let go of the connection; the next use makes another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, what: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        import httpx

        try:
            answer = self._connected().get(f"/api/v1/{what}", params=dict(parameters))
        except httpx.TimeoutException as error:
            raise Unavailable(f"{self.where} does not answer in time") from error
        except httpx.TransportError as error:
            raise Unavailable(f"{self.where} does not answer: {error}") from error
        if answer.status_code in {401, 403}:
            raise Unavailable(f"{self.where} refuses: {answer.status_code} {answer.reason_phrase}")
        try:
            found = orjson.loads(answer.content)
            data: dict[str, Any] = found["data"] if found["status"] == "success" else {}
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise Unavailable(
                f"{self.where} answers {answer.status_code} and not as a Prometheus server does"
            ) from error
        if data:
            return data
        if answer.status_code in {400, 422}:
            raise UsageError(f"{self.where} refuses `{parameters['query']}`: {found.get('error')}")
        raise Unavailable(f"{self.where} fails: {found.get('error')}")

    def _connected(self) -> Client:
        if self._client is None:
            from httpx import Client, Timeout

            url = str(self._said.get("url") or "")
            if not url:
                raise UsageError("`connections.prometheus` has no value for `url`")
            name, password, token = (self._said.get(k) for k in ("username", "password", "token"))
            self._client = Client(
                base_url=url.rstrip("/"),
                auth=(str(name), str(password or "")) if name and not token else None,
                headers={"Authorization": f"Bearer {token}"} if token else None,
                timeout=Timeout(_ANSWER, connect=_CONNECT),
                # Who this machine trusts, and not who the library does.
                verify=ssl.create_default_context() if url.startswith("https:") else True,
            )
        return self._client
