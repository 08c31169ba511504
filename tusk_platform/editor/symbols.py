"""The outline of a file: its sections, tables and keys, each with where it begins and ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.places import bracket_ends
from tusk_platform.tsk.nodes import Array, Entry, Operator, Scalar, Table, Value

Kind = Literal["section", "table", "list", "text", "number", "boolean", "operator"]


@dataclass(frozen=True, slots=True)
class Symbol:
    """One key: the offsets of the whole entry and of its name, and what is inside."""

    name: str
    kind: Kind
    start: int
    end: int
    name_start: int
    name_end: int
    children: tuple[Symbol, ...] = ()


def symbols(buffer: Buffer) -> tuple[Symbol, ...]:
    """The keys of a file with those inside them."""
    ends = bracket_ends(buffer)
    return tuple(_symbol(entry, buffer, ends, top=True) for entry in buffer.document.root.entries)


def _symbol(entry: Entry, buffer: Buffer, ends: dict[int, int], *, top: bool = False) -> Symbol:
    value = entry.value
    start = buffer.offset(entry.key_span.line, entry.key_span.column)
    children: tuple[Symbol, ...] = ()
    if isinstance(value, Table):
        children = tuple(_symbol(e, buffer, ends) for e in value.entries)
    opens = buffer.offset(value.span.line, value.span.column)
    inside = [c.end for c in children]
    # A table under a header may be continued further down; it ends with what was written last.
    end = max(start + entry.key_span.length, opens + value.span.length, ends.get(opens, 0), *inside, 0)
    begin = min(start, *(c.start for c in children)) if children else start
    return Symbol(entry.key, _kind(value, top=top), begin, end, start, start + entry.key_span.length, children)


def _kind(value: Value, *, top: bool) -> Kind:
    match value:
        case Table():
            return "section" if top else "table"
        case Array():
            return "list"
        case Operator():
            return "operator"
        case Scalar(value=bool()):
            return "boolean"
        case Scalar(value=int() | float()):
            return "number"
    return "text"
