"""What every command shares: the config option, JSON, tables, progress."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="The .tsk file; else $TUSK_CONFIG, else platform.tsk here.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
DropOption = Annotated[
    bool,
    typer.Option("--allow-drop", help="Apply a changed config also where data is lost; remove what left the config."),
]


def say(text: str = "") -> None:
    """A line on standard output."""
    typer.echo(text)


def warn(text: str) -> None:
    """A line on standard error."""
    typer.echo(text, err=True)


def say_json(value: object) -> None:
    """A value as indented JSON; decimals as text, times as ISO 8601 UTC, numbers that JSON does not know as null."""
    say(_json(value, indent=2))


def json_value(value: object) -> object:
    """What JSON has no form for, as text: decimals exactly, times as ISO 8601 UTC."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)


def _json(value: object, indent: int | None = None) -> str:
    try:
        return json.dumps(value, indent=indent, default=json_value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), indent=indent, default=json_value, ensure_ascii=False)


def _finite(value: object) -> object:
    """The value with null in place of numbers that are none, or infinite."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {k: _finite(v) for k, v in value.items()}
        case list() | tuple():
            return [_finite(v) for v in value]
    return value


def interval_text(months: int, days: int, nanoseconds: int) -> str:
    """A span as SQL writes it.

    >>> interval_text(0, 1, 90_250_000_000)
    '1 day 00:01:30.25'
    """
    parts = [f"{n} {name}{'' if n == 1 else 's'}" for n, name in ((months, "month"), (days, "day")) if n]
    if nanoseconds or not parts:
        seconds, rest = divmod(abs(nanoseconds) // 1000, 1_000_000)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        fraction = f".{rest:06}".rstrip("0").rstrip(".")
        parts.append(f"{'-' if nanoseconds < 0 else ''}{clock}{fraction}")
    return " ".join(parts)


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as text in aligned columns, numbers to the right."""
    cells = [[str(cell(row.get(c))) for c in columns] for row in rows]
    if not cells:
        return f"{'  '.join(columns)}\n(no rows)"
    numeric = [all(isinstance(row.get(c), int | float | Decimal | None) for row in rows) for c in columns]
    widths = [max(len(c), *(len(r[i]) for r in cells)) for i, c in enumerate(columns)]

    def line(values: Sequence[str]) -> str:
        padded = (v.rjust(w) if n else v.ljust(w) for v, w, n in zip(values, widths, numeric, strict=True))
        return "  ".join(padded).rstrip()

    return "\n".join([line(columns), line(["-" * w for w in widths]), *map(line, cells)])


def cell(value: object) -> object:
    """A value as it stands in a table or in CSV; nothing for null."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return value
        case Mapping() | list():
            return _json(value)
    return json_value(value)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """A spinner on a terminal while something takes longer than a blink; silent elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(escape(text)):
            yield
    else:
        yield
