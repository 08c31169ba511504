"""How much memory processes and their databases may hold, and giving back what is not needed any more."""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil
import pyarrow as pa

from tusk_platform.plan.profile import Memory
from tusk_platform.processes import share_of
from tusk_platform.units import SECOND

# The other half is for what a process holds beside its database: Python, Arrow, a query of its own.
_DATABASE_PART: Final = 0.5
# With less DuckDB reads no table at all.
_LEAST_DATABASE: Final = 64 * 2**20
_CONTAINER: Final = Path("/sys/fs/cgroup/memory.max")


def of_platform(memory: Memory) -> int:
    """Bytes that all processes may hold together: the share of this machine, or of the container it is."""
    whole = psutil.virtual_memory().total
    with suppress(OSError, ValueError):  # no container, or one without a bound
        whole = min(whole, int(_CONTAINER.read_text()))
    return int(whole * memory.share)


def of_database(memory: Memory, process: str) -> int:
    """Bytes that the database inside a process of the process table may hold."""
    return max(_LEAST_DATABASE, int(of_platform(memory) * share_of(process) * _DATABASE_PART))


@dataclass(slots=True)
class Trimmer:
    """Gives back what this process does not need, at a pace; safe to call from many threads and as often as one likes.

    The first call only begins to count: a process that just started has nothing to give back.
    """

    clock: Callable[[], float] = time.monotonic
    _last: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, memory: Memory) -> bool:
        """Whether the time had come and memory was given back."""
        with self._lock:
            now = self.clock()
            began, self._last = self._last is None, now if self._last is None else self._last
            if began or now - self._last < memory.trim_every / SECOND:
                return False
            self._last = now
        _give_back()
        return True


# Memory is the process's, whoever in it asks.
trim: Final = Trimmer()


def _give_back() -> None:
    gc.collect()
    pa.default_memory_pool().release_unused()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc keeps freed pieces for later; others do not
        libc.malloc_trim(0)
