"""Starts the processes of the process table, watches them, and stops all of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import psutil

from tusk_platform.errors import UsageError
from tusk_platform.processes import PROCESSES, Process
from tusk_platform.storage.home import Home

_GRACE_SECONDS: Final = 7.0
_KILLED_SECONDS: Final = 3.0
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_HEALTHY_AFTER: Final = 30.0


@dataclass(slots=True)
class Running:
    """A started process: how often it was restarted, and when it may be started again."""

    process: Process
    popen: subprocess.Popen[bytes]
    log: IO[bytes]
    started: float
    restarts: int = 0
    ready: bool = False
    again_at: float | None = None
    over_memory: bool = False


@dataclass(slots=True)
class Supervisor:
    """The processes of one platform. ``tell`` is called with a line for people whenever something happens."""

    home: Home
    environment: Mapping[str, str]
    port_base: int
    memory: int
    tell: Callable[[str], None]
    processes: tuple[Process, ...] = PROCESSES
    running: dict[str, Running] = field(default_factory=dict)

    def start(self, stop: Callable[[], bool]) -> None:
        """Start everything, the code server first: the others need it. Ends early when ``stop`` says so."""
        self.home.stopping.unlink(missing_ok=True)
        self.home.logs.mkdir(parents=True, exist_ok=True)
        for process in self.processes:
            if stop():
                return
            self.running[process.name] = self._spawn(process)
            if process.name == "code":
                self._await(self.running[process.name], 120, stop)

    def watch(self, stop: Callable[[], bool], pause: float = 0.5) -> None:
        """Restart what ends, say what became ready, until ``stop``."""
        while not stop():
            for entry in list(self.running.values()):
                self._look_at(entry)
            time.sleep(pause)

    def stop(self) -> None:
        """End every process and its children: asked first, killed after some seconds."""
        self.home.stopping.touch()
        ends = self._families()
        for entry in self.running.values():
            _signal_group(entry.popen.pid, signal.SIGTERM)
        self._wait_for(ends, _GRACE_SECONDS)
        # One that does not listen may have started others since.
        ends |= self._families()
        for pid in ends:
            if _alive(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        # A killed process is gone only once the machine has got round to it.
        self._wait_for(ends, _KILLED_SECONDS)
        for entry in self.running.values():
            entry.popen.wait(timeout=5)
            entry.log.close()
        self.home.stopping.unlink(missing_ok=True)

    def _families(self) -> set[int]:
        """Every process and all below it."""
        return {pid for entry in self.running.values() for pid in _family(entry.popen.pid)}

    def _wait_for(self, ends: set[int], seconds: float) -> None:
        """Until all these processes are gone, or the time is over."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and any(_alive(pid) for pid in ends):
            for entry in self.running.values():
                entry.popen.poll()
            time.sleep(0.05)

    def ready(self) -> bool:
        """Whether every process answers its health check."""
        return all(entry.ready for entry in self.running.values())

    def address(self, process: Process) -> str:
        """Where people find a process's page."""
        return f"http://127.0.0.1:{self.port(process)}"

    def port(self, process: Process) -> int:
        """The port of a process; 0 for one that listens to nothing."""
        return 0 if process.port is None else self.port_base + process.port

    def check_ports(self) -> None:
        """UsageError naming every port that somebody else holds."""
        taken = [str(self.port(p)) for p in self.processes if p.port is not None and _listening(self.port(p))]
        if taken:
            raise UsageError(
                f"port {', '.join(taken)} is in use; choose others: `tusk up --port-base {self.port_base + 100}`"
            )

    def _spawn(self, process: Process) -> Running:
        command = [part.format(port=self.port(process), home=self.home.root) for part in process.command]
        # The programs of this very environment, also when it is not activated.
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        program = shutil.which(command[0], path=places) or command[0]
        log = (self.home.logs / f"{process.name}.log").open("ab")
        popen = subprocess.Popen(
            [program, *command[1:]],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=self.home.root,
        )
        return Running(process, popen, log, time.monotonic())

    def _look_at(self, entry: Running) -> None:
        if entry.popen.poll() is not None:
            self._restart(entry)
            return
        if not entry.ready and self._healthy(entry):
            entry.ready = True
            page = entry.process.page
            self.tell(f"{page:<12} {self.address(entry.process)}" if page else f"{entry.process.name} is ready")
        self._bound_memory(entry)

    def _restart(self, entry: Running) -> None:
        now = time.monotonic()
        if entry.again_at is None:
            if now - entry.started > _HEALTHY_AFTER:
                entry.restarts = 0
            pause = min(_FIRST_PAUSE * 2**entry.restarts, _LONGEST_PAUSE)
            entry.again_at = now + pause
            code = entry.popen.returncode
            self.tell(f"{entry.process.name} ended (exit {code}); again in {pause:.0f} s; see {entry.log.name}")
            return
        if now >= entry.again_at:
            _signal_group(entry.popen.pid, signal.SIGKILL)
            entry.log.close()
            fresh = self._spawn(entry.process)
            fresh.restarts = entry.restarts + 1
            self.running[entry.process.name] = fresh

    def _bound_memory(self, entry: Running) -> None:
        bound = int(self.memory * entry.process.share)
        used = sum(_resident(pid) for pid in _family(entry.popen.pid))
        if used > bound and not entry.over_memory:
            entry.over_memory = True
            self.tell(
                f"{entry.process.name} holds {used >> 20} MiB, more than its {bound >> 20} MiB: it is started again"
            )
            _signal_group(entry.popen.pid, signal.SIGTERM)

    def _await(self, entry: Running, seconds: float, stop: Callable[[], bool]) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and entry.popen.poll() is None and not stop():
            if self._healthy(entry):
                return
            time.sleep(0.1)

    def _healthy(self, entry: Running) -> bool:
        port = self.port(entry.process)
        match entry.process.health:
            case "alive":
                return time.monotonic() - entry.started > 1
            case "tcp":
                return _listening(port)
            case path:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1) as answer:
                        return bool(answer.status < 400)
                except (urllib.error.URLError, OSError):
                    return False


def _family(pid: int) -> Iterator[int]:
    try:
        parent = psutil.Process(pid)
        yield from (pid, *(child.pid for child in parent.children(recursive=True)))
    except psutil.NoSuchProcess:
        return


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
