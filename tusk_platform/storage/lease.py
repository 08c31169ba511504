"""Leases: only one process at a time does a duty, and whoever finds it taken learns by whom."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from filelock import FileLock, Timeout

from tusk_platform.errors import Held, Unavailable

_POLL: Final = 0.1


@contextmanager
def hold(folder: Path, name: str, *, command: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lease of a duty for the duration of the block; Held says who has it, since when, as which process.

    ``patience``: seconds to wait for whoever has it.

    The lock is the operating system's, so it is free again the moment its process dies, however it dies.
    """
    lock, holder = folder / f"{quote(name, safe='')}.lock", folder / f"{quote(name, safe='')}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock, thread_local=False)
        held.acquire(timeout=patience, poll_interval=_POLL)
    except Timeout:
        raise Held(f"`{name}` is held by {_holder(holder)}") from None
    except OSError as error:
        raise Unavailable(f"the lease `{name}` in {folder}: {error}") from error
    try:
        _write(
            holder, {"command": command, "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}
        )
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        held.release()


def _write(path: Path, values: dict[str, Any]) -> None:
    """In one step, so that nobody reads half of it; a full disk must not keep the duty from being done."""
    draft = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        draft.write_text(json.dumps(values), encoding="utf-8")
        draft.replace(path)


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return f"`{found['command']}` (process {found['pid']}) since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process that has not said its name yet"
