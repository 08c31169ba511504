"""Changes of a table by logical replication: first a snapshot, then every change in the order of commits, each once.

The slot is made first, the snapshot afterwards, in short transactions of a page each. So the stream repeats what
happened since the slot was made, also what a page has shown already. That is right because every change is told
together with what was last told of the row (``change_log``): once the stream has come past the snapshot, each row's
newest image is the row.
"""

from __future__ import annotations

import logging
import platform
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from typing import Any, Final

from tusk_platform.adapters import database_slot as slots
from tusk_platform.adapters.change_log import Change, ChangeLog
from tusk_platform.adapters.database import Database, Table, writer
from tusk_platform.adapters.database_pages import page
from tusk_platform.adapters.database_values import RowWriter
from tusk_platform.adapters.pgoutput import Begin, Commit, Relation, RowChange, Toast, Truncate, decode
from tusk_platform.errors import TuskError, Unavailable, UsageError
from tusk_platform.ports import SourceContext

# Changes appended at once, rows of a page; bytes of them.
AT_ONCE: Final = 10_000
_BYTES: Final = 32 * 2**20
# Seconds: that arrived messages are gathered for one append; that a position may be behind where nothing comes; that
# a stream nobody read from is believed; between two looks at what the slot holds.
_GATHER: Final = 0.02
_CONFIRM_EVERY: Final = 10.0
_BELIEVED: Final = 25.0
_LOOK_EVERY: Final = 60.0
_REPEAT_AFTER: Final = 600.0
_NEVER: Final = 2**63

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a slot may hold before somebody is told: bytes, and microseconds without a reader."""

    most: int
    longest: int


@dataclass(frozen=True, slots=True)
class State:
    """Where the receiver stands.

    ``about``: which table of which server it follows, and how. ``after``: key of the last row of the snapshot so far;
    ``anew``: rows that are gone since an earlier snapshot are looked for. ``lsn``: all that was committed before is in
    the log, and ``done`` changes of the transaction that commits at ``open``. ``at``: when that was, microseconds UTC.
    """

    about: Mapping[str, Any]
    slot: str
    lsn: int
    snapshot: bool = True
    anew: bool = False
    after: tuple[str, ...] | None = None
    open: int = 0
    done: int = 0
    at: int = field(default_factory=lambda: time.time_ns() // 1000)

    def now(self, **changes: Any) -> State:  # noqa: ANN401 - any field
        """The state after something was done."""
        return replace(self, at=time.time_ns() // 1000, **changes)


class LostPlace(TuskError):
    """What the slot would send is not what follows on the log; says why."""


class ReplicationReceiver:
    """Brings the snapshot and the changes of one table into its log."""

    def __init__(
        self, stream: str, context: SourceContext, changes: ChangeLog, *, table: str, bounds: Bounds, whole: bool
    ) -> None:
        self._stream = stream
        self._context = context
        self._changes = changes
        self._name = table
        self._bounds = bounds
        self._whole = whole
        self._database = Database(context)
        self._state: State | None = None
        self._table: Table | None = None
        self._replication: slots.Replication | None = None
        self._looking = False
        self._transaction = _Transaction()
        # Ends of the log with the positions that are safe once the lake holds it up to there, and up to where it does.
        self._ends: deque[tuple[int, int]] = deque()
        self._held = 0
        self._confirmed_at = 0.0
        self._looked_at = 0.0
        self._complained_at = -_REPEAT_AFTER

    def receive(self, seconds: float) -> bool:
        """A page of the snapshot, or the changes that come within the time."""
        deadline = time.monotonic() + seconds
        try:
            state = self._ready()
            if state.snapshot:
                self._next_page(state)
                return False
            return self._follow(deadline)
        except BaseException:
            # What was decoded and not appended must come again.
            self.close()
            raise

    def committed(self, offset: int) -> None:
        """Let the server forget what the lake holds."""
        self._held = max(self._held, offset)
        self._let_go()

    def behind(self) -> int | None:
        """Nothing where all changes that are committed came; else unknown."""
        state = self._ready()
        if state.snapshot or self._transaction.changes:
            return None
        stream = self._streaming(state)
        target = self._database.position()
        stream.ask()
        deadline = time.monotonic() + 1
        while not stream.reached(target) and time.monotonic() < deadline:
            if (data := stream.read(0.05, target)) is not None:
                self._take(data, state)
                return None
        return 0 if stream.reached(target) and not self._transaction.open else None

    def close(self) -> None:
        """Let go of both connections; what was not appended is read again."""
        if self._replication is not None:
            self._replication.close()
        self._replication, self._table, self._state = None, None, None
        self._transaction = _Transaction()
        self._looking = False
        self._database.close()

    def _ready(self) -> State:
        """Where we stand, with the slot there: the one we left, or a new one."""
        saved = self._changes.state()
        if self._state is not None:
            if saved is not None and _restored(saved) == self._state:
                self._mind_the_slot(self._state)
                return self._state
            # Another process read on meanwhile: what we have in memory or on the way to us is not what follows.
            self.close()
        self._table = table = checked(self._database, self._name, whole=self._whole)
        about = _about(self._database, table, slots.publish(self._database, table), whole=self._whole)
        try:
            if saved is None or "slot" not in saved:
                state = self._begun(about, anew=saved is not None)
            else:
                state = _restored(saved)
                self._check_place(state, about)
        except LostPlace as reason:
            _logger.warning(
                "stream %s: %s; a new slot is made and the table is read anew, rows that are gone are taken back",
                self._stream, reason,
            )  # fmt: skip
            state = self._begun(about, anew=True)
        self._state = state
        self._ends = deque([(self._changes.log.end(), state.lsn)] if not state.snapshot else [])
        return state

    def _check_place(self, state: State, about: Mapping[str, Any]) -> None:
        """LostPlace unless the slot goes on exactly where the log ends."""
        for what, value in about.items():
            if (was := state.about.get(what)) != value:
                raise LostPlace(f"{what} was {was}, is {value}")
        slot = slots.find(self._database, state.slot)
        if slot is None:
            raise LostPlace(f"slot `{state.slot}` at {self._database.address} is gone")
        if slot.lost:
            raise LostPlace(f"slot `{state.slot}` at {self._database.address} has lost changes")
        if slot.confirmed > state.lsn:
            raise LostPlace(
                f"slot `{state.slot}` at {self._database.address} was read by somebody else, or our log is an old copy"
            )
        if self._database.position() < state.lsn:
            raise LostPlace(f"{self._database.address} was set back to an earlier state")

    def _begun(self, about: Mapping[str, Any], *, anew: bool) -> State:
        """A new slot, and a snapshot to be taken."""
        name = _slot_name(self._stream, str(self._context.log_folder.absolute()))
        state = State(about, name, slots.make(self._database, name), anew=anew)
        self._changes.write((), asdict(state))
        return state

    def _next_page(self, state: State) -> None:
        """Append a page of the snapshot; after the last one what is gone, and on to the stream."""
        assert self._table is not None  # noqa: S101 - _ready was asked
        if state.anew and not self._looking:
            state = state.now(after=None)
            self._changes.look_through(anew=True)
            self._looking = True
        table = checked(self._database, self._name, whole=self._whole)
        rows, last = page(self._database, table, after=state.after, limit=AT_ONCE, leave_out=table.generated)
        found = [Change("snapshot", state.lsn, key, row) for key, row in rows]
        if state.anew:
            self._changes.see(c.key for c in found)
        if last is not None:
            state = state.now(after=last)
            self._changes.write(found, asdict(state))
        else:
            self._changes.write(found, asdict(state))
            state = state.now(snapshot=False, after=None, anew=False)
            if self._looking:
                self._changes.unseen_are_gone(state.lsn, asdict(state))
            else:
                self._changes.write((), asdict(state))
            self._looking = False
            self._ends.append((self._changes.log.end(), state.lsn))
        self._state = state

    def _let_go(self) -> None:
        """Confirm what the lake holds, where there is somebody to tell."""
        stream, lsn = self._replication, 0
        while stream is not None and self._ends and self._ends[0][0] <= self._held:
            lsn = self._ends.popleft()[1]
        if stream is not None and lsn:
            stream.confirm(lsn)

    def _follow(self, deadline: float) -> bool:
        """Append what comes; whether all that was committed when we were asked is in the log."""
        state = self._state
        assert state is not None  # noqa: S101 - _ready was asked
        stream = self._streaming(state)
        target = self._database.position()
        stream.ask()
        until = deadline
        while True:
            end = _NEVER if self._transaction.open else target
            data = stream.read(max(0.0, until - time.monotonic()), end)
            if data is not None:
                self._take(data, state)
                if self._transaction.changes:
                    until = min(until, time.monotonic() + _GATHER)
            full = len(self._transaction.changes) >= AT_ONCE or self._transaction.size >= _BYTES
            over = data is None and time.monotonic() >= until
            if full or over or (data is None and stream.reached(target) and not self._transaction.open):
                break
        self._append(state)
        reached = stream.reached(target) and not self._transaction.open
        if reached:
            self._confirm_idle(stream)
        return reached

    def _take(self, data: bytes, state: State) -> None:
        self._transaction.take(decode(data), state, self._table)

    def _append(self, state: State) -> None:
        transaction = self._transaction
        changes, transaction.changes, transaction.size = transaction.changes, [], 0
        if not changes:
            return
        lsn = max(state.lsn, transaction.complete)
        self._state = state.now(lsn=lsn, open=transaction.open, done=transaction.seen if transaction.open else 0)
        self._ends.append((self._changes.write(changes, asdict(self._state)), lsn))

    def _confirm_idle(self, stream: slots.Replication) -> None:
        """Nothing of ours came and nothing waits for the lake: the server may forget what others did.

        What is confirmed is remembered before: a slot that is ahead of the log is one that has lost changes.
        """
        state = self._state
        assert state is not None  # noqa: S101 - the caller's
        if time.monotonic() - self._confirmed_at < _CONFIRM_EVERY:
            return
        if not self._ends and stream.sent > state.lsn:
            self._state = state.now(lsn=stream.sent)
            self._changes.write((), asdict(self._state))
            stream.confirm(stream.sent)
        else:
            stream.confirm(0)  # only that we are there
        self._confirmed_at = time.monotonic()

    def _streaming(self, state: State) -> slots.Replication:
        if self._replication is not None and self._replication.idle > _BELIEVED:
            # The server gives up on who says nothing for so long.
            self._replication.close()
            self._replication, self._transaction = None, _Transaction()
        if self._replication is None:
            assert self._table is not None  # noqa: S101 - _ready was asked
            publication = slots.publication_name(self._table)
            slots.take_over(self._database, state.slot)
            # What another reader of ours has from the server already, it finds here that it must not use.
            self._state = state = state.now()
            self._changes.write((), asdict(state))
            self._replication = slots.Replication(self._context, state.slot, publication, state.lsn)
            slot = slots.find(self._database, state.slot)
            if slot is None or slot.confirmed > state.lsn:
                self.close()
                raise Unavailable(f"slot `{state.slot}` has moved between two looks at it")
            self._let_go()
        return self._replication

    def _mind_the_slot(self, state: State) -> None:
        """Say, now and then, that the slot holds too much."""
        if time.monotonic() - self._looked_at < _LOOK_EVERY:
            return
        self._looked_at = time.monotonic()
        slot = slots.find(self._database, state.slot)
        if slot is None or self._looked_at - self._complained_at < _REPEAT_AFTER:
            return
        most, longest = self._bounds.most, self._bounds.longest
        for said in slots.complaints(self._database, slot, self._name, most=most, idle=0, longest=longest):
            self._complained_at = self._looked_at
            _logger.warning("stream %s: %s", self._stream, said)


class _Transaction:
    """The transaction that is coming in, and changes of it and of those before it that are not in the log yet."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.size = 0
        # Position of its commit (0: none is open), its changes so far, and the end of the last that is complete.
        self.open = 0
        self.seen = 0
        self.complete = 0
        self._skip = 0
        self._relations: dict[int, _Shape] = {}

    def take(self, message: object, state: State, table: Table | None) -> None:
        """One message of the stream."""
        assert table is not None  # noqa: S101 - whoever reads the stream has looked at the table
        match message:
            case RowChange():
                self.seen += 1
                shape = self._relations.get(message.relation)
                if self.seen > self._skip and shape is not None:
                    self.changes.append(shape.change(message, self.open))
                    self.size += len(self.changes[-1].row)
            case Begin():
                self.open, self.seen = message.lsn, 0
                self._skip = state.done if message.lsn == state.open else 0
            case Commit():
                self.open, self.complete = 0, message.end
            case Truncate():
                self.seen += 1
                if self.seen > self._skip and any(r in self._relations for r in message.relations):
                    self.changes.append(Change("truncate", self.open))
            case Relation() if message.oid == table.oid:
                self._relations[message.oid] = _Shape(message, table)


class _Shape:
    """How rows of the table looked at a time of its history."""

    def __init__(self, relation: Relation, table: Table) -> None:
        names = {name for name, _ in relation.columns}
        if missing := [k for k in table.key if k not in names]:
            # The next look at the table finds another key than it had, and begins anew.
            raise Unavailable(f"the primary key of table `{table.name}` was changed: then `{missing[0]}` was not there")
        self._writer: RowWriter = writer(table, relation.columns)

    def change(self, message: RowChange, lsn: int) -> Change:
        """A change of a row in the words of the log."""
        old, new = message.old, message.new
        if new is not None and old is not None:
            new = [o if n is Toast.UNCHANGED else n for o, n in zip(old, new, strict=True)]
        change = Change(message.kind, lsn)
        if old is not None:
            change.old_key = self._writer.key(_present(old))
        if new is not None:
            change.key, change.row = self._writer.write(_present(new))
        return change


def _present(row: list[Any]) -> list[bytes | None]:
    return [None if value is Toast.UNCHANGED else value for value in row]


def checked(database: Database, name: str, *, whole: bool) -> Table:
    """The table, fit to be followed; UsageError with what to do where it is not."""
    [[level]] = database.rows("show wal_level")
    if level != "logical":
        raise UsageError(
            f"logical replication is off at {database.address} (wal_level = {level}): set `wal_level = logical` in "
            f"postgresql.conf and restart the server, or follow the table without it: `cdc_enabled = false`"
        )
    table = database.table(name)
    if table.kind != "r":
        raise UsageError(
            f"`{name}` at {database.address} is partitioned: follow its partitions, or the whole without logical "
            f"replication: `cdc_enabled = false`"
        )
    if whole and table.identity != "f":
        raise UsageError(
            f"table `{name}` at {database.address} does not tell what a changed row was before: "
            f"`alter table {table.quoted} replica identity full`"
        )
    if table.identity == "n":
        raise UsageError(
            f"table `{name}` at {database.address} does not tell which row was changed: "
            f"`alter table {table.quoted} replica identity default`"
        )
    return table


def _about(database: Database, table: Table, publication: int, *, whole: bool) -> dict[str, Any]:
    """What must not change for a slot to go on; keys are the words in which it is told."""
    [system] = database.row("select system_identifier::text from pg_control_system()")
    return {
        "the server": system,
        "the table": f"{table.schema}.{table.name} ({table.oid})",
        "its primary key": list(table.key),
        "the publication": publication,
        "change_detection": whole,
    }


def _restored(saved: Mapping[str, Any]) -> State:
    after = saved.get("after")
    return State(**{**saved, "after": None if after is None else tuple(after)})


def _slot_name(stream: str, folder: str) -> str:
    """A slot's name: stable for a stream of a state folder on a machine, and another's elsewhere."""
    own = sha256(f"{platform.node()}\n{folder}\n{stream}".encode()).hexdigest()[:10]
    return f"tusk_{re.sub(r'[^a-z0-9_]', '_', stream.lower())[:40]}_{own}"


def idle_time(changes: ChangeLog) -> tuple[str, int] | None:
    """Name of the slot that the log remembers, and microseconds since something was taken from it."""
    saved = changes.state() if changes.log.exists() else None
    if saved is None or "slot" not in saved:
        return None
    return str(saved["slot"]), time.time_ns() // 1000 - int(saved["at"])
