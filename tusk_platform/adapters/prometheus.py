"""What a Prometheus server is asked over HTTP, and what its refusals mean."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

import orjson

from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.ports import SourceContext
from tusk_platform.units import SECOND

if TYPE_CHECKING:
    from httpx import Client

# Seconds: for the server to answer at all, and for a long range.
_CONNECT: Final = 5.0
_ANSWER: Final = 15.0
# Bytes of an answer about several steps: its rows take many times as much of memory.
_LARGEST: Final = 4 * 2**20
_BAD_REQUEST: Final = 400
_NOT_EXECUTED: Final = 422


class TooMuch(UsageError):
    """The server cannot execute the question, or answers too much to it: a shorter range may do."""


class Server:
    """A server by its connection; the client is made on first use."""

    def __init__(self, context: SourceContext) -> None:
        self._said = context.connection
        self._client: Client | None = None

    @property
    def where(self) -> str:
        """Its scheme, host and port: the rest of an address may hold a secret."""
        try:
            found = self._address()
            port = f":{found.port}" if found.port else ""
        except UsageError:
            return "Prometheus"
        return f"Prometheus at {found.scheme}://{found.hostname}{port}"

    def now(self) -> int:
        """The server's own clock, in microseconds: what is complete is a matter between its clock and its samples."""
        return round(float(self._ask("query", {"query": "time()"})["result"][0]) * SECOND)

    def value(self, query: str) -> list[Any]:
        """What an expression says now; UsageError with the server's words where it is wrong."""
        found = self._ask("query", {"query": query})
        return found["result"] if found["resultType"] == "vector" else [found["result"]]

    def range(self, query: str, start: int, end: int, step: int) -> list[Any]:
        """The series of an expression at each step from start to end (microseconds UTC); TooMuch where it is."""
        times = {name: f"{at // SECOND}.{at % SECOND:06}" for name, at in (("start", start), ("end", end))}
        found: list[Any] = self._ask("query_range", {"query": query, **times, "step": str(step / SECOND)})["result"]
        return found

    def close(self) -> None:
        """Let go of the connection; the next use makes another."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, what: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        # A single step is the least there is to ask for, so its answer must be taken.
        several = what == "query_range" and parameters["start"] != parameters["end"]
        status, reason, content = self._answer(what, parameters, _LARGEST if several else None)
        if status in {401, 403}:
            raise Unavailable(f"{self.where} refuses: {status} {reason}")
        try:
            found = orjson.loads(content)
            data: dict[str, Any] = found["data"] if found["status"] == "success" else {}
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise Unavailable(f"{self.where} answers {status} and not as a Prometheus server does") from error
        if data:
            return data
        if status in {_BAD_REQUEST, _NOT_EXECUTED}:
            kind = TooMuch if status == _NOT_EXECUTED else UsageError
            raise kind(f"{self.where} refuses `{parameters['query']}`: {found.get('error')}")
        raise Unavailable(f"{self.where} fails: {found.get('error')}")

    def _answer(self, what: str, parameters: Mapping[str, str], largest: int | None) -> tuple[int, str, bytes]:
        """Status, reason and content, where it comes in time and is not too large."""
        import httpx

        deadline = time.monotonic() + _ANSWER
        content = bytearray()
        try:
            with self._connected().stream("GET", f"/api/v1/{what}", params=dict(parameters)) as answer:
                for part in answer.iter_bytes():
                    content += part
                    if largest is not None and len(content) > largest:
                        raise TooMuch(f"{self.where} answers more than {largest} bytes to `{parameters['query']}`")
                    if time.monotonic() > deadline:
                        raise Unavailable(f"{self.where} does not answer in time")
                return answer.status_code, answer.reason_phrase, bytes(content)
        except httpx.TimeoutException as error:
            raise Unavailable(f"{self.where} does not answer in time") from error
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Unavailable(f"{self.where} does not answer: {self._scrubbed(str(error))}") from error

    def _scrubbed(self, said: str) -> str:
        found = self._address()
        for secret in (found.password, self._said.get("password"), self._said.get("token")):
            said = said.replace(str(secret), "***") if secret else said
        return said

    def _address(self) -> SplitResult:
        """The address in its parts; UsageError where it is none, without showing it."""
        url = str(self._said.get("url") or "")
        if not url:
            raise UsageError("`connections.prometheus` has no value for `url`")
        try:
            found = urlsplit(url)
            complete = found.scheme in {"http", "https"} and bool(found.hostname) and (found.port or 1) > 0
        except ValueError:
            complete = False
        if not complete:
            raise UsageError(
                "`connections.prometheus`: `url` is not an address that begins with `http://` or `https://`"
            )
        return found

    def _connected(self) -> Client:
        if self._client is None:
            from httpx import Client, Timeout

            found = self._address()
            name, password, token = (self._said.get(k) for k in ("username", "password", "token"))
            if found.username and not name:
                name, password = unquote(found.username), unquote(found.password or "")
            # Without who we are: the library writes the addresses that it asks to the log.
            plain = found._replace(netloc=found.netloc.rpartition("@")[2], query="", fragment="")
            self._client = Client(
                base_url=plain.geturl().rstrip("/"),
                auth=(str(name), str(password or "")) if name and not token else None,
                headers={"Authorization": f"Bearer {token}"} if token else None,
                timeout=Timeout(_ANSWER, connect=_CONNECT),
                # Who this machine trusts, and not who the library does.
                verify=ssl.create_default_context() if found.scheme == "https" else True,
            )
        return self._client
