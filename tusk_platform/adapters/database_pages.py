"""Rows of a table a page at a time, each page a short transaction of its own, in the order of a key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from tusk_platform.adapters.database import Database, Table, writer

# A page is held in memory, several times over.
_BYTES: Final = 32 * 2**20
_FEWEST: Final = 50
_NOTHING: Final[frozenset[str]] = frozenset()


def page(
    database: Database,
    table: Table,
    *,
    after: Sequence[str] | None,
    limit: int,
    leave_out: Collection[str] = _NOTHING,
    cursor: str | None = None,
    floor: str | None = None,
) -> tuple[list[tuple[str, bytes]], tuple[str, ...] | None]:
    """Up to so many rows, each its key and itself, and where the next page begins; None after the last page.

    In the order of the primary key, or of ``cursor`` first; ``floor``: rows from that value of it on. Large rows come
    fewer at a time.
    """
    from psycopg import sql

    limit = min(limit, max(_FEWEST, _BYTES // max(1, table.row_size)))
    columns = [c for c in table.columns if c[0] not in leave_out]
    names = [name for name, _ in columns]
    order = [*([cursor] if cursor else []), *(k for k in table.key if k != cursor)]
    by = sql.SQL(", ").join(map(sql.Identifier, order))
    conditions = [sql.SQL("{} is not null").format(sql.Identifier(cursor))] if cursor else []
    if after is not None:
        values = sql.SQL(", ").join(map(sql.Literal, after))
        conditions.append(sql.SQL("({}) > ({})").format(by, values) if len(order) > 1 else
                          sql.SQL("{} > {}").format(by, values))  # fmt: skip
    elif cursor and floor is not None:
        conditions.append(sql.SQL("{} >= {}").format(sql.Identifier(cursor), sql.Literal(floor)))
    where = sql.SQL("where {} ").format(sql.SQL(" and ").join(conditions)) if conditions else sql.SQL("")
    lines = database.copy(
        sql.SQL("copy (select {} from {} {}order by {} limit {}) to stdout").format(
            sql.SQL(", ").join(map(sql.Identifier, names)),
            sql.Identifier(table.schema, table.name),
            where,
            by,
            sql.Literal(limit),
        )
    )
    write = writer(table, columns).write
    rows = [write(line) for line in lines]
    if len(lines) < limit:
        return rows, None
    places = [names.index(name) for name in order]
    return rows, tuple((lines[-1][at] or b"").decode() for at in places)
