"""What every command shares: the config option, JSON, tables, progress."""

from __future__ import annotations

import json
import sys
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


def say(text: str = "") -> None:
    """A line on standard output."""
    typer.echo(text)


def warn(text: str) -> None:
    """A line on standard error."""
    typer.echo(text, err=True)


def say_json(value: object) -> None:
    """A value as indented JSON; decimals as text, times as ISO 8601 UTC."""
    say(json.dumps(value, indent=2, default=json_value, ensure_ascii=False))


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


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as text in aligned columns, numbers to the right."""
    cells = [[_cell(row.get(c)) for c in columns] for row in rows]
    if not cells:
        return f"{'  '.join(columns)}\n(no rows)"
    numeric = [all(isinstance(row.get(c), int | float | Decimal | None) for row in rows) for c in columns]
    widths = [max(len(c), *(len(r[i]) for r in cells)) for i, c in enumerate(columns)]

    def line(values: Sequence[str]) -> str:
        padded = (v.rjust(w) if n else v.ljust(w) for v, w, n in zip(values, widths, numeric, strict=True))
        return "  ".join(padded).rstrip()

    return "\n".join([line(columns), line(["-" * w for w in widths]), *map(line, cells)])


def _cell(value: object) -> str:
    if value is None:
        return ""
    shown = value if isinstance(value, str | int | float) else json_value(value)
    return str(shown)


@contextmanager
def progress(text: str) -> Iterator[None]:
    """A spinner on a terminal while something takes longer than a blink; silent elsewhere."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(escape(text)):
            yield
    else:
        yield


def is_terminal() -> bool:
    """Whether a person is reading standard output."""
    return sys.stdout.isatty()
