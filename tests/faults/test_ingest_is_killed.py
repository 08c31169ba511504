from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from deltalake import DeltaTable

from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.log import EventLog

ROOT = Path(__file__).parents[2]
EVENTS = 50


def ingest_once(home: Home, fault: str = "", rows: int = 20) -> subprocess.CompletedProcess[str]:
    """The child process, dead at the fault if there is one."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **({"TUSK_FAULT": fault} if fault else {})}
    command = [sys.executable, "-m", "tests.faults.ingest_once", str(home.root), str(rows)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def publish(home: Home) -> None:
    """Fifty events, every tenth of them broken."""
    payloads = [
        b"broken"
        if n % 10 == 9
        else json.dumps({"timestamp": 1_704_110_400 + n, "event_id": f"e{n}", "user_id": n}).encode()
        for n in range(EVENTS)
    ]
    EventLog(home.log, "orders").append(payloads)


# Fifty events in commits of twenty: the second and third start where the killed one's commits ended.
FAULTS = [
    ["after_commit", "after_commit", "after_poll"],
    ["after_poll:3", "inside_write", "after_commit"],
]


@pytest.mark.slow
@pytest.mark.parametrize("faults", FAULTS, ids=[" then ".join(f) for f in FAULTS])
def test_killed_anywhere_and_started_again_every_event_is_there_once(home: Home, faults: list[str]) -> None:
    publish(home)
    killed = [ingest_once(home, fault).returncode for fault in faults]
    last = ingest_once(home)

    assert killed == [-signal.SIGKILL] * len(faults), last.stderr
    assert last.returncode == 0, last.stderr
    rows = DeltaTable(Lake(home.lake).path("raw.orders")).to_pyarrow_table().sort_by("_offset")
    assert rows.column("_offset").to_pylist() == list(range(EVENTS))
    assert rows.column("_status").to_pylist() == ["quarantined" if n % 10 == 9 else "ok" for n in range(EVENTS)]
    assert ingest_once(home).stdout == "0 0\n"
