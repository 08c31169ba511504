"""What keeps a table small and quick: files nobody refers to any more, and a short log."""

from __future__ import annotations

import re
from typing import Final

import pyarrow.fs as pa_fs
import pyarrow.parquet as pq

from tusk_platform.storage.failures import explained
from tusk_platform.storage.handle import Handle
from tusk_platform.units import HOUR

# Listing the log costs every commit 3 µs for each entry. Who reads needs the last checkpoint and what follows; a writer
# whose version is no longer there is told so and reads its position again.
KEPT_COMMITS: Final = 500
_LOG: Final = "_delta_log"
_ENTRY: Final = re.compile(r"(\d{20})\.(json|crc|checkpoint(\..+)?\.parquet|compacted\.json)")


def vacuum(handle: Handle, *, older_than: int = HOUR) -> int:
    """Delete data files that no commit refers to any more; the number deleted.

    Only files that were removed, or written and never committed, at least so many microseconds ago: somebody may still
    be reading them, or about to commit them.
    """
    hours = max(1, -(-older_than // HOUR))
    with explained(f"vacuuming {handle.name}"):
        # Listing them commits nothing; delta-rs's own deletion adds two commits each time, also where it finds nothing.
        unused = handle.delta.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False, full=True)
        there = (
            [i.path for i in handle.folder.files.get_file_info(unused) if i.type == pa_fs.FileType.File]
            if unused
            else []
        )
        handle.folder.discard(there)
    return len(there)


def checkpoint(handle: Handle) -> None:
    """Write the table's state at the handle's version, so that readers need nothing of the log before it."""
    with explained(f"writing a checkpoint of {handle.name}"):
        handle.delta.create_checkpoint()


def log_entries(handle: Handle) -> tuple[tuple[str, int], ...]:
    """What of the log opens the table at the handle's version, once that has a checkpoint: names and sizes.

    Writers need the commit's own entry beside the checkpoint, to find out who was first.
    """
    names = [f"{_LOG}/{handle.version:020}.{ending}" for ending in ("checkpoint.parquet", "json")]
    with explained(f"looking at the log of {handle.name}"):
        return tuple((i.path, i.size) for i in handle.folder.files.get_file_info(names))


def all_transactions(handle: Handle) -> dict[str, int]:
    """Every transaction id that was ever committed, with its last version."""
    checkpoint(handle)
    with explained(f"reading the log of {handle.name}"):
        name = f"{_LOG}/{handle.version:020}.checkpoint.parquet"
        with handle.folder.files.open_input_file(name) as file:
            found = pq.read_table(file, columns=["txn"])["txn"].drop_null().to_pylist()
    return {t["appId"]: t["version"] for t in found}


def trim_log(handle: Handle, *, keep: int = KEPT_COMMITS) -> int:
    """Delete entries of the log that the checkpoint of the handle's version replaces; the number deleted.

    The last ``keep`` commits stay, for those who just found them listed.
    """
    with explained(f"trimming the log of {handle.name}"):
        found = handle.folder.files.get_file_info(pa_fs.FileSelector(_LOG))
        newest = max((_version(i.base_name) or 0 for i in found if "checkpoint" in i.base_name), default=0)
        limit = min(newest, handle.version - keep)
        old = [i.path for i in found if (version := _version(i.base_name)) is not None and version < limit]
        # Oldest first: if this is cut short, what is left is still without a gap.
        handle.folder.discard(sorted(old))
    return len(old)


def _version(name: str) -> int | None:
    entry = _ENTRY.fullmatch(name)
    return int(entry.group(1)) if entry else None
