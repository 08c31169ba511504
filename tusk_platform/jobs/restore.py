"""A lake from a backup: every file of one manifest where the lake will be, whole before anybody takes it for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tusk_platform.core import transactions
from tusk_platform.errors import Refused
from tusk_platform.storage.backups import Backups, Manifest
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.log import LOG_PARTITION

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup as people choose it: how many tables and bytes, and whether a later platform goes on from it."""

    manifest: str
    made_at: int
    tables: int
    bytes: int
    platform: str
    continued: bool = False
    number: int = 0


def listed(backups: Backups) -> tuple[Backup, ...]:
    """All backups at an address, the newest last."""
    manifests = [backups.read(m) for m in backups.manifests()]
    continued = {m.continues for m in manifests}
    found = [
        Backup(m.id, m.made_at, len(m.tables), sum(m.files.values()), m.platform, m.platform in continued, m.number)
        for m in manifests
    ]
    return tuple(sorted(found, key=lambda b: (b.made_at, b.manifest)))


def newest(backups: Sequence[Backup], address: str) -> Backup:
    """The backup that is meant where none is named; Refused where it could be that of several platforms."""
    if not backups:
        raise Refused(f"{address} holds no backup")
    meant = [b for b in backups if not b.continued]
    if len({b.platform for b in meant}) > 1:
        raise Refused(
            f"{address} holds backups of {len({b.platform for b in meant})} platforms that know nothing of each other; "
            "say which with `--manifest ID` (`--list` shows them)"
        )
    return max(meant, key=lambda b: (b.number, b.made_at))


def require_whole(manifest: Manifest, backups: Backups) -> None:
    """Refused where a file that a manifest names is not there, or not all of it; names it."""
    held = backups.held(manifest.platform)
    lacking = sorted(path for path, size in manifest.files.items() if held.get(path) != size)
    if lacking:
        some = ", ".join(lacking[:_SHOWN]) + (f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else "")
        raise Refused(
            f"the backup {manifest.id} in {backups.address} is not whole: it lacks {some}; nothing was restored. "
            "Choose another with `--manifest ID` (`--list` shows them)"
        )


def gather(
    manifest: Manifest, backups: Backups, folder: Path, *, on_file: Callable[[int, int], object] = lambda *_: None
) -> Lake:
    """The lake of a manifest in a folder; files that are there already, whole, are not copied again."""
    files = sorted((p, size, table.in_lake(p)) for table in manifest.tables.values() for p, size in table.files.items())
    for number, (path, size, place) in enumerate(files, 1):
        target = folder / place
        if not (target.is_file() and target.stat().st_size == size):
            reach("in_restore")
            backups.give(manifest.platform, path, target)
        on_file(number, len(files))
    lake = Lake(folder)
    for name, state in manifest.tables.items():
        table = lake.open(name)
        if table.version != state.version or not {f"{name.replace('.', '/', 1)}/{f.path}" for f in table.files()} <= (
            state.files.keys()
        ):
            raise Refused(f"the backup {manifest.id} is damaged: its log of {name} names other files than it holds")
    return lake


def log_positions(manifest: Manifest, lake: Lake) -> dict[str, int]:
    """Embedded log -> its next offset, for those that are read."""
    found = {}
    for log in manifest.logs:
        stream = log.partition(".")[0]
        table = f"raw.{stream}"
        if table in manifest.tables:
            at = lake.open(table).transaction(transactions.position(stream, LOG_PARTITION))
            if at is not None:
                found[log] = at
    return found
