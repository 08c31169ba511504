"""Events pushed over HTTP while the server is killed, and while nobody reads them: each accepted one counts once."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.tusk import Tusk
from tests.services.kafka import free_ports

pytestmark = pytest.mark.slow

CONFIG = """
demo = false
real_time_analytics = { data_streams = {
    orders = { source = "http", schema = { n = "integer", at = "timestamp" }, event_time = "at" }
} }
"""
CLIENTS, BATCHES, EVENTS = 200, 5, 20


class Server:
    """The serving process of a config, which may be killed and comes back at its address."""

    def __init__(self, tusk: Tusk) -> None:
        [self.port] = free_ports(1)
        self.tusk = tusk
        self.url = f"http://127.0.0.1:{self.port}/streams/orders/events"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = self.tusk.start("serve-pages", "--port", str(self.port))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self._process.poll() is None
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/health/live").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError("the server does not answer")

    def kill(self) -> None:
        """What a power cut does to it."""
        assert self._process
        self._process.kill()
        self._process.wait()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    tusk = Tusk(tmp_path)
    tusk.configure(CONFIG)
    server = Server(tusk)
    server.start()
    yield server
    server.kill()


async def push(client: httpx.AsyncClient, url: str, name: int) -> list[tuple[int, int]]:
    """One sender's batches, each sent again until it is accepted; accepted and repeated events of each answer."""
    answers = []
    for batch in range(BATCHES):
        first = (name * BATCHES + batch) * EVENTS
        body = b"\n".join(b'{"n": %d, "at": "2026-11-01T10:00:00Z"}' % (first + i) for i in range(EVENTS))
        headers = {"content-type": "application/x-ndjson", "idempotency-key": f"{name}-{batch}"}
        while True:
            try:
                answer = await client.post(url, content=body, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(0.1 + random.random() / 5)
                continue
            assert answer.status_code == httpx.codes.ACCEPTED, answer.text
            answers.append((answer.json()["accepted"], answer.json()["repeated"]))
            if random.random() < 0.8:  # else the answer got lost on its way
                break
        await asyncio.sleep(random.random() * 2)
    return answers


async def push_while_it_is_killed(server: Server) -> list[list[tuple[int, int]]]:
    """All senders at once; what each was answered."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=CLIENTS), timeout=30) as client:
        senders = [asyncio.create_task(push(client, server.url, name)) for name in range(CLIENTS)]
        for _ in range(3):
            await asyncio.sleep(0.5 + random.random())
            server.kill()
            await asyncio.to_thread(server.start)
        return await asyncio.gather(*senders)


def test_accepted_events_count_once_whoever_is_killed(server: Server) -> None:
    answers = asyncio.run(push_while_it_is_killed(server))

    server.tusk("ingest", "orders", "--once")

    [found] = server.tusk.sql("select count(*) as events, count(distinct n) as numbers, max(n) as last from raw.orders")
    total = CLIENTS * BATCHES * EVENTS
    assert all(sum(answer) == EVENTS for sender in answers for answer in sender)
    assert found == {"events": total, "numbers": total, "last": total - 1}


def test_senders_wait_while_nobody_reads_and_go_on_after(server: Server) -> None:
    body = json.dumps([{"n": n, "at": "2026-11-01T10:00:00Z"} for n in range(20_000)]).encode()
    headers = {"content-type": "application/json"}
    with httpx.Client(timeout=60) as client:
        answers = [client.post(server.url, content=body, headers=headers) for _ in range(51)]
        read = server.tusk("ingest", "orders", "--once", "--json").json()
        after = client.post(server.url, content=body, headers=headers)

    assert [a.status_code for a in answers] == [202] * 50 + [429]
    assert answers[-1].headers["retry-after"] == "5"
    assert answers[-1].json()["error"] == "1,000,000 events of `orders` wait to be ingested"
    assert (read["rows"], after.status_code) == (1_000_000, 202)
