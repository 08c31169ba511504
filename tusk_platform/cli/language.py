"""Commands about the language of the config, whatever the file says: fmt."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from tusk_platform.cli.files import shown_path
from tusk_platform.cli.output import ConfigOption, say
from tusk_platform.errors import ConfigError, Problem, Unavailable, UsageError
from tusk_platform.runtime.environment import config_path

_STDIN: Final = Path("-")

Files = Annotated[
    list[Path] | None, typer.Argument(help="Files; the config where none is given; - for standard input to output.")
]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("fmt")(fmt)


def fmt(
    files: Files = None,
    check_only: Annotated[bool, typer.Option("--check", help="Only say which files would change.")] = False,  # noqa: FBT002 - an option
    config: ConfigOption = None,
) -> None:
    """Files in the one style, in place; comments, texts and values stay as they are."""
    from tusk_platform.tsk.formatting import format_text

    problems: list[Problem] = []
    changed = False
    for file in files or [shown_path(config_path(config))]:
        written = _written(file)
        name = "standard input" if file == _STDIN else str(file)
        try:
            formatted = format_text(written.decode("utf-8"), name)
        except ConfigError as e:
            problems += e.problems
            continue
        except UnicodeDecodeError as e:
            raise UsageError(f"cannot read {name}: {e}") from None
        differs = formatted.encode("utf-8") != written
        changed = changed or differs
        if file == _STDIN and not check_only:
            typer.echo(formatted.encode("utf-8"), nl=False)
        elif differs:
            if not check_only:
                _replace(file, formatted)
            say(f"{'would change' if check_only else 'formatted'}: {name}")
    if problems:
        raise ConfigError(problems)
    raise typer.Exit(1 if changed and check_only else 0)


def _written(file: Path) -> bytes:
    if file == _STDIN:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as e:
        raise UsageError(f"cannot read {file}: {e}") from None


def _replace(file: Path, text: str) -> None:
    """Put the text into the file in one step; its mode stays, and a link to it stays a link."""
    target = file.resolve()
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        try:
            draft.write_text(text, encoding="utf-8", newline="\n")
            draft.chmod(target.stat().st_mode & 0o7777)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as e:
        raise Unavailable(f"cannot write {file}: {e}") from None
