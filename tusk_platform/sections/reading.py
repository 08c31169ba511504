"""From a parsed file to plain data for the schemas, with the way back from a path to where it was written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, assert_never

from tusk_platform.errors import Problem, Span, nearest
from tusk_platform.plan.nodes import EnvironmentUse
from tusk_platform.sections.explain import Path
from tusk_platform.sections.fields import EnvReference, Query, came
from tusk_platform.tsk.nodes import Array, Operator, Scalar, Table, Value
from tusk_platform.tsk.values import dotted, plain

OPERATORS: Final = ("env", "query")
# Stands where a value was already complained about; what the schemas say of it is not repeated.
UNREADABLE: Final = object()
_ENV_FORM: Final = '`@env(NAME)` or `@env(NAME, "default")`'
_QUERY_FORM: Final = '`@query("SELECT ...")`'


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a key and its value were written; ``text`` is where the SQL of an ``@query`` begins."""

    key: Span
    value: Span
    text: Span
    last_line: int


@dataclass(slots=True)
class Reading:
    """Data of a file, places by path, what is wrong with its operators, and the variables it uses."""

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Path, Spot] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    environment: list[EnvironmentUse] = field(default_factory=list)

    def at(self, path: Path) -> object:
        """The data at a path, None where there is none."""
        here: Any = self.data
        for step in path:
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return None
        return here


def read(root: Table) -> Reading:
    """The data of a whole file."""
    reading = Reading()
    reading.data = _table(reading, root, (), last_line=2**31)
    return reading


def _table(reading: Reading, table: Table, path: Path, last_line: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    following = [e.key_span.line for e in table.entries[1:]] + [last_line]
    for entry, end in zip(table.entries, following, strict=False):
        # With headers a table may be continued further down the file.
        inside = max(end, entry.key_span.line) if end >= entry.key_span.line else last_line
        found[entry.key] = _value(reading, entry.value, (*path, entry.key), entry.key_span, last_line=inside)
    return found


def _value(reading: Reading, value: Value, path: Path, key: Span, *, last_line: int) -> Any:  # noqa: ANN401
    text = value.args[0].span if isinstance(value, Operator) and value.args else value.span
    reading.places[path] = Spot(key, value.span, text, last_line)
    match value:
        case Scalar() if value.value is None:
            return _refuse(reading, value.span, path, "`null` says nothing", "leave the key out, or give it a value")
        case Scalar():
            return value.value
        case Table():
            return _table(reading, value, path, last_line)
        case Array():
            return [
                _value(reading, item, (*path, index), item.span, last_line=last_line)
                for index, item in enumerate(value.items)
            ]
        case Operator():
            return _operator(reading, value, path)
        case _:
            assert_never(value)


def _operator(reading: Reading, operator: Operator, path: Path) -> object:
    arguments = [plain(argument) for argument in operator.args]
    if operator.name == "env":
        return _env(reading, operator, path, arguments)
    if operator.name == "query":
        if len(arguments) == 1 and isinstance(arguments[0], str):
            return Query(arguments[0], operator.args[0].span)
        return _refuse(reading, operator.span, path, "`@query` takes one text, the SQL", f"write {_QUERY_FORM}")
    hint = nearest(operator.name, OPERATORS).replace("`env`", "`@env`").replace("`query`", "`@query`")
    return _refuse(reading, operator.span, path, f"unknown operator `@{operator.name}`", hint)


def _env(reading: Reading, operator: Operator, path: Path, arguments: list[Any]) -> object:
    span = operator.span
    if len(arguments) == 2 and isinstance(arguments[1], Mapping) and set(arguments[1]) == {"default"}:
        arguments = [arguments[0], arguments[1]["default"]]
    if not 1 <= len(arguments) <= 2:
        return _refuse(reading, span, path, "`@env` takes the name of a variable and at most a default", _ENV_FORM)
    name, *default = arguments
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        message = f"`@env` takes the name of a variable, got {came(name)}"
        return _refuse(reading, span, path, message, f"letters, digits and `_`: {_ENV_FORM}")
    if default and not isinstance(default[0], str | int | float):
        message = f"the default of `@env` is a text, a number, `true` or `false`, got {came(default[0])}"
        return _refuse(reading, span, path, message, _ENV_FORM)
    reading.environment.append(EnvironmentUse(name, dotted(path), span, has_default=bool(default)))
    return EnvReference(name, default[0] if default else None)


def _refuse(reading: Reading, span: Span, path: Path, message: str, hint: str) -> object:
    reading.problems.append(Problem(span, dotted(path), message, hint))
    return UNREADABLE
