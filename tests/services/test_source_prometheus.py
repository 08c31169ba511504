"""The Prometheus source against a real server: nothing missing, nothing twice, and the server's own words."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.fakes.streams import a_stream
from tests.services.prometheus import Prometheus, Sample
from tusk_platform.adapters import prometheus as prometheus_server
from tusk_platform.adapters import source_prometheus
from tusk_platform.adapters.source_prometheus import PrometheusSource, adapter
from tusk_platform.core.decode import decode
from tusk_platform.core.system_metrics import PROMQL
from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.plan.nodes import Column, Stream
from tusk_platform.ports import Batch, Budget, Position, SourceContext
from tusk_platform.units import SECOND

pytestmark = pytest.mark.service("prometheus")

# What a password of `hush-hush` looks like in the server's own settings.
GUARDED = "basic_auth_users: {who: $2b$04$abcdefghijklmnopqrstuu9AsmTW0GVvQkIMJII9dLx.Ve/x6XdxC}\n"


class Scene:
    """A stream of metrics of the test's own."""

    def __init__(self, server: Prometheus) -> None:
        self.server = server
        self.name = f"m_{uuid.uuid4().hex}"
        self.context = SourceContext(connection=server.connection)
        self.opened: list[PrometheusSource] = []

    def stream(self, metrics: Mapping[str, str] | Sequence[str], **options: Any) -> Stream:  # noqa: ANN401 - any key
        """A stream of these metrics, a point a second."""
        said = adapter.check_options({"metrics": metrics, "scrape_interval": "1s", **options})
        columns = tuple(Column(name, type_) for name, type_ in adapter.columns)  # type: ignore[arg-type]  # checked elsewhere
        return a_stream(source="prometheus", options=said, columns=columns, rules=())

    def open(self, metrics: Mapping[str, str] | Sequence[str], **options: Any) -> PrometheusSource:  # noqa: ANN401 - as above
        """A source as a process makes it when it starts."""
        self.opened.append(adapter.open(self.stream(metrics, **options), self.context))
        return self.opened[-1]

    def write(self, *series: tuple[Mapping[str, str], Sequence[Sample]], name: str | None = None) -> None:
        """Samples of series of the test's own metric."""
        self.server.write([({"__name__": name or self.name, **labels}, samples) for labels, samples in series])


@pytest.fixture
def scene(prometheus: Prometheus) -> Iterator[Scene]:
    made = Scene(prometheus)
    yield made
    for source in made.opened:
        source.close()


def second(ago: float) -> int:
    """A whole second so long ago, in microseconds."""
    return int(time.time() - ago) * SECOND


def drained(source: PrometheusSource, position: Position | None = None, rows: int = 10_000) -> list[Batch]:
    """All batches up to the end of all metrics."""
    batches: list[Batch] = []
    at = dict(position or {})
    while True:
        batches.append(source.read(at, Budget(rows, 5)))
        at |= {c.partition: c.next_offset for c in batches[-1].chunks}
        if batches[-1].at_end == set(source.partitions()):
            return batches


def samples(batches: list[Batch]) -> list[tuple[str, int, Any]]:
    """Metric, offset and row of every sample."""
    return [
        (c.partition, offset, json.loads(payload or b""))
        for b in batches
        for c in b.chunks
        for offset, payload in zip(c.offsets, c.payloads or (), strict=True)
    ]


def after(batches: list[Batch]) -> dict[str, int]:
    """The position after them."""
    return {c.partition: c.next_offset for b in batches for c in b.chunks}


def scraped(server: Prometheus) -> None:
    """Wait until the server has samples of its exporter that a rate can be made of."""
    deadline = time.monotonic() + 20
    while not server.ask("rate(node_cpu_seconds_total[1m])"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_later_read_of_the_same_steps_agrees(scene: Scene) -> None:
    scraped(scene.server)
    metrics = {"load": "node_cpu_seconds_total", "free": "node_memory_MemAvailable_bytes", **PROMQL_OF_A_MINUTE}
    source = scene.open(metrics)
    first = samples(drained(source))
    for _ in range(4):
        time.sleep(0.7)
        at = {m: o + 1 for m, o, _ in first}
        first += samples(drained(source, at))

    late = samples(drained(scene.open(metrics)))

    assert {m for m, _, _ in first} == set(metrics)
    assert [s for s in sorted(late, key=by_place) if s[1] <= max(o for _, o, _ in first)] == sorted(first, key=by_place)


PROMQL_OF_A_MINUTE = {name: query.replace("{span}", "60s") for name, query in PROMQL.items()}


def by_place(sample: tuple[str, int, Any]) -> tuple[str, int]:
    """Its metric and offset."""
    return sample[:2]


def test_steps_that_nobody_read_are_read_later(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = second(600)
    scene.write(({}, [(begin + n * SECOND, float(n)) for n in range(300)]))
    query = {"m": f"last_over_time({scene.name}[999ms])"}
    before = drained(scene.open(query), rows=100)[:1]
    monkeypatch.setattr(source_prometheus, "_MOST_POINTS", 50)

    rest = drained(scene.open(query), after(before))

    found = samples(before + rest)
    assert [row["value"] for _, _, row in found] == [float(n) for n in range(300)]
    assert [offset for _, offset, _ in found] == [begin + n * SECOND for n in range(300)]


def test_long_gap_is_crossed_in_steps_that_the_server_answers(scene: Scene) -> None:
    begin = second(3500)
    scene.write(({}, [(begin, 1.0), (second(20), 2.0)]))
    query = {"m": f"last_over_time({scene.name}[99ms])"}

    found = samples(drained(scene.open(query, scrape_interval="100 ms", history="1 hour")))

    assert [row["value"] for _, _, row in found] == [1.0, 2.0]


def test_many_series_are_asked_for_a_few_steps_at_a_time(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = second(1200)
    times = [begin + n * SECOND for n in range(1000)]
    scene.write(*[({"room": str(room)}, [(at, 1.0) for at in times]) for room in range(40)])
    sizes: list[int] = []
    asked = prometheus_server.Server.range

    def noted(self: prometheus_server.Server, query: str, start: int, end: int, step: int) -> list[Any]:
        found = asked(self, query, start, end, step)
        sizes.append(sum(len(one["values"]) for one in found))
        return found

    monkeypatch.setattr(prometheus_server.Server, "range", noted)
    monkeypatch.setattr(prometheus_server, "_LARGEST", 30_000, raising=False)

    # From the first sample on, and from a time before where nobody can know yet what comes.
    for history in ("19 minutes", "1 hour"):
        found = samples(drained(scene.open({"m": f"last_over_time({scene.name}[999ms])"}, history=history), rows=2000))
        seen = {at - at % SECOND for _, at, _ in found}
        assert (len(found), len(seen)) == (40 * len(seen), len([at for at in times if at >= min(seen)]))
    assert len(seen) == 1000
    assert max(sizes) <= 2000


def test_range_that_the_server_cannot_execute_is_asked_for_in_parts(tmp_path: Path) -> None:
    server = Prometheus(tmp_path, options=("--query.max-samples=200",))
    server.start()
    scene = Scene(server)
    begin = second(60)
    scene.write(*[({"room": str(room)}, [(begin + n * SECOND, 1.0) for n in range(40)]) for room in range(50)])

    found = samples(drained(scene.open({"m": f"last_over_time({scene.name}[999ms])"})))
    scene.opened[-1].close()
    server.stop()

    assert len(found) == 40 * 50


def test_server_that_says_nothing_is_waited_for_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    source = scene.open({f"m{n}": "vector(1)" for n in range(6)})
    monkeypatch.setattr(prometheus_server, "_ANSWER", 0.5)
    drained(source)
    says_its_time = prometheus_server.Server.now
    begin = time.monotonic()
    with monkeypatch.context() as patched, ExitStack() as until_it_goes_on:

        def and_then_nothing(self: prometheus_server.Server) -> int:
            found = says_its_time(self)
            until_it_goes_on.enter_context(scene.server.stalled())
            return found

        patched.setattr(prometheus_server.Server, "now", and_then_nothing)
        with pytest.raises(Unavailable, match="does not answer in time"):
            drained(source, {f"m{n}": second(30) for n in range(6)})

    assert time.monotonic() - begin < 1.5
    assert drained(source)


def test_series_are_rows_with_their_labels(scene: Scene) -> None:
    at = second(10)
    scene.write(*[({"room": room}, [(at, value)]) for room, value in (("b", 2.0), ("a", 1.5))])
    stream = scene.stream({"warmth": f"sum by (room) (last_over_time({scene.name}[999ms]))"})
    batches = drained(adapter_open(scene, stream), rows=1)

    rows = pa.concat_tables([decode(stream, b, second(0)).rows for b in batches]).to_pylist()

    assert [(r["_partition"], r["_offset"] - at, r["metric"], r["value"], r["labels"]) for r in rows] == [
        ("warmth", 0, "warmth", 1.5, '{"room":"a"}'),
        ("warmth", 1, "warmth", 2.0, '{"room":"b"}'),
    ]
    assert {r["timestamp"].timestamp() * SECOND for r in rows} == {at}


def adapter_open(scene: Scene, stream: Stream) -> PrometheusSource:
    """A source of the stream that the scene lets go of."""
    scene.opened.append(adapter.open(stream, scene.context))
    return scene.opened[-1]


def test_what_is_no_number_is_kept_beside_an_empty_value(scene: Scene) -> None:
    at = second(10)
    values = [1.0, float("nan"), float("inf"), float("-inf")]
    scene.write(({}, [(at + n * SECOND, v) for n, v in enumerate(values)]))
    stream = scene.stream({"m": f"last_over_time({scene.name}[999ms])"})

    rows = pa.concat_tables(
        [decode(stream, b, second(0)).rows for b in drained(adapter_open(scene, stream))]
    ).to_pylist()

    assert [(r["_status"], r["value"], r["_extra"]) for r in rows] == [
        ("ok", 1.0, None),
        ("ok", None, '{"sent":"NaN"}'),
        ("ok", None, '{"sent":"+Inf"}'),
        ("ok", None, '{"sent":"-Inf"}'),
    ]


def test_counters_that_begin_again_are_no_fall(scene: Scene) -> None:
    begin = second(200)
    device = scene.name
    # 100 bytes a second, and in the middle the machine starts again.
    counted = [(begin + n * SECOND, float(n * 100 if n < 60 else (n - 60) * 100)) for n in range(120)]
    scene.write(({"device": device}, counted), name="node_network_receive_bytes_total")
    idle = [(begin + n * SECOND, float(n * 0.5 if n < 60 else (n - 60) * 0.5)) for n in range(120)]
    scene.write(({"mode": "idle", "cpu": device}, idle), name="node_cpu_seconds_total")
    queries = {
        "received": PROMQL_OF_A_MINUTE["network_throughput"].replace("sum(", "sum by (device) (").split(" + ")[0],
        "busy": PROMQL_OF_A_MINUTE["cpu_usage"].replace('mode="idle"', f'mode="idle",cpu="{device}"'),
    }

    found = [row for _, _, row in samples(drained(scene.open(queries, history="5 minutes")))]

    network = [r["value"] for r in found if r["metric"] == "received" and r["labels"].get("device") == device]
    cpu = [r["value"] for r in found if r["metric"] == "busy"]
    # From a minute on there are samples all over the span of the rate; the machine starts again right then.
    assert (min(network), max(network) <= 105, min(network[60:118]) >= 90) == (min(map(abs, network)), True, True)
    assert 49 <= min(cpu[60:118]) <= max(cpu[60:118]) <= 56


def test_metric_that_yields_nothing_is_told(scene: Scene) -> None:
    stream = scene.stream({"there": "vector(1)", "nowhere": f"{scene.name}_nowhere"})

    assert adapter.inspect(stream, scene.context) == (f"metric `nowhere` yields nothing now: {scene.name}_nowhere",)


def test_wrong_query_is_told_in_the_servers_words_and_holds_nobody_up(scene: Scene) -> None:
    metrics = {"wrong": "sum(", "right": "vector(1)"}
    source = scene.open(metrics)

    batch = source.read({}, Budget(10, 5))
    with pytest.raises(UsageError, match=r"refuses `sum\(`: 1:5: parse error: unclosed left parenthesis"):
        drained(source, {"right": second(0)})
    with pytest.raises(UsageError, match="parse error"):
        adapter.inspect(scene.stream(metrics), scene.context)

    assert {c.partition for c in batch.chunks} == {"right"}


def test_server_that_was_away_goes_on_without_a_gap(tmp_path: Path) -> None:
    server = Prometheus(tmp_path)
    server.start()
    scene = Scene(server)
    begin = second(60)
    scene.write(({}, [(begin + n * SECOND, float(n)) for n in range(20)]))
    source = scene.open({"m": f"last_over_time({scene.name}[999ms])"})
    first = drained(source)
    server.kill()

    time.sleep(1.1)  # until there is something to ask for
    with pytest.raises(Unavailable, match=re.escape(f"Prometheus at {server.url} does not answer")):
        drained(source, after(first))
    server.start()
    scene.write(({}, [(second(0), 20.0)]))
    time.sleep(2.1)
    rest = drained(source, after(first))
    again = drained(scene.open({"m": f"last_over_time({scene.name}[999ms])"}))
    server.stop()
    for opened in scene.opened:
        opened.close()

    assert [row["value"] for _, _, row in samples(first + rest)] == [float(n) for n in range(21)]
    assert samples(again) == samples(first + rest)


def test_login_is_used_and_never_told(tmp_path: Path) -> None:
    server = Prometheus(tmp_path, GUARDED)
    server.start()
    time.sleep(0.2)
    right = {**server.connection, "username": "who", "password": "hush-hush"}
    stream = a_stream(source="prometheus", options=adapter.check_options({"metrics": {"one": "vector(1)"}}))

    assert adapter.inspect(stream, SourceContext(connection=right)) == ()
    for wrong in ({**right, "password": "other"}, {**server.connection, "token": "hush-hush"}):
        with pytest.raises(Unavailable) as caught:
            adapter.inspect(stream, SourceContext(connection=wrong))
        assert str(caught.value) == f"Prometheus at {server.url} refuses: 401 Unauthorized"
    server.stop()


def test_somebody_else_at_that_address_is_told(scene: Scene) -> None:
    context = SourceContext(connection={"url": f"{scene.server.url}/classic"})

    with pytest.raises(Unavailable, match="answers 404 and not as a Prometheus server does"):
        adapter.inspect(scene.stream({"one": "vector(1)"}), context)
