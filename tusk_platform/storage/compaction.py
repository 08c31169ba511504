"""Compaction: many small files become few. Which ones is decided first, as plain data; then it is done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from tusk_platform.errors import Conflict
from tusk_platform.storage.handle import DataFile
from tusk_platform.storage.lake import Lake

# A file of this size is read at full speed and never rewritten again.
TARGET: Final = 128 * 1024 * 1024
# Fewer files than this cost readers less than rewriting them would.
FEWEST: Final = 4
_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class Compacted:
    """Files of a table before and after, and the bytes that were rewritten."""

    before: int
    after: int
    rewritten: int = 0


def plan_merges(
    files: Iterable[DataFile], *, target: int = TARGET, fewest: int = FEWEST
) -> tuple[tuple[DataFile, ...], ...]:
    """Groups of files to become one each.

    In each partition the smallest files are put together, up to the target. A file joins only if those before it add up
    to its size, so that a row is rewritten once each time its file doubles, and not every time.
    """
    partitions: defaultdict[tuple[tuple[str, Any], ...], list[DataFile]] = defaultdict(list)
    for file in files:
        if file.size < target:
            partitions[file.partition].append(file)
    groups: list[tuple[DataFile, ...]] = []
    for small in partitions.values():
        group: list[DataFile] = []
        size = 0
        for file in sorted(small, key=lambda f: (f.size, f.path)):
            if len(group) >= fewest and file.size > size:
                break
            if size >= target:
                groups.append(tuple(group))
                group, size = [], 0
            group.append(file)
            size += file.size
        groups.append(tuple(group))
    return tuple(_in_order(g) for g in groups if len(g) >= fewest)


def compact(lake: Lake, table: str, *, target: int = TARGET, fewest: int = FEWEST) -> Compacted:
    """Merge a table's small files, a commit a group; others may append, delete and replace meanwhile.

    Where another process rewrites the same table again and again, what is left is left to the next call.
    """
    handle = lake.open(table)
    before = len(handle.files())
    rewritten = 0
    for _ in range(_ATTEMPTS):
        try:
            for group in plan_merges(handle.files(), target=target, fewest=fewest):
                handle.merge(group)
                rewritten += sum(f.size for f in group)
            break
        except Conflict:
            handle = lake.open(table)
    return Compacted(before, len(handle.files()), rewritten)


def _in_order(group: Iterable[DataFile]) -> tuple[DataFile, ...]:
    """As they were written, so that batches stay together and statistics stay narrow."""
    return tuple(sorted(group, key=lambda f: (f.written, f.path)))
