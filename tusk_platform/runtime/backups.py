"""Backups of a platform, and a platform from one: where they are, when they are due, who is kept out meanwhile."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from tusk_platform.errors import Held, Refused, Unavailable, UsageError
from tusk_platform.jobs.backup import Author, BackupReport, backup, pin
from tusk_platform.jobs.ingest import Until
from tusk_platform.jobs.restore import Backup, gather, listed, log_positions, newest, require_whole
from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.profile import BACKED_UP_TO
from tusk_platform.runtime.environment import connection_values
from tusk_platform.runtime.platform import Platform
from tusk_platform.storage.backups import Backups, Manifest, S3Access
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.lease import hold
from tusk_platform.storage.log import OF_CHANGES, OF_FILES, EventLog
from tusk_platform.storage.state_files import read_state, write_state

_S3: Final = "s3://"
# Whoever applies a changed config is waited for the next time.
_PATIENCE_SECONDS: Final = 2.0
_LAKE: Final = "lake"

OnFile = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class _State:
    """What a state folder knows of its backups."""

    platform: str
    continues: str | None = None
    address: str = ""
    manifest: str | None = None
    looked_at: int = 0


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: the manifest, tables, bytes, and where each embedded log goes on."""

    manifest: str
    made_at: int
    tables: int
    bytes: int
    logs: Mapping[str, int]


def backups_of(plan: Plan, home: Home, config: Path) -> Backups | None:
    """Where a platform's backups are; None where the config names no place."""
    said = plan.runtime.checkpoint_dir
    return None if said is None else backups_at(said, plan, home, config.parent)


def backups_at(place: str, plan: Plan, home: Home, folder: Path) -> Backups:
    """The backups at a place: an address of a bucket, or a folder, relative to ``folder``."""
    if not place.startswith(_S3):
        return Backups(str(folder / place.removeprefix("file://")))
    s3 = next((c for c in plan.connections if c.name == "s3"), None)
    return Backups(str(home.checkpoints)) if s3 is None else Backups(place, S3Access(**connection_values(s3)))


def back_up_due(platform: Platform, until: Until, *, command: str) -> BackupReport | None:
    """The platform backed up, if its time has come; None where it has not, or the config names no place.

    What is not done by the deadline goes on with the next call.
    """
    home, clock = platform.home, platform.clock
    backups = backups_of(platform.plan, home, platform.config)
    if backups is None:
        return None
    with hold(home.leases, "backup", command=command):
        state = _read(home)
        if state.address != backups.address:
            state = _State(state.platform, state.continues, backups.address)
        # A time that is still to come was written before the clock was put back.
        if 0 <= clock() - state.looked_at < platform.plan.runtime.backup_every:
            return None
        began = clock()
        with hold(home.leases, "apply", command=command, patience=_PATIENCE_SECONDS):
            logs = _logs(platform.plan, home)
            pinned = pin(platform.lake, clock, applied=read_state(home.applied), logs=logs)
            # After the tables: what is known of a file is remembered before anything of it is in the lake.
            pinned = replace(pinned, marks=_marks(home, logs))

        def stopping() -> bool:
            return until.stopping() or (until.deadline is not None and clock() >= until.deadline)

        author = Author(state.platform, state.continues, state.manifest)
        report = backup(pinned, backups, author, stopping=stopping)
        if report.complete:
            done = _State(state.platform, state.continues, backups.address, report.manifest, began)
            write_state(home.backed_up, asdict(done))
        return report


def list_backups(backups: Backups) -> tuple[Backup, ...]:
    """All backups at a place, the newest last."""
    return listed(backups)


def restore(
    backups: Backups, home: Home, *, chosen: str | None, command: str, on_file: OnFile = lambda *_: None
) -> Restored:
    """A state folder without a lake gets that of a backup; killed in between, the next call goes on from there.

    Refused where there are tables, Held where processes of this folder run.
    """
    with _alone(home, command):
        begun = _begun(home)
        if begun and not (home.restoring / _LAKE).exists() and _tables(home):
            return _finish(home, backups.read(begun))
        _require_empty(home)
        manifest = backups.read(chosen or newest(listed(backups), backups.address).manifest)
        require_whole(manifest, backups)
        try:
            if begun != manifest.id:
                shutil.rmtree(home.restoring, ignore_errors=True)
                write_state(home.restore_begun, manifest.id)
            lake = gather(manifest, backups, home.restoring / _LAKE, on_file=on_file)
            _begin_logs(home, manifest, lake)
            if manifest.applied is not None:
                write_state(home.applied, manifest.applied)
            # Up to here nobody sees a table; from here on all of them.
            reach("in_restore")
            (home.restoring / _LAKE).rename(home.lake)
            reach("in_restore")
        except OSError as error:
            raise Unavailable(f"restoring into {home.root}: {error}") from error
        return _finish(home, manifest)


def _finish(home: Home, manifest: Manifest) -> Restored:
    # Under a name of its own, so that the backups it came from stay whoever else goes on from them.
    write_state(home.backed_up, asdict(_State(_name(), manifest.platform)))
    home.restore_begun.unlink()
    shutil.rmtree(home.restoring, ignore_errors=True)
    logs = log_positions(manifest, Lake(home.lake))
    return Restored(manifest.id, manifest.made_at, len(manifest.tables), sum(manifest.files.values()), logs)


def _begin_logs(home: Home, manifest: Manifest, lake: Lake) -> None:
    """Let no embedded log begin before what the lake holds of it."""
    for name, position in log_positions(manifest, lake).items():
        with closing(EventLog(home.log, name)) as log:
            if not name.endswith(OF_CHANGES):
                log.begin_at(position, later_than=manifest.made_at)
            elif log.exists() and log.is_another(position, later_than=manifest.made_at):
                # What it knows of the table is not what the lake was told: ingest begins it again.
                log.remove()
    for name, marks in manifest.marks.items():
        with closing(EventLog(home.log, name)) as log:
            # Also over newer ones: the lake is of that moment, and what came since is found as it was found then.
            log.append([], marks=marks)


def _begun(home: Home) -> str | None:
    """The manifest of a restore that was begun."""
    found: Any = read_state(home.restore_begun)
    return found and str(found)


def _tables(home: Home) -> tuple[str, ...]:
    return Lake(home.lake).tables() if home.lake.is_dir() else ()


def _require_empty(home: Home) -> None:
    tables = _tables(home)
    if not tables and not (home.lake.is_dir() and any(home.lake.iterdir())):
        return
    there = f"{len(tables)} tables, {tables[0]} among them" if tables else "files"
    raise Refused(
        f"{home.lake} holds {there}: a restore would lose them; nothing was changed. "
        f"Move them away first: mv {home.lake} {home.lake}.before"
    )


@contextmanager
def _alone(home: Home, command: str) -> Iterator[None]:
    """With every lease of the folder, so that nobody else is at work."""
    known = {unquote(p.stem) for p in home.leases.glob("*.lock")} if home.leases.is_dir() else set()
    with ExitStack() as leases:
        try:
            for name in sorted(known | {"up", "apply", "backup"}):
                leases.enter_context(hold(home.leases, name, command=command))
        except Held as held:
            raise Held(f"{home.root} is in use: {held}; stop that first (nothing was changed)") from None
        yield


def _logs(plan: Plan, home: Home) -> list[str]:
    """Embedded logs of the plan's streams."""
    found = sorted(unquote(p.stem) for p in home.log.glob("*.db")) if home.log.is_dir() else []
    streams = {s.name for s in plan.streams}
    return [name for name in found if name.partition(".")[0] in streams]


def _marks(home: Home, logs: Sequence[str]) -> dict[str, dict[str, str]]:
    """What is known of files that are rotated."""
    found = {}
    for name in logs:
        if name.endswith(OF_FILES):
            with closing(EventLog(home.log, name)) as log:
                found[name] = log.marks()
    return found


def _name() -> str:
    return uuid.uuid4().hex[:12]


def _read(home: Home) -> _State:
    found = read_state(home.backed_up)
    if found is None:
        # Kept from now on: the next call must find what this one copies.
        write_state(home.backed_up, asdict(_State(_name())))
        found = read_state(home.backed_up)
    try:
        return _State(**found)
    except TypeError as error:
        raise Unavailable(f"{home.backed_up} cannot be read: {error}") from None


def place_to_restore_from(plan: Plan, home: Home, config: Path, said: str | None) -> Backups:
    """Where to restore from: what was said, else where the config backs up to."""
    found = backups_of(plan, home, config) if said is None else backups_at(said, plan, home, Path.cwd())
    if found is None:
        raise UsageError(f"say where the backups are: `tusk restore --from DIR`; the config has no `{BACKED_UP_TO}`")
    return found
