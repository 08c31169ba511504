"""Every error of the platform, sorted by what its reader should do, and the source positions they point at."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

Severity = Literal["error", "warning"]

# Longer lines are shown in part.
_WIDEST: Final = 160


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of one line of a config file; ``line`` and ``column`` count from 1, ``length`` in characters.

    ``text`` is the line. ``written`` is what stands from the span on, to the end of a line, where the span is that of a
    text over several lines or with escapes: without it no place inside of the text could be found.
    """

    file: str
    line: int
    column: int
    length: int = 1
    text: str = ""
    written: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a config: what was written and where, what is wrong, what would be right."""

    span: Span
    path: str
    message: str
    hint: str = ""
    severity: Severity = "error"

    def render(self) -> str:
        """The problem as a person reads it: position, message, the line, a caret, the hint."""
        label = "" if self.severity == "error" else "warning: "
        lines = [f"{self.span}: {label}{_visible(self.message)}"]
        if self.span.text:
            text, column = _excerpt(self.span)
            pad = "".join("\t" if c == "\t" else " " for c in text[: column - 1])
            carets = "^" * max(1, min(self.span.length, len(text) - len(pad)))
            lines += [f"    {text}", f"    {pad}{carets}"]
        if self.hint:
            lines.append(f"    {_visible(self.hint)}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, object]:
        """The fields of ``tusk check --json``."""
        return {
            "severity": self.severity,
            "file": self.span.file,
            "line": self.span.line,
            "column": self.span.column,
            "path": self.path,
            "message": self.message,
            "hint": self.hint,
        }


def _excerpt(span: Span) -> tuple[str, int]:
    """The line of a span as a terminal can show it, a very long one cut around the span, and the column in it."""
    text, column = span.text, span.column
    if len(text) > _WIDEST:
        first = max(0, column - _WIDEST // 2)
        text = ("…" if first else "") + text[first : first + _WIDEST] + ("…" if first + _WIDEST < len(text) else "")
        column += (1 if first else 0) - first
    return _visible(text), column


def _visible(text: str) -> str:
    """The text without what would move a terminal's cursor or change its colours."""
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or all of them when none is near."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word.lower(), [n.lower() for n in names], n=1, cutoff=0.6)
    if close:
        match = next(n for n in names if n.lower() == close[0])
        return f"did you mean `{match}`?"
    return f"known: {', '.join(f'`{n}`' for n in names)}" if names else ""


class TuskError(Exception):
    """Anything the platform says instead of a traceback."""


class ConfigError(TuskError):
    """Fix the config: carries every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.span, p.path)))
        super().__init__("\n".join(p.render() for p in self.problems))


class UsageError(TuskError):
    """Fix what was asked for: an unknown stream, a file that is not there, SQL that does not parse."""


class Unavailable(TuskError):
    """Try again later: a service does not answer, a disk is full, a variable is not set. Nothing was lost."""


class Conflict(Unavailable):
    """Another writer committed first; this batch was dropped and must be read again."""


class Held(TuskError):
    """Somebody else holds the lease; the message says who."""


class BadRecord(TuskError):
    """Skip this record: it goes to quarantine with the message as its reason."""


class Refused(TuskError):
    """Stop: going on would lose or double data."""
