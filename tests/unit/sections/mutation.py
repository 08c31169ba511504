"""The leaves of ``platform.tsk``, and its sections with one leaf written otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tusk_platform.errors import Span
from tusk_platform.tsk.nodes import Document, Entry, Operator, Table, Value
from tusk_platform.tsk.parser import parse

FILE = Path(__file__).resolve().parents[3] / "platform.tsk"


@dataclass(frozen=True)
class Leaf:
    """One key with a value that is no table; ``lines`` are those of its section, ``parent`` is the table's own key."""

    path: str
    entry: Entry
    parent: Entry
    lines: tuple[int, int]

    @property
    def key(self) -> Span:
        """Where its key stands."""
        return self.entry.key_span

    @property
    def value(self) -> Value:
        """What it says."""
        return self.entry.value


@cache
def seed() -> str:
    """The text of ``platform.tsk``."""
    return FILE.read_text(encoding="utf-8")


@cache
def leaves() -> tuple[Leaf, ...]:
    """Every leaf of the file."""
    document = parse(seed(), "platform.tsk")
    starts = [e.key_span.line for e in document.root.entries]
    ends = [*(s - 1 for s in starts[1:]), seed().count("\n") + 1]
    found: list[Leaf] = []
    for entry, first, last in zip(document.root.entries, starts, ends, strict=True):
        _collect(entry, (entry.key,), (first, last), found)
    return tuple(found)


def _collect(parent: Entry, path: tuple[str, ...], lines: tuple[int, int], found: list[Leaf]) -> None:
    assert isinstance(parent.value, Table)
    for entry in parent.value.entries:
        here = (*path, entry.key)
        if isinstance(entry.value, Table):
            _collect(entry, here, lines, found)
        else:
            found.append(Leaf(".".join(here), entry, parent, lines))


def with_value(leaf: Leaf, written: str) -> Document:
    """The leaf's section with another value."""
    return _section(leaf, leaf.value.span.line, leaf.value.span.column, _written(leaf), written)


def with_key(leaf: Leaf, key: str) -> Document:
    """The leaf's section with another key."""
    return _section(leaf, leaf.key.line, leaf.key.column, leaf.entry.key, key)


def without(leaf: Leaf) -> Document:
    """The leaf's section without it."""
    line = seed().split("\n")[leaf.key.line - 1]
    between = line[leaf.key.column - 1 : leaf.value.span.column - 1]
    return _section(leaf, leaf.key.line, leaf.key.column, between + _written(leaf), "")


def _written(leaf: Leaf) -> str:
    """The leaf's value as it stands in the file; an operator's argument may go over many lines."""
    span = leaf.value.span
    start = _offset(span)
    end = start + span.length
    if isinstance(leaf.value, Operator):
        end = seed().index(")\n", seed().index("@", start) + len(str(getattr(leaf.value.args[0], "value", "")))) + 1
    return seed()[start:end]


def _offset(span: Span) -> int:
    return sum(len(line) + 1 for line in seed().split("\n")[: span.line - 1]) + span.column - 1


def _section(leaf: Leaf, line: int, column: int, old: str, new: str) -> Document:
    first, last = leaf.lines
    lines = seed().split("\n")
    head = "\n" * (first - 1) + "\n".join(lines[first - 1 : line - 1])
    rest = "\n".join(lines[line - 1 : last])
    assert rest[column - 1 :].startswith(old)
    text = f"{head}\n{rest[: column - 1]}{new}{rest[column - 1 + len(old) :]}" if line > first else rest
    return parse(text, "platform.tsk")


def text_with_value(leaf: Leaf, written: str) -> str:
    """The whole file with another value of the leaf."""
    start = _offset(leaf.value.span)
    return seed()[:start] + written + seed()[start + len(_written(leaf)) :]
