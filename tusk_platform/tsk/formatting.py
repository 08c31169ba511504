"""One style for every file of the dialect: comments, texts and the order of things stay, spaces and line breaks do not.

Four spaces a level, `key = value`, one entry a line; a table or list that its author wrote on one line stays on it
where it fits, and every other has a line for each of what is in it.
"""

from __future__ import annotations

from typing import Final

from tusk_platform.errors import ConfigError
from tusk_platform.tsk.layout import Brackets, Call, Comment, CommentLine, Item, laid_out
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.tokens import CLOSER_OF

WIDTH: Final = 100
STEP: Final = 4


def format_text(text: str, file: str) -> str:
    """The text in the one style; ConfigError with every problem where it has mistakes.

    >>> format_text("a:1;b={c:'x',}", "a.tsk")
    'a = 1\\nb = { c = "x" }\\n'
    """
    problems = parse(text, file).problems
    if problems:
        raise ConfigError(problems)
    page = _Page()
    page.body(laid_out(text, file), -1)
    return "".join(f"{line}\n" for line in page.lines)


class _Page:
    """The lines written so far; a line may hold text in quotes that spans several."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        # One-line forms of tables and lists, by identity; None where they have none that fits on any line.
        self._flat: dict[int, str | None] = {}

    def body(self, inner: Brackets, level: int) -> None:
        """Everything in a table or list, one level deeper than ``level``."""
        first = True
        for item in inner.items:
            for line in item.above:
                self.comment_line(line, level + 1, first=first)
                first = False
            if item.blank and not first:
                self.lines.append("")
            self.item(item, level + 1, "," if inner.opener == "[" else "")
            first = False
        for line in inner.below:
            self.comment_line(line, level + 1, first=first)
            first = False

    def comment_line(self, line: CommentLine, level: int, *, first: bool) -> None:
        """Comments on a line of their own."""
        if line.blank and not first:
            self.lines.append("")
        margin = level * STEP
        head, *others = line.comments
        shift = 0 if head.indent is None else margin - head.indent
        self.lines.append(" ".join([" " * margin + _moved(head.text, shift), *_texts(others)]))

    def item(self, item: Item, level: int, comma: str) -> None:
        """An entry, header or list item with the comments of its line."""
        margin = level * STEP
        start = " " * margin + "".join(f"{text} " for text in _texts(item.before))
        start += f"{item.key} = " if item.key else ""
        start += "".join(f"{text} " for text in _texts(item.between))
        match item.value:
            case str():
                self.lines.append(start + item.value)
            case Call(rows):
                shift = margin - rows[0].indent
                rest = (f"\n{' ' * max(0, r.indent + shift)}{r.text}" if r.text else "\n" for r in rows[1:])
                self.lines.append(start + rows[0].text + "".join(rest))
            case Brackets():
                self.brackets(item.value, level, start, comma)
        self.lines[-1] += comma + "".join(f" {text}" for text in _texts(item.after))

    def brackets(self, value: Brackets, level: int, start: str, comma: str) -> None:
        """A table or list: on one line where it was and where it fits."""
        flat = self.flat(value)
        if flat is not None and len(start) + len(flat) + len(comma) <= WIDTH:
            self.lines.append(start + flat)
            return
        self.lines.append(" ".join([start + value.opener, *_texts(value.beside)]))
        self.body(value, level)
        self.lines.append(" " * (level * STEP) + CLOSER_OF[value.opener])

    def flat(self, value: Brackets) -> str | None:
        """The form on one line; None for what was on several, or is too long for any line."""
        if not (value.items or value.below or value.beside):
            return value.opener + CLOSER_OF[value.opener]
        if value.over_lines:
            return None
        if id(value) not in self._flat:
            self._flat[id(value)] = self._flattened(value)
        return self._flat[id(value)]

    def _flattened(self, value: Brackets) -> str | None:
        texts: list[str] = []
        for item in value.items:
            match item.value:
                case str():
                    own: str | None = item.value
                case Call(rows):
                    own = rows[0].text
                case Brackets():
                    own = self.flat(item.value)
            if own is None:
                return None
            key = [f"{item.key} ="] if item.key else []
            texts.append(" ".join([*_texts(item.before), *key, *_texts(item.between), own, *_texts(item.after)]))
        texts += [" ".join(_texts(line.comments)) for line in value.below]
        blank = " " if value.opener == "{" else ""
        written = f"{value.opener}{blank}{', '.join(texts)}{blank}{CLOSER_OF[value.opener]}"
        return written if len(written) <= WIDTH else None


def _texts(comments: list[Comment] | tuple[Comment, ...]) -> list[str]:
    return [_moved(comment.text, 0) for comment in comments]


def _moved(text: str, shift: int) -> str:
    """A comment whose further lines are indented by ``shift`` more, none ending with blanks."""
    if "\n" not in text:
        return text
    first, *rest = text.split("\n")
    lines = [first.rstrip()]
    for line in rest:
        body = line.lstrip()
        blank = line[: len(line) - len(body)]
        width = max(0, len(blank) + 3 * blank.count("\t") + shift)
        lines.append(" " * width + body.rstrip() if body else "")
    return "\n".join(lines)
