"""The messages of PostgreSQL's logical replication (plug-in ``pgoutput``, protocol 1), decoded; values stay text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from struct import Struct
from typing import Final, Literal

_LENGTH: Final = Struct("!I")
_COUNT: Final = Struct("!H")
_BEGIN: Final = Struct("!QqI")
_COMMIT: Final = Struct("!BQQq")
_COLUMN: Final = Struct("!Ii")
_NULL, _UNCHANGED = ord("n"), ord("u")


class Toast(Enum):
    """What stands for a large value that an update did not touch: the server does not send it again."""

    UNCHANGED = "unchanged"


Value = bytes | None | Toast
Row = list[Value]


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it was when the changes that follow were made: columns with the numbers of their types."""

    oid: int
    schema: str
    name: str
    columns: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """The changes that follow are of a transaction whose commit is at ``lsn``."""

    lsn: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Nothing of the transaction follows; ``end`` is the position after it."""

    end: int


@dataclass(slots=True)
class RowChange:
    """One row. ``old`` is the row before (whole with REPLICA IDENTITY FULL, else its key, if that changed)."""

    kind: Literal["insert", "update", "delete"]
    relation: int
    old: Row | None
    new: Row | None


@dataclass(frozen=True, slots=True)
class Truncate:
    """All rows of these tables are gone."""

    relations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """A message that says nothing of rows: origins, types."""


Message = Relation | Begin | Commit | RowChange | Truncate | Other
_KINDS: Final[dict[int, Literal["insert", "update", "delete"]]] = {
    ord("I"): "insert", ord("U"): "update", ord("D"): "delete",
}  # fmt: skip


def decode(data: bytes) -> Message:
    """One message.

    >>> decode(b"B" + (7).to_bytes(8) + bytes(12))
    Begin(lsn=7)
    """
    kind = data[0]
    if kind in _KINDS:
        return _row_change(data, _KINDS[kind])
    match chr(kind):
        case "B":
            return Begin(_BEGIN.unpack_from(data, 1)[0])
        case "C":
            return Commit(_COMMIT.unpack_from(data, 1)[2])
        case "R":
            return _relation(data)
        case "T":
            [count] = _LENGTH.unpack_from(data, 1)
            return Truncate(tuple(_LENGTH.unpack_from(data, 6 + 4 * n)[0] for n in range(count)))
    return Other()


def _row_change(data: bytes, kind: Literal["insert", "update", "delete"]) -> RowChange:
    [relation] = _LENGTH.unpack_from(data, 1)
    old = new = None
    at, end = 5, len(data)
    while at < end:
        part = data[at]
        row, at = _row(data, at + 1)
        if part == 78:  # N; K and O are the row before
            new = row
        else:
            old = row
    return RowChange(kind, relation, old, new)


def _row(data: bytes, at: int) -> tuple[Row, int]:
    [count] = _COUNT.unpack_from(data, at)
    at += 2
    length_at = _LENGTH.unpack_from
    row: Row = []
    for _ in range(count):
        kind = data[at]
        at += 1
        if kind == _NULL:
            row.append(None)
        elif kind == _UNCHANGED:
            row.append(Toast.UNCHANGED)
        else:
            start = at + 4
            at = start + length_at(data, at)[0]
            row.append(data[start:at])
    return row, at


def _relation(data: bytes) -> Relation:
    [oid] = _LENGTH.unpack_from(data, 1)
    schema, at = _text(data, 5)
    name, at = _text(data, at)
    [count] = _COUNT.unpack_from(data, at + 1)  # after the kind of replica identity
    at += 3
    columns = []
    for _ in range(count):
        column, at = _text(data, at + 1)  # after the flags
        columns.append((column, _COLUMN.unpack_from(data, at)[0]))
        at += 8
    return Relation(oid, schema or "pg_catalog", name, tuple(columns))


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(), end + 1
