"""The text of a file with its lines, from offsets to the spans that messages point at."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate
from typing import Final, NamedTuple

from tusk_platform.errors import Span

# What a file may hold, and how many mistakes are worth listing.
MOST_CHARACTERS: Final = 4 * 1024 * 1024
MOST_NESTING: Final = 64
MOST_PROBLEMS: Final = 1000


class Trouble(NamedTuple):
    """Something wrong between two offsets. ``breaks``: what else stands on the line cannot be trusted."""

    start: int
    end: int
    message: str
    hint: str
    breaks: bool = False


class Source:
    """A file's text without byte order mark and with plain line ends."""

    __slots__ = ("_indents", "_starts", "file", "lines", "text")

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
        self.lines = self.text.split("\n")
        self._starts = list(accumulate((len(line) + 1 for line in self.lines), initial=0))[:-1]
        self._indents: dict[int, int] = {}

    def span(self, start: int, end: int) -> Span:
        """The stretch from ``start`` to ``end``, cut at the end of its first line."""
        line = bisect_right(self._starts, start) - 1
        text, first = self.lines[line], self._starts[line]
        return Span(self.file, line + 1, start - first + 1, max(1, min(end - first, len(text)) - (start - first)), text)

    def span_of_text(self, start: int, end: int) -> Span:
        """The span of a text in quotes; with all of its lines where a place inside could not be found without."""
        span = self.span(start, end)
        if end - start > span.length or self.text.find("\\", start, end) >= 0:
            span = replace(span, written=self.text[start : self.line_end(end)])
        return span

    def indent(self, line: int) -> int:
        """Width of the white space that line number ``line`` (from 1) begins with; a tab counts four."""
        if line not in self._indents:
            text = self.lines[line - 1]
            blank = text[: len(text) - len(text.lstrip())]
            self._indents[line] = len(blank) + 3 * blank.count("\t")
        return self._indents[line]

    def line_end(self, offset: int) -> int:
        """Offset of the end of the line that ``offset`` stands on."""
        end = self.text.find("\n", offset)
        return len(self.text) if end < 0 else end


def shown(text: str, limit: int = 48) -> str:
    """A piece of the file as a message quotes it: one line, short, nothing invisible."""
    line = text.strip().split("\n", 1)[0].rstrip()
    cut = len(line) > limit or line != text.strip()
    visible = "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in line[:limit])
    return visible + ("…" if cut else "")
