"""What reading from an MQTT broker and writing to it share: a connection that lives only while somebody drives it."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.ports import SourceContext

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

# Seconds: for an answer of the broker; that it waits for a sign of life before it lets go of us.
ANSWER: Final = 5.0
KEEPALIVE: Final = 60
_REFUSED_SUBSCRIPTION: Final = 0x80


class Link:
    """One connection to the broker. There is no thread: it moves only in ``turn`` and what calls it.

    ``on_message`` gets what arrives. Closing it keeps a session that was not ``clean``.
    """

    def __init__(
        self, context: SourceContext, client_id: str, *, clean: bool, on_message: Callable[[MQTTMessage], None]
    ) -> None:
        self._context = context
        self._id = client_id
        self._clean = clean
        self._on_message = on_message
        self._client: Client | None = None
        self._answers: dict[int, Sequence[int]] = {}
        self._refusal: str | None = None
        self._connected = False
        self._moved_at = 0.0
        self.session_present = False

    @property
    def is_stale(self) -> bool:
        """Whether the broker may have given us up meanwhile."""
        return time.monotonic() - self._moved_at > KEEPALIVE

    def open(self) -> None:
        """Connect; Unavailable says in one sentence why that did not work."""
        host, port = self._host()
        client = self._made()
        client.connect_timeout = ANSWER
        self._client = client
        try:
            client.connect(host, port, KEEPALIVE)
        except (OSError, ValueError) as error:
            self.close()
            raise Unavailable(f"{self._where()} does not answer: {_reason(error)}") from error
        if not self.until(lambda: self._connected, ANSWER):
            self.close()
            raise Unavailable(f"{self._where()} does not answer: no welcome within {ANSWER:g} seconds")

    def turn(self, seconds: float) -> None:
        """Do what there is to do, waiting so long for it; Unavailable where the connection is gone."""
        if self._client is None:
            raise Unavailable(f"{self._where()}: not connected")
        code = self._client.loop(max(0.0, seconds))
        self._moved_at = time.monotonic()
        if code:
            self._client = None
            raise Unavailable(
                f"{self._where()} {self._refusal or 'closed the connection'}"
                if self._refusal or self._connected
                else f"{self._where()} does not answer: {code.name}"
            )

    def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Turn until something is so; whether it is."""
        deadline = time.monotonic() + seconds
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.turn(left)
        return True

    def subscribe(self, filters: Sequence[str], qos: int) -> tuple[str, ...]:
        """Ask for messages; the filters that were refused."""
        number = self.client.subscribe([(f, qos) for f in filters])[1]
        self._wait_for(number)
        granted = self._answers.pop(number or 0)
        return tuple(f for f, code in zip(filters, granted, strict=False) if code >= _REFUSED_SUBSCRIPTION)

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Ask for no more messages."""
        self._wait_for(self.client.unsubscribe(list(filters))[1])

    def ask(self, nothing: str) -> int:
        """Say something that changes nothing and is answered in its turn: see ``answered``."""
        return self.client.unsubscribe(nothing)[1] or 0

    def answered(self, number: int) -> bool:
        """Whether the answer came, told once: all that was said before it has then been heard."""
        return self._answers.pop(number, None) is not None

    @property
    def client(self) -> Client:
        """The library's client; Unavailable where there is no connection."""
        if self._client is None:
            raise Unavailable(f"{self._where()}: not connected")
        return self._client

    def close(self) -> None:
        """Say goodbye, if anybody listens."""
        client, self._client = self._client, None
        if client is not None:
            client.disconnect()

    def _wait_for(self, number: int | None) -> None:
        if number is None or not self.until(lambda: number in self._answers, ANSWER):
            self.close()
            raise Unavailable(f"{self._where()} does not answer: nothing came within {ANSWER:g} seconds")

    def _made(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(
            CallbackAPIVersion.VERSION2, client_id=self._id, clean_session=self._clean, manual_ack=True,
            reconnect_on_failure=False,
        )  # fmt: skip
        said = self._context.connection
        if said.get("username"):
            client.username_pw_set(str(said["username"]), said.get("password"))
        if said.get("tls"):
            client.tls_set_context(_trusting(said.get("ca_location")))
        client.on_connect = self._heard_welcome
        client.on_subscribe = lambda _c, _u, number, codes, _p: self._answers.update({number: [c.value for c in codes]})
        client.on_unsubscribe = lambda _c, _u, number, _codes, _p: self._answers.update({number: ()})
        client.on_message = lambda _c, _u, message: self._on_message(message)
        return client

    def _heard_welcome(self, _client: Client, _data: Any, flags: Any, code: Any, _more: Any) -> None:  # noqa: ANN401 - the library's
        if code.is_failure:
            self._refusal = f"refuses: {str(code).lower()}"
        else:
            self._connected, self.session_present = True, flags.session_present

    def _host(self) -> tuple[str, int]:
        said = self._context.connection
        host, port = said.get("host"), said.get("port", 1883)
        if not host:
            raise UsageError("`connections.mqtt` has no value for `host`")
        if not str(port).isdigit() or not 0 < int(port) < 2**16:
            raise UsageError(f"`connections.mqtt.port` is `{port}`, which is no port")
        return str(host), int(port)

    def _where(self) -> str:
        return where(self._context)


def where(context: SourceContext) -> str:
    """The broker by its address, which holds no secret."""
    host = str(context.connection.get("host")).rpartition("@")[2]
    return f"the MQTT broker at {host}:{context.connection.get('port', 1883)}"


def _trusting(certificates: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=certificates)
    except OSError as error:
        raise UsageError(f"`connections.mqtt.ca_location`: {certificates}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return str(getattr(error, "strerror", None) or str(error) or type(error).__name__)
