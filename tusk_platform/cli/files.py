"""Files that a person names: how they are read, and how they are called in messages."""

from __future__ import annotations

from pathlib import Path

from tusk_platform.errors import UsageError


def shown_path(file: Path) -> Path:
    """The path as a person would write it: relative to here where it is below."""
    here = Path.cwd()
    return file.relative_to(here) if file.is_absolute() and file.is_relative_to(here) else file


def read_text(file: Path) -> str:
    """The text of a file; UsageError where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"cannot read {file}: {e}") from None
