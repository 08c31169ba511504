"""The supervisor with small processes of its own: restarts what dies, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.services.kafka import free_ports
from tusk_platform.errors import UsageError
from tusk_platform.processes import Process
from tusk_platform.runtime.supervisor import Supervisor
from tusk_platform.storage.home import Home

PYTHON = Path(sys.executable).name
SERVES = Process("serves", (PYTHON, "-m", "http.server", "{port}", "--bind", "127.0.0.1"), 0, "/", 1.0, page="Files")
# Does not end when asked, starts its child anew, and has another one in a session of its own.
STUBBORN = Process(
    "stubborn", ("bash", "-c", "trap : TERM; setsid sleep 600 & while true; do sleep 600; done"), None, "alive", 1.0
)


def supervisor(home: Home, told: list[str], *processes: Process, memory: int = 1 << 40) -> Supervisor:
    [port] = free_ports(1)
    return Supervisor(home, dict(os.environ), port, memory, told.append, processes)


def watch_until(entry: Supervisor, done: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    entry.watch(lambda: done() or time.monotonic() > end, pause=0.02)
    assert done()


def family(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def runs(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.slow
def test_everything_is_gone_after_stop(home: Home) -> None:
    entry = supervisor(home, [], SERVES, STUBBORN)
    entry.start(lambda: False)
    watch_until(entry, entry.ready)
    pids = [pid for r in entry.running.values() for pid in family(r.popen.pid)]
    assert len(pids) >= 4
    groups = {r.popen.pid for r in entry.running.values()}
    began = time.monotonic()

    entry.stop()

    assert time.monotonic() - began < 10
    assert not any(runs(pid) for pid in pids)
    # Nor what a process that does not listen started while it was asked to end.
    assert [pid for pid in psutil.pids() if runs(pid) and os.getpgid(pid) in groups] == []


@pytest.mark.slow
def test_killed_process_is_started_again(home: Home) -> None:
    told: list[str] = []
    entry = supervisor(home, told, SERVES)
    entry.start(lambda: False)
    watch_until(entry, entry.ready)
    first = entry.running["serves"].popen.pid
    os.kill(first, signal.SIGKILL)

    watch_until(entry, lambda: entry.running["serves"].popen.pid != first and entry.ready())

    entry.stop()
    assert any("serves ended (exit -9)" in line for line in told)


@pytest.mark.slow
def test_process_over_its_memory_is_started_again(home: Home) -> None:
    told: list[str] = []
    entry = supervisor(home, told, SERVES, memory=1 << 20)
    entry.start(lambda: False)
    first = entry.running["serves"].popen.pid

    watch_until(entry, lambda: entry.running["serves"].popen.pid != first)

    entry.stop()
    assert any("more than its 1 MiB" in line for line in told)


@pytest.mark.slow
def test_port_in_use_is_named(home: Home) -> None:
    entry = supervisor(home, [], SERVES)
    entry.start(lambda: False)
    watch_until(entry, entry.ready)

    with pytest.raises(UsageError, match=f"port {entry.port_base} is in use"):
        entry.check_ports()

    entry.stop()
