"""Places where a test may kill the process: what a power cut does there must lose and double nothing."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Final, Literal

Point = Literal[
    "after_receive", "after_poll", "inside_write", "after_commit", "in_compaction", "in_publish", "in_migration",
    "in_backup", "in_restore", "in_replay", "in_backfill", "before_acknowledgement",
]  # fmt: skip

_reached: Final[Counter[str]] = Counter()


def reach(name: Point) -> None:
    """Nothing, unless ``TUSK_FAULT`` is ``name`` or ``name:n``: then the process dies at the n-th time it comes by.

    SIGKILL and not an exception: no handler, ``finally`` or buffer may soften what is tested.
    """
    wanted, _, count = os.environ.get("TUSK_FAULT", "").partition(":")
    if wanted != name:
        return
    _reached[name] += 1
    if _reached[name] == int(count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
