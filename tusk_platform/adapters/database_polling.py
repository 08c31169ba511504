"""Changes of a table by asking for its rows again and again: by a column that grows, or by looking at all of them.

What is told of a row is compared with what was last told of it (``change_log``), so asking too much costs time and
nothing else.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from tusk_platform.adapters.change_log import Change, ChangeLog
from tusk_platform.adapters.database import LONG, Database, Table
from tusk_platform.adapters.database_pages import page
from tusk_platform.errors import UsageError
from tusk_platform.ports import SourceContext
from tusk_platform.units import SECOND

# Rows of a page, appended at once.
AT_ONCE: Final = 10_000
# Earlier looks that are remembered while a transaction stays open; fewer only means that more is asked again.
_REMEMBERED: Final = 60
_TIMESTAMPTZ: Final = 1184

Way = Literal["cursor", "hash", "snapshot"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """The beginning of a pass: when (microseconds UTC of the server), and the greatest value of the cursor then.

    Transactions before number ``oldest`` had ended, those from ``next`` on had not begun.
    """

    at: int
    greatest: str | None
    oldest: int
    next: int


@dataclass(frozen=True, slots=True)
class Pass:
    """Where the receiver stands: how many times it went through the table, and how far it is in this one.

    ``lsn`` and ``floor`` are those of the pass: its place in the server's history, and the value it begins from.
    ``at``: when we were there, by which no two states are the same.
    """

    about: Mapping[str, Any]
    number: int = 0
    lsn: int = 0
    floor: str | None = None
    after: tuple[str, ...] | None = None
    looks: tuple[Look, ...] = ()
    at: int = 0


class PollingReceiver:
    """Brings what changed in a table since the last time into its log, every ``interval`` microseconds.

    ``overlap``: with a cursor, rows that were there so long ago are asked for again, for whoever commits late or has a
    clock that is behind.
    """

    def __init__(
        self, stream: str, context: SourceContext, changes: ChangeLog, *,
        table: str, way: Way, interval: int, cursor: str | None = None, overlap: int = 0,
    ) -> None:  # fmt: skip
        self._stream = stream
        self._changes = changes
        self._name = table
        self._way = way
        self._cursor = cursor
        self._interval = interval / SECOND
        self._overlap = overlap
        self._database = Database(context)
        self._state: Pass | None = None
        self._under_way = False
        self._due = 0.0

    def receive(self, seconds: float) -> bool:
        """A page of the table where it is time; whether the table was read to its end."""
        if not self._under_way and (wait := self._due - time.monotonic()) > 0:
            time.sleep(min(wait, seconds))
            if wait > seconds:
                return True
        try:
            return self._next_page()
        except BaseException:
            self.close()
            raise

    def committed(self, offset: int) -> None:
        """Nothing: the table does not forget."""

    def behind(self) -> int | None:
        """Nothing after a whole pass; within one nobody knows."""
        return None if self._under_way or self._state is None else 0

    def close(self) -> None:
        """Let go of the connection; a pass that was under way is gone on with, or begun anew."""
        self._state, self._under_way = None, False
        self._database.close()

    def _next_page(self) -> bool:
        table = checked(self._database, self._name, self._cursor)
        # What this process has seen of the table is a pass only where nobody else went on with it meanwhile.
        going_on = self._under_way and self._state is not None and _restored(self._changes.state()) == self._state
        state = self._state if going_on and self._state is not None else self._begun(table)
        rows, last = page(
            self._database, table, after=state.after, limit=AT_ONCE, cursor=self._cursor, floor=state.floor
        )
        kind: Literal["snapshot", "again", "insert"] = (
            "again" if self._way == "snapshot" else "snapshot" if state.number == 1 else "insert"
        )
        found = [Change(kind, state.lsn, key, row) for key, row in rows]
        if self._way != "cursor":
            self._changes.see(c.key for c in found)
        done = last is None
        self._state = state = replace(state, after=last, at=time.time_ns())
        self._changes.write(found, asdict(state))
        if done and self._way != "cursor":
            self._changes.unseen_are_gone(state.lsn, asdict(state))
        self._under_way = not done
        if done:
            self._due = time.monotonic() + self._interval
        return done

    def _begun(self, table: Table) -> Pass:
        """A pass through the table, or the one that was under way when the process ended."""
        about = _about(table, self._cursor, self._way)
        saved = _restored(self._changes.state())
        if saved is None or saved.about != about:
            if saved is not None:
                _logger.warning("stream %s: the table or how it is followed was changed: it is read anew", self._stream)
            saved = Pass(about)
        lsn = self._database.position()
        self._under_way = True
        if self._way != "cursor":
            # What was seen is noted for this pass alone.
            self._changes.look_through(anew=True)
            return replace(saved, number=saved.number + (saved.after is None), lsn=lsn, after=None)
        if saved.after is not None:
            return saved
        floor = _floor(saved.looks, self._overlap)
        kept = [look for look in saved.looks if floor is None or look.at >= floor.at]
        kept = _thinned([*kept, self._look(table)])
        return replace(
            saved, number=saved.number + 1, lsn=lsn, floor=None if floor is None else floor.greatest, looks=tuple(kept)
        )

    def _look(self, table: Table) -> Look:
        """How far the cursor is, and which transactions are open."""
        from psycopg import sql

        greatest: sql.Composable = sql.SQL("max({})").format(sql.Identifier(self._cursor or ""))
        if (self._cursor, _TIMESTAMPTZ) in table.columns:
            # A row that is dated ahead must not hide those that come until then.
            greatest = sql.SQL("least({}, now())").format(greatest)
        at, value, following, oldest = self._database.row(
            sql.SQL(
                "select (extract(epoch from clock_timestamp()) * 1000000)::bigint, (select ({})::text from {}), "
                "pg_snapshot_xmax(s)::text, pg_snapshot_xmin(s)::text from (select pg_current_snapshot() as s) as _"
            ).format(greatest, sql.Identifier(table.schema, table.name)),
            limit=LONG,
        )
        return Look(int(at), value, int(oldest), int(following))


def checked(database: Database, name: str, cursor: str | None) -> Table:
    """The table, fit to be followed; UsageError with what to do where it is not."""
    table = database.table(name)
    if cursor is not None and cursor not in {column for column, _ in table.columns}:
        known = ", ".join(f"`{column}`" for column, _ in table.columns)
        raise UsageError(f"table `{name}` at {database.address} has no column `{cursor}` (cursor); it has {known}")
    return table


def _floor(looks: Sequence[Look], overlap: int) -> Look | None:
    """The newest look whose greatest value the next pass may begin from.

    Whoever had a transaction open at that look had ended it when the last pass began, which so met what came of it;
    and it was long enough before for those whose clock is behind.
    """
    if not looks:
        return None
    last = looks[-1]
    safe = (
        k for k in reversed(looks) if k.next <= last.oldest and k.at <= last.at - overlap and k.greatest is not None
    )
    return next(safe, None)


def _thinned(looks: list[Look]) -> list[Look]:
    """At most so many looks, every other left out where there are more; never the first or the last."""
    while len(looks) > _REMEMBERED:
        looks = [looks[0], *looks[1:-1:2], looks[-1]]
    return looks


def _about(table: Table, cursor: str | None, way: Way) -> dict[str, Any]:
    return {
        "table": f"{table.schema}.{table.name} ({table.oid})", "key": list(table.key), "cursor": cursor, "way": way,
    }  # fmt: skip


def _restored(saved: Mapping[str, Any] | None) -> Pass | None:
    if saved is None:
        return None
    if "number" not in saved:
        return Pass({})
    after = saved["after"]
    looks = tuple(Look(**look) for look in saved["looks"])
    return Pass(**{**saved, "after": None if after is None else tuple(after), "looks": looks})
