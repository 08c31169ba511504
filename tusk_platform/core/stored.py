"""Which stored columns hold a column of the plan, where the config has changed since the table was made.

Raw is never rewritten. A column that came later says so, because older rows carry its value in ``_extra``; one whose
type changed is stored under a further name from then on, and readers take the newest of them that has a value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

# Metadata of a stored column: rows from before it was there may carry its value in `_extra`.
ADDED: Final = "tusk.added"
# Metadata of a stored column: the column of the plan that it holds, where its own name is another.
HOLDS: Final = "tusk.holds"


@dataclass(frozen=True, slots=True)
class Stored:
    """A table's columns: ``holders`` of one of the plan, the newest first; those that came ``added``; known types."""

    names: frozenset[str] = frozenset()
    holders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added: frozenset[str] = frozenset()
    types: Mapping[str, pa.DataType] = field(default_factory=dict)

    def holding(self, column: str) -> tuple[str, ...]:
        """The stored columns that hold a column of the plan, the newest first; none where there is none."""
        return self.holders.get(column, ())


def stored(columns: Collection[str] | pa.Schema) -> Stored:
    """What is known of a table's columns: by their names alone each holds itself, since ever."""
    if not isinstance(columns, pa.Schema):
        return Stored(frozenset(columns), {name: (name,) for name in columns})
    holders: dict[str, tuple[str, ...]] = {}
    for column in columns:
        held = holds(column)
        holders[held] = (column.name, *holders.get(held, ()))
    added = frozenset(holds(c) for c in columns if _said(c, ADDED))
    return Stored(frozenset(columns.names), holders, added, {c.name: c.type for c in columns})


def holds(column: pa.Field) -> str:
    """The column of the plan that a stored column holds."""
    return _said(column, HOLDS) or str(column.name)


def newest_holders(columns: pa.Schema) -> dict[str, pa.Field]:
    """Column of the plan -> the stored column that new rows go into."""
    return {holds(column): column for column in columns}


def next_name(columns: pa.Schema, column: str) -> str:
    """A name for a further stored column that holds a column of the plan."""
    number = 2
    while f"{column}__{number}" in columns.names:
        number += 1
    return f"{column}__{number}"


def _said(column: pa.Field, key: str) -> str:
    said: bytes = (column.metadata or {}).get(key.encode(), b"")
    return said.decode()
