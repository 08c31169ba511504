"""A real server as a child process: started in a session of its own, killed or stopped by its process id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil

READY_WITHIN: Final = 30.0
STOP_WITHIN: Final = 10.0


class Service(ABC):
    """One server with its data in ``folder``; it keeps its ports and data over ``kill`` and ``restart``."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What starts the server in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers in its own protocol."""

    def start(self) -> None:
        """Start it and wait until it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, start_new_session=True, cwd=self.folder
            )
        deadline = time.monotonic() + READY_WITHIN
        while self._process.poll() is None and time.monotonic() < deadline:
            if self.is_ready():
                return
            time.sleep(0.02)
        self.kill()
        tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        raise RuntimeError(f"{self._name} did not get ready; its log ends with:\n" + "\n".join(tail))

    def stop(self) -> None:
        """Stop it in order; nothing where it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """What a power cut does to the process."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again with the same ports and data."""
        self.stop()
        self.start()

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """It is there and takes what is sent, and does nothing."""
        assert self._process is not None
        first = psutil.Process(self._process.pid)
        processes = [first, *first.children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        os.kill(process.pid, how)
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
