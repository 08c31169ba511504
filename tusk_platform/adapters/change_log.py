"""Changes of a table's rows in an embedded log, and beside it what each row was when it was last told.

Records, images and where their receiver stands are one SQLite transaction, so none can be ahead of the others. The
images are why a change can always be told with what it takes back: also where the server does not say it (a table that
was emptied, rows that are gone when a lost position is begun anew, tables that are read again and again).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from tusk_platform.adapters.log_reader import PARTITION
from tusk_platform.plan.nodes import Op
from tusk_platform.ports import Changes, Chunk
from tusk_platform.storage.log import OF_CHANGES, EventLog, Record, Writing

_STATE: Final = "state"
_IMAGES: Final = "create table if not exists image (key text primary key, row blob not null)"
_SEEN: Final = "create temp table if not exists seen (key text primary key) without rowid"
_WANTED: Final = "select key, row from image where key in (select value from json_each(?))"
_DELETED: Final = (
    """cast('{"op":"delete","lsn":' || ? || ',"key":' || json_quote(key) || ',"row":' || row || '}' as blob)"""
)
# Bytes of a record before the row; in a key, which is JSON text, a quotation mark never stands without a backslash.
_ROW: Final = b',"row":'
_EVER: Final = 2**62
_EVENTS: Final[frozenset[Op]] = frozenset({"snapshot", "insert"})

# `again`: a row that was there is told once more though nothing of it changed. `truncate`: all rows are gone.
Kind = Literal["snapshot", "again", "insert", "update", "delete", "truncate"]


@dataclass(slots=True)
class Change:
    """What happened to a row. ``old_key`` is the key it had before; what it was then the log knows itself."""

    kind: Kind
    lsn: int
    key: str = ""
    row: bytes = b""
    old_key: str | None = None


class ChangeLog:
    """The log of one table. ``inserts_only``: of each key the first image only, and nothing is taken back."""

    def __init__(self, folder: Path, stream: str, *, inserts_only: bool = False) -> None:
        # A name that no stream can have: what was published before there was a connection is another log.
        self.log = EventLog(folder, f"{stream}{OF_CHANGES}")
        self._inserts_only = inserts_only

    def state(self) -> dict[str, Any] | None:
        """What was last remembered of where the receiver stands."""
        text = self.log.mark(_STATE)
        found: dict[str, Any] | None = None if text is None else orjson.loads(text)
        return found

    def write(self, changes: Sequence[Change], state: Mapping[str, Any]) -> int:
        """Append what these changes come to, and remember where the receiver stands; the end of the log."""
        with self.log.writing() as writing:
            writing.connection.execute(_IMAGES)
            start = 0
            for at, change in enumerate(changes):
                if change.kind == "truncate":
                    self._told(writing, changes[start:at])
                    self._all_gone(writing, change.lsn)
                    start = at + 1
            self._told(writing, changes[start:])
            writing.mark(_STATE, orjson.dumps(state).decode())
            return writing.end()

    def forget(self) -> None:
        """Empty the log, so that its receiver begins anew; offsets go on."""
        self.log.trim(_EVER)
        with self.log.writing() as writing:
            writing.connection.execute(_IMAGES)
            writing.connection.execute("delete from image")
            writing.connection.execute("delete from mark")

    def begin_again(self, position: int, images: Mapping[str, bytes]) -> None:
        """Go on at an offset after the log was lost, with what the lake holds of each row; the receiver begins anew.

        It looks for rows that are gone, too, because something is remembered of it, if only that it knows nothing.
        """
        self.forget()
        with self.log.writing() as writing:
            writing.connection.executemany("insert into image values (?, ?)", images.items())
            writing.mark(_STATE, "{}")
        # Last: a log that does not reach the offset yet is begun again the next time.
        self.log.begin_at(position, later_than=_EVER)

    def look_through(self, *, anew: bool) -> None:
        """Begin, or go on, to note which rows of the table are seen."""
        with self.log.writing() as writing:
            writing.connection.execute(_SEEN)
            if anew:
                writing.connection.execute("delete from seen")

    def see(self, keys: Iterable[str]) -> None:
        """Note rows of the table that are there."""
        with self.log.writing() as writing:
            writing.connection.executemany("insert or ignore into seen values (?)", ((key,) for key in keys))

    def unseen_are_gone(self, lsn: int, state: Mapping[str, Any]) -> int:
        """Tell of every row that was not seen that it is deleted; how many there were."""
        with self.log.writing() as writing:
            writing.connection.execute(_IMAGES)
            gone = self._all_gone(writing, lsn, "where key not in (select key from seen)")
            writing.connection.execute("delete from seen")
            writing.mark(_STATE, orjson.dumps(state).decode())
        return gone

    def chunk(self, records: list[Record], next_offset: int) -> Chunk:
        """Records of the log as a source gives them: the rows, and beside them what happened to each."""
        rows, heads = [], []
        for _, _, payload in records:
            at = payload.index(_ROW)
            heads.append(payload[:at])
            rows.append(payload[at + len(_ROW) : -1])
        said = orjson.loads(b"[" + b"},".join(heads) + b"}]")
        offsets, arrivals = [r[0] for r in records], [r[1] for r in records]
        if not self._inserts_only:
            changes = Changes([s["op"] for s in said], [s["lsn"] for s in said], [s["key"] for s in said])
            return Chunk(PARTITION, offsets, next_offset, rows, arrivals=arrivals, changes=changes)
        # There are others only from a time when the table's changes were followed too.
        kept = [n for n, s in enumerate(said) if s["op"] in _EVENTS]
        return Chunk(
            PARTITION, [offsets[n] for n in kept], next_offset, [rows[n] for n in kept],
            arrivals=[arrivals[n] for n in kept],
        )  # fmt: skip

    def _told(self, writing: Writing, changes: Sequence[Change]) -> None:
        if not changes:
            return
        images = _Images(writing, changes)
        records: list[bytes] = []
        for change in changes:
            if self._inserts_only:
                _tell_new(change, images, records)
            else:
                _tell(change, images, records)
        writing.append(records)
        images.keep()

    def _all_gone(self, writing: Writing, lsn: int, which: str = "") -> int:
        gone = 0
        if not self._inserts_only:
            told = f"{which} {'and' if which else 'where'} row <> x''"
            gone = writing.append_selected(f"select {_DELETED} from image {told}", (str(lsn),))  # noqa: S608 - our own SQL
        writing.connection.execute(f"delete from image {which}")  # noqa: S608 - our own SQL
        return gone


class _Images:
    """Images of the rows that some changes speak of, read at once and written back at once."""

    def __init__(self, writing: Writing, changes: Sequence[Change]) -> None:
        self._connection = writing.connection
        keys = {c.key for c in changes} | {c.old_key for c in changes if c.old_key is not None}
        self._stored: dict[str, bytes] = dict(self._connection.execute(_WANTED, (orjson.dumps(list(keys)).decode(),)))
        self._now = dict(self._stored)

    def get(self, key: str) -> bytes | None:
        """The image of a row, None where there is none."""
        return self._now.get(key)

    def put(self, key: str, row: bytes) -> None:
        """The row is this now."""
        self._now[key] = row

    def take(self, key: str) -> bytes | None:
        """The row is gone; what it was."""
        return self._now.pop(key, None)

    def keep(self) -> None:
        """Write what is another than it was."""
        new = [(key, row) for key, row in self._now.items() if self._stored.get(key) != row]
        gone = [(key,) for key in self._stored if key not in self._now]
        self._connection.executemany("insert or replace into image values (?, ?)", new)
        self._connection.executemany("delete from image where key = ?", gone)


def _tell(change: Change, images: _Images, records: list[bytes]) -> None:
    """The records of a change: first what it takes back, which is always what was last told of the row.

    What was never told (of rows that the snapshot did not meet any more) needs no taking back.
    """
    lsn = change.lsn
    if change.old_key is not None and change.old_key != change.key:
        was = images.take(change.old_key)
        op: Op = "delete" if change.kind == "delete" else "update_preimage"
        if was:
            records.append(_record(op, lsn, change.old_key, was))
        if change.kind == "delete":
            return
    known = images.get(change.key)
    row, kind = change.row, change.kind
    images.put(change.key, row)
    if kind == "again" and known == row:
        records.append(_record("snapshot", lsn, change.key, row))
        return
    if known == row and kind != "update":
        return  # told already: a position that was begun anew, or a change that the snapshot had in it
    if known:
        records.append(_record("update_preimage", lsn, change.key, known))
    if kind in {"snapshot", "again"}:
        op = "update_postimage" if known and kind == "snapshot" else "snapshot"
    else:
        op = "update_postimage" if known or kind == "update" else "insert"
    records.append(_record(op, lsn, change.key, row))


def _tell_new(change: Change, images: _Images, records: list[bytes]) -> None:
    """The record of a row that is new; of others only their keys are followed."""
    if change.old_key is not None and change.old_key != change.key:
        images.take(change.old_key)
    if change.kind == "delete":
        return
    if change.kind != "update" and images.get(change.key) is None:
        records.append(_record("insert" if change.kind == "insert" else "snapshot", change.lsn, change.key, change.row))
    images.put(change.key, b"")


def _record(op: Op, lsn: int, key: str, row: bytes) -> bytes:
    return b'{"op":"%b","lsn":%d,"key":%b%b%b}' % (op.encode(), lsn, orjson.dumps(key), _ROW, row)
