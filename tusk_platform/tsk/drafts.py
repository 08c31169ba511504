"""Tables while a file is read: headers may come back to one later, so they are frozen at the end."""

from __future__ import annotations

from typing import NamedTuple

from tusk_platform.errors import Span
from tusk_platform.tsk.nodes import Entry, Table, Value


class Slot(NamedTuple):
    """What a draft holds under a key."""

    key_span: Span
    value: Value | Draft


class Draft:
    """A table that still grows. ``declared``: it has been written itself, not only something below it."""

    __slots__ = ("declared", "slots", "span")

    def __init__(self, span: Span, *, declared: bool = True) -> None:
        self.slots: dict[str, Slot] = {}
        self.span = span
        self.declared = declared

    def freeze(self) -> Table:
        """The table as it is now."""
        return Table(tuple(Entry(k, s.key_span, frozen(s.value)) for k, s in self.slots.items()), self.span)


def frozen(value: Value | Draft) -> Value:
    """A value with no draft in it."""
    return value.freeze() if isinstance(value, Draft) else value
