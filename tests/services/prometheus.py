"""A real Prometheus server with a node exporter, scraped every second; a test may also write samples of its own."""

from __future__ import annotations

import struct
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa

from tests.services.kafka import free_ports
from tests.services.service import Service

_SETTINGS: Final = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: node, static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]}}]
"""
# A sample: microseconds UTC and its value.
Sample = tuple[int, float]


class _Exporter(Service):
    def __init__(self, folder: Path, port: int) -> None:
        super().__init__(folder, "exporter")
        self._port = port

    def command(self) -> Sequence[str]:
        collectors = ["--collector.cpu", "--collector.meminfo", "--collector.filesystem", "--collector.netdev"]
        address = f"--web.listen-address=127.0.0.1:{self._port}"
        return [
            "prometheus-node-exporter", address, "--collector.disable-defaults", *collectors, "--log.level=warn",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        return _answer(f"http://127.0.0.1:{self._port}/metrics") is not None


class Prometheus(Service):
    """One server with its exporter. ``web`` are the lines of its web configuration: who may ask."""

    def __init__(self, folder: Path, web: str = "", *, options: Sequence[str] = ()) -> None:
        super().__init__(folder, "prometheus")
        self.port, exporter = free_ports(2)
        self._exporter = _Exporter(folder, exporter)
        (folder / "prometheus.yml").write_text(_SETTINGS.format(exporter=exporter), encoding="utf-8")
        (folder / "web.yml").write_text(web, encoding="utf-8")
        self._open = not web
        self._options = options

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def connection(self) -> dict[str, Any]:
        """What a config's ``connections.prometheus`` would say."""
        return {"url": self.url}

    def command(self) -> Sequence[str]:
        return [
            "prometheus", "--config.file=prometheus.yml", "--web.config.file=web.yml",
            f"--storage.tsdb.path={self.folder / 'data'}", "--storage.tsdb.retention.time=1d",
            f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver", "--log.level=warn",
            *self._options,
        ]  # fmt: skip

    def is_ready(self) -> bool:
        return _answer(f"{self.url}/-/ready") is not None or not self._open

    def start(self) -> None:
        self._exporter.start()
        super().start()

    def _end(self, how: Any) -> None:  # noqa: ANN401 - a signal
        super()._end(how)
        self._exporter._end(how)

    def ask(self, query: str) -> list[Any]:
        """What the server says of an expression now."""
        found = _answer(f"{self.url}/api/v1/query?query={urllib.parse.quote(query)}")
        result: list[Any] = orjson.loads(found or b"")["data"]["result"]
        return result

    def write(self, series: Iterable[tuple[Mapping[str, str], Sequence[Sample]]]) -> None:
        """Samples of series by their labels (``__name__`` is the metric), as another server would send them."""
        message = b"".join(_field(1, _series(labels, samples)) for labels, samples in series)
        body = pa.compress(message, codec="snappy", asbytes=True)
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        request = urllib.request.Request(f"{self.url}/api/v1/write", body, headers)
        urllib.request.urlopen(request, timeout=5).close()


def _answer(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            found: bytes = answer.read()
    except (urllib.error.URLError, ConnectionError):
        return None
    return found


def _series(labels: Mapping[str, str], samples: Sequence[Sample]) -> bytes:
    named = (_field(1, _field(1, n.encode()) + _field(2, v.encode())) for n, v in sorted(labels.items()))
    dated = (_field(2, b"\x09" + struct.pack("<d", v) + b"\x10" + _number(at // 1000)) for at, v in samples)
    return b"".join((*named, *dated))


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _number(len(content)) + content


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
