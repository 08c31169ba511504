"""Events a second from Kafka, each exactly once, beside other engines that do the same."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks import shop
from benchmarks.report import Row, figures
from tests.services.kafka import Broker
from tusk_platform.adapters.kafka import Topic, send
from tusk_platform.adapters.source_kafka import KafkaAdapter
from tusk_platform.jobs.ingest import Until, ingest
from tusk_platform.ports import SourceContext
from tusk_platform.runtime.platform import now
from tusk_platform.storage.lake import Lake

ABOUT: Final = (
    "A backlog of orders in a Kafka topic of four partitions, read by a process of each engine in turn, with the same "
    "seven rules and exactly once. The platform: typed rows, verdicts and positions in one Delta commit of 100,000 "
    "events. Spark Structured Streaming: typed rows and verdicts to Parquet files by its file sink, micro-batches of "
    "100,000, two threads; its first micro-batch, in which Java warms up, is left out. Quix Streams: decoded, judged "
    "and sent to another topic in Kafka transactions of a second, from its first event on; a tenth of the events. The "
    "whole of the platform's time counts, connecting included. Medians."
)
GOAL: Final = 2.0
PARTITIONS: Final = 4
_PEERS: Final = Path(__file__).parent / "peers"
_PYTHON: Final = Path(__file__).parents[1] / ".cache" / "peers" / "python" / "bin" / "python"


def run(*, quick: bool) -> list[Row]:
    """A row for each peer."""
    # Three micro-batches at least: the first of Spark's is left out.
    count, rounds = (300_000, 1) if quick else (1_000_000, 3)
    subprocess.run([_PEERS / "install.sh"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            context = SourceContext(connection=broker.connection)
            for topic, events in (("many", count), ("few", count // 10)):
                send(Topic(topic, PARTITIONS, 24), context, shop.events(events, span=shop.BATCH_SPAN))
            ours(context, "few", count // 10)  # loads what is needed
            found = [
                (
                    ours(context, "many", count),
                    peer(broker, "spark", "many", count),
                    peer(broker, "quix", "few", count // 10),
                )
                for _ in range(rounds)
            ]
        finally:
            broker.stop()
    mine = statistics.median(f[0] for f in found)
    return [
        Row(
            f"the platform beside {name}",
            mine,
            "events/s",
            f"{name}: {figures(statistics.median(f[at] for f in found))} events/s",
            statistics.median(f[0] / f[at] for f in found),
            GOAL,
            more=True,
        )
        for at, name in ((1, "Spark"), (2, "Quix Streams"))
    ]


def ours(context: SourceContext, topic: str, count: int) -> float:
    """Events a second of the platform, into a new lake."""
    adapter = KafkaAdapter()
    stream = shop.stream(options=adapter.check_options({"topic": topic, "partition_count": PARTITIONS}))
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        source = adapter.open(stream, context)
        report = ingest(stream, (), source, Lake(Path(folder)), clock=now, until=Until(once=True))
        took = time.perf_counter() - began
        source.close()
    assert report.rows + report.quarantined == count, report
    return count / took


def peer(broker: Broker, name: str, topic: str, count: int) -> float:
    """Events a second of a peer, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [_PYTHON, _PEERS / f"{name}.py", broker.address, topic, str(count), folder],
            capture_output=True, text=True, check=False, timeout=1_200,
        )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name} ended with {done.returncode}: {done.stderr[-2000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    return float(answer["events"] / answer["seconds"])
