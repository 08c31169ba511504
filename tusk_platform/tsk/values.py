"""Plain values of a file, its leaves, and the way back from a path to where something was written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, assert_never

from tusk_platform.tsk.nodes import Array, Entry, Operator, Scalar, Table, Value
from tusk_platform.tsk.words import KEY


def plain(value: Value) -> Any:  # noqa: ANN401 - what JSON can hold
    """The value as JSON would hold it; an operator as ``{"@env": ["NAME"]}``."""
    match value:
        case Scalar():
            return value.value
        case Array():
            return [plain(item) for item in value.items]
        case Table():
            return {entry.key: plain(entry.value) for entry in value.entries}
        case Operator():
            return {f"@{value.name}": [plain(arg) for arg in value.args]}
        case _:
            assert_never(value)


def leaves(table: Table) -> list[tuple[str, Value]]:
    """Every value that is not a table, with its dotted path, in the order of the file.

    A list is one leaf whatever is in it, and so is an operator. An empty table has none.
    """
    found: list[tuple[str, Value]] = []

    def walk(inner: Table, path: tuple[str, ...]) -> None:
        for entry in inner.entries:
            here = (*path, entry.key)
            if isinstance(entry.value, Table):
                walk(entry.value, here)
            else:
                found.append((dotted(here), entry.value))

    walk(table, ())
    return found


def find(table: Table, path: Sequence[str | int]) -> Entry | Value | None:
    """What stands at a path: the entry of a key, the item of a number; the table itself for an empty path.

    The path may be one through ``plain``, so that a validator's locations find their spans: ``("a", "@env", 0)`` is
    the first argument of the operator at ``a``.
    """
    here: Entry | Value | None = table
    for step in path:
        value = here.value if isinstance(here, Entry) else here
        match value:
            case Table():
                here = next((entry for entry in value.entries if entry.key == step), None)
            case Operator() if step == f"@{value.name}":
                here = value
            case Operator() if isinstance(step, int):
                here = value.args[step] if 0 <= step < len(value.args) else None
            case Array() if isinstance(step, int):
                here = value.items[step] if 0 <= step < len(value.items) else None
            case _:
                return None
    return here


def dotted(path: Iterable[str | int]) -> str:
    """A path as messages show it: ``streams.orders.metrics[0]``; a key that is no plain word stands in quotes."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += ("." if text else "") + (step if KEY.fullmatch(step) else f'"{step}"')
    return text
