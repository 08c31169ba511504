"""A file as an editor holds it, perhaps half written: its text, and what was made of it when somebody asked."""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from typing import Any

from tusk_platform.compile import Compiled, compile_text
from tusk_platform.tsk.cursor import Cursor
from tusk_platform.tsk.nodes import Document
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.source import Source
from tusk_platform.tsk.tokens import Token
from tusk_platform.tsk.values import plain


class Buffer:
    """One text of one file; another text is another buffer."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.source = Source(text, file)

    @property
    def lines(self) -> list[str]:
        """The lines of the file, without their ends."""
        return self.source.lines

    def offset(self, line: int, column: int) -> int:
        """Offset of a line and a column, both from 1; what is beyond the text is its nearest place."""
        row = min(max(line, 1), len(self.lines))
        return self._starts[row - 1] + min(max(column - 1, 0), len(self.lines[row - 1]))

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    @cached_property
    def _starts(self) -> list[int]:
        """Offset of the beginning of each line."""
        return list(accumulate((len(line) + 1 for line in self.lines), initial=0))[:-1]

    @cached_property
    def document(self) -> Document:
        """The file as it was most likely meant."""
        return parse(self.source.text, self.file)

    @cached_property
    def data(self) -> dict[str, Any]:
        """Its plain values."""
        values: dict[str, Any] = plain(self.document.root)
        return values

    @cached_property
    def tokens(self) -> list[Token]:
        """Its tokens, with the brackets that are missing; those have no length."""
        return Cursor(self.source, guess=bool(self.document.problems)).tokens

    @cached_property
    def compiled(self) -> Compiled:
        """What ``tusk check`` finds, and the plan as far as it could be made."""
        return compile_text(self.source.text, self.file)
