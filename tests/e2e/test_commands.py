"""The installed program in processes of its own: exit codes, pipes, signals, two at once."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.tusk import Tusk

CONFIG = """\
demo = false
real_time_analytics = { data_streams = { visits = { source = "http" } } }
real_time_aggregations = {
    pages = { stream = "visits", dimensions = ["page"], metrics = { revenue = "sum" }, window = "1 minute" }
}
"""
EVENTS = [
    {"event_id": n, "timestamp": f"2026-01-01T12:0{n % 10}:00Z", "page": "/a", "amount": "0.10"} for n in range(30)
]


@pytest.fixture
def tusk(tmp_path: Path) -> Tusk:
    """A folder with a config, and a state folder elsewhere."""
    made = Tusk(tmp_path, {"TUSK_HOME": str(tmp_path / "state")})
    made.configure(CONFIG)
    return made


@pytest.mark.slow
def test_events_become_an_exact_sum(tusk: Tusk) -> None:
    lines = "\n".join(json.dumps(e) for e in [*EVENTS, *EVENTS[:5]]).encode()

    assert tusk("check").out == "all is well\n"
    assert tusk("publish", "visits", "--json", stdin=lines).json() == {"stream": "visits", "published": 35}
    report = tusk("ingest", "visits", "--once", "--json").json()
    steps = tusk("run", "agg/pages", "--json").json()
    rows = tusk.sql("select sum(revenue) as total, sum(event_count) as events from agg.pages")

    assert (report["rows"], report["duplicates"], report["position"]) == (35, 5, {"0": 35})
    assert [step["asset"] for step in steps] == ["agg.pages"]
    assert rows == [{"total": "3.0000", "events": rows[0]["events"]}]
    assert int(rows[0]["events"]) == 30
    assert sorted(p.name for p in tusk.folder.iterdir()) == ["platform.tsk", "state"]


@pytest.mark.slow
def test_a_pipe_that_is_closed_early_is_no_mistake(tusk: Tusk) -> None:
    with subprocess.Popen(
        [tusk.program, "plan", "--json"], cwd=tusk.folder, env=tusk.full_environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read().decode()

    assert process.returncode == 0
    assert told == ""


@pytest.mark.slow
def test_a_reader_that_runs_is_named_and_ends_when_asked(tusk: Tusk) -> None:
    reading = tusk.start("ingest", "visits")
    lease = tusk.folder / "state" / "leases" / "ingest-visits.json"
    while not lease.exists():
        assert reading.poll() is None, (tusk.folder / "output.log").read_text()
        time.sleep(0.05)
    second = tusk.call("ingest", "visits", "--once")

    reading.send_signal(signal.SIGINT)
    ended = reading.wait(timeout=30)

    assert second.code == 1
    assert "tusk ingest visits" in second.err
    assert str(reading.pid) in second.err
    assert ended == 130
    assert "Traceback" not in (tusk.folder / "output.log").read_text()
    assert tusk.call("ingest", "visits", "--once").code == 0
