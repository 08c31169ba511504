"""Copies of the lake elsewhere, a little more each time: a manifest of one moment, and the files that are new since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tusk_platform.storage.backups import LOG, Backups, Manifest, TableState
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.lake import Handle, Lake
from tusk_platform.storage.upkeep import checkpoint, log_entries

# So many backups one can go back.
KEPT: Final = 3
_FORGOTTEN_AT_ONCE: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Who reads comes before what is read: an aggregate must not know a batch that the backup's raw does not hold.
_READ_LAST: Final = ("agg", "raw", "_cursors")


def never() -> bool:
    """No."""
    return False


@dataclass(frozen=True, slots=True)
class Author:
    """Who backs up: the name it writes below, the platform it was restored from, and the newest manifest it wrote."""

    platform: str
    continues: str | None = None
    newest: str | None = None


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What one call did. ``manifest`` is that of the newest backup; not ``complete``: it goes on with the next call."""

    manifest: str | None
    complete: bool = True
    tables: int = 0
    files_copied: int = 0
    bytes_copied: int = 0
    files_forgotten: int = 0

    @property
    def nothing_new(self) -> bool:
        """Whether no table has changed since the newest backup."""
        return self.complete and not self.tables


@dataclass(frozen=True, slots=True)
class Pinned:
    """All tables as of one moment, who reads before what is read, and what else belongs to it."""

    handles: tuple[Handle, ...]
    at: int
    applied: Mapping[str, Any] | None = None
    logs: tuple[str, ...] = ()
    marks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def pin(lake: Lake, clock: Callable[[], int], *, applied: Mapping[str, Any] | None, logs: Iterable[str]) -> Pinned:
    """Open every table; whoever changes which tables there are must be kept out meanwhile."""
    handles = tuple(lake.open(table) for table in sorted(lake.tables(), key=_order))
    return Pinned(handles, clock(), applied, tuple(logs))


def backup(pinned: Pinned, backups: Backups, author: Author, *, stopping: Callable[[], bool] = never) -> BackupReport:
    """Copy what is new since the author's newest backup, then write the manifest, then forget what is too old.

    Stopped or killed before the manifest, the next call finds the files that are there and goes on. The files of the
    pinned commits must stay in the lake meanwhile: whatever a commit removes stays an hour.
    """
    # Whoever emptied the place, or lost that one manifest, gets a whole backup.
    own = [m for m in backups.manifests() if _is_of(m, author.platform)]
    before = backups.read(author.newest) if author.newest in own else None
    changed = [h for h in pinned.handles if before is None or _state(before, h) is None]
    if before and not changed and before.tables.keys() == {h.name for h in pinned.handles}:
        return BackupReport(before.id)
    held = backups.held(author.platform)
    tables = {h.name: state for h in pinned.handles if before and (state := _state(before, h))}
    report = BackupReport(author.newest, complete=False)
    for handle in changed:
        files: dict[str, int] = {}
        for name, size in _files(handle):
            path = f"{_folder(handle.name)}/{_kept_as(handle, name)}"
            files[path] = size
            if held.get(path) == size:
                continue
            if stopping():
                return report
            reach("in_backup")
            backups.take(author.platform, handle, name, path)
            report = replace(report, files_copied=report.files_copied + 1, bytes_copied=report.bytes_copied + size)
        tables[handle.name] = TableState(handle.version, files, handle.delta.schema().to_json(), _id(handle))
    moment = (_EPOCH + timedelta(microseconds=pinned.at)).strftime("%Y%m%dT%H%M%S.%fZ")
    number = max((backups.read(m).number for m in own), default=0) + 1
    manifest = Manifest(
        f"{author.platform}/{moment}", pinned.at, tables,
        pinned.applied, pinned.logs, author.continues, number, pinned.marks,
    )  # fmt: skip
    reach("in_backup")
    backups.write(manifest)
    reach("in_backup")
    forgotten = _forget(backups, manifest)
    return replace(report, manifest=manifest.id, complete=True, tables=len(changed), files_forgotten=forgotten)


def _is_of(manifest: str, platform: str) -> bool:
    return manifest.startswith(f"{platform}/")


def _order(table: str) -> tuple[int, str]:
    schema = table.partition(".")[0]
    return (_READ_LAST.index(schema) if schema in _READ_LAST else -1), table


def _folder(table: str) -> str:
    return table.replace(".", "/", 1)


def _state(manifest: Manifest, handle: Handle) -> TableState | None:
    """What a manifest says of a table, if that has not changed since."""
    state = manifest.tables.get(handle.name)
    return state if state and (state.version, state.id) == (handle.version, _id(handle)) else None


def _id(handle: Handle) -> str:
    return str(handle.delta.metadata().id)


def _kept_as(handle: Handle, name: str) -> str:
    """A file's name in the backup; commits of a table that was made again are named like those of the one before."""
    return name.replace(f"{LOG}/", f"{LOG}/{_id(handle)}/", 1) if name.startswith(f"{LOG}/") else name


def _files(handle: Handle) -> Iterator[tuple[str, int]]:
    """Names under the table's folder and sizes: data files, and of the log what is needed to open it at this commit."""
    for file in handle.files():
        yield file.path, file.size
    checkpoint(handle)
    yield from log_entries(handle)


def _forget(backups: Backups, newest: Manifest) -> int:
    """Delete all but the newest manifests of a platform, and files that none of these names, so many at a time."""
    found = [newest if m == newest.id else backups.read(m) for m in backups.manifests() if _is_of(m, newest.platform)]
    # By number: a clock may have been put back.
    own = sorted(found, key=lambda m: (m.number, m.id))
    old = [m.id for m in own[:-KEPT]][:_FORGOTTEN_AT_ONCE]
    backups.forget(newest.platform, manifests=old)
    # As long as a manifest is there its files are.
    named: set[str] = set()
    for manifest in own[len(old) :]:
        named |= manifest.files.keys()
    unnamed = sorted(backups.held(newest.platform).keys() - named)[:_FORGOTTEN_AT_ONCE]
    backups.forget(newest.platform, files=unnamed)
    return len(unnamed)
