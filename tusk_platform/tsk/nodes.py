"""What a parsed file is made of: values that know where they were written. All frozen."""

from __future__ import annotations

from dataclasses import dataclass

from tusk_platform.errors import Problem, Span


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text, number, truth value or null."""

    value: str | int | float | bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class Array:
    """A list of values."""

    items: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Operator:
    """``@name(args)``, kept as data and never carried out here.

    Named arguments are one Table, the last of ``args``: ``@env("X", default="y")`` is ``@env("X", {default = "y"})``.
    """

    name: str
    args: tuple[Value, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a table with its value."""

    key: str
    key_span: Span
    value: Value


@dataclass(frozen=True, slots=True)
class Table:
    """Entries in the order of the file; every key once. The span is that of the brace or header that opens it."""

    entries: tuple[Entry, ...]
    span: Span


Value = Scalar | Array | Table | Operator


@dataclass(frozen=True, slots=True)
class Document:
    """A whole file: what could be read of it, and everything that is wrong with it, in the order of the file.

    Where there are problems, ``root`` holds what was most likely meant, so that later checks can go on.
    """

    root: Table
    problems: tuple[Problem, ...]
