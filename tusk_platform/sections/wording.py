"""How the config is spoken of in messages, and the two operators that may stand in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic_core import PydanticCustomError

from tusk_platform.errors import Span, nearest
from tusk_platform.tsk.strings import place_in

_SHOWN: Final = 40


@dataclass(frozen=True, slots=True)
class EnvReference:
    """``@env(NAME)`` or ``@env(NAME, default)``: a value that an environment variable holds when the node runs."""

    variable: str
    default: str | int | float | bool | None = None

    def as_json(self) -> dict[str, list[str | int | float | bool]]:
        """The reference as plans and parsed files write it: ``{"@env": ["NAME"]}``, with the default as second."""
        return {"@env": [self.variable] if self.default is None else [self.variable, self.default]}

    def settle(self, environment: Mapping[str, str]) -> str | int | float | bool | None:
        """The variable's text, else the default, else None."""
        return environment.get(self.variable, self.default)


@dataclass(frozen=True, slots=True)
class Query:
    """``@query("SELECT ...")``: SQL whose result is a table of the lake. ``text`` is where it begins in the file."""

    sql: str
    text: Span | None = field(default=None, compare=False)


def inside(text: Span, value: str, offset: tuple[int, int, int]) -> Span | None:
    """The position of a line and column of a text in quotes; None where the text has no such line."""
    line, column, length = offset
    rows = value.split("\n")
    if line > len(rows):
        return None
    written = text.written or text.text[text.column - 1 :]
    at = place_in(written, sum(len(row) + 1 for row in rows[: line - 1]) + column - 1)
    begin = written.rfind("\n", 0, at) + 1
    below = written.count("\n", 0, at)
    row = written[begin:].split("\n", 1)[0] if below else text.text
    first = at - begin + (1 if below else text.column)
    length = max(1, min(length, len(row) - first + 1))
    return Span(text.file, text.line + below, first, length, row)


def wrong(
    message: str,
    hint: str = "",
    *,
    at: tuple[str | int, ...] = (),
    offset: tuple[int, int, int] | None = None,
    on: str = "value",
) -> PydanticCustomError:
    """The error that a validator raises: what came, what is right, and where below the value if not at itself.

    ``offset`` is a line and a column inside a text, both from 1, and a length. With ``on`` = ``secret`` nobody is shown
    the line.
    """
    context = {"message": message, "hint": hint, "at": at, "offset": offset, "on": on}
    return PydanticCustomError("tusk", "{message}", context)


def came(value: object) -> str:
    """What stands in the config, in words.

    >>> came("8"), came(True), came([1])
    ('the text "8"', '`true`', 'a list')
    """
    match value:
        case str():
            line = " ".join(value.split()) if len(value) < 1_000 else " ".join(value[:1_000].split())
            return f'the text "{line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"}"' if value else "empty text"
        case bool():
            return f"`{str(value).lower()}`"
        case None:
            return "`null`"
        case int() if value.bit_length() > 128:
            return "a number of many digits"
        case int() | float():
            return f"the number {value}"
        case EnvReference():
            return f"`@env({value.variable})`"
        case Query():
            return "`@query(...)`"
        case Mapping():
            return "a table"
    return "a list" if value else "an empty list"


def listed(names: Sequence[str]) -> str:
    """Alternatives in words: ``a``, ``b`` or ``c``, each as code."""
    quoted = [f"`{n}`" for n in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


def did_you_mean(word: object, known: Sequence[str]) -> str:
    """A hint with the nearest of the known words, or nothing where none is near."""
    if not isinstance(word, str) or not known:
        return ""
    hint = nearest(word.strip(), known)
    if hint.startswith("did"):
        return hint
    inside = [n for n in known if len(word) > 2 and (word.lower() in n.lower() or n.lower() in word.lower())]
    return f"did you mean `{inside[0]}`?" if len(inside) == 1 else ""


def misplaced(value: object) -> str:
    """A hint where an operator stands that may not stand there; nothing for other values."""
    if isinstance(value, EnvReference):
        return "`@env` may stand for free text and for numbers, not for what decides the shape of the plan"
    if isinstance(value, Query):
        return "`@query` may stand only in `analytics_data_sources`"
    return ""
